package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
)

// CampaignSummary is a campaign in a list.
type CampaignSummary struct {
	Name      string    `json:"name"`
	State     string    `json:"state" enum:"running,paused,draining,stopped"`
	Version   int       `json:"version" doc:"the one that new journeys enter with"`
	Inside    int64     `json:"inside" doc:"journeys that are not over"`
	Waiting   int64     `json:"waiting" doc:"entries that wait out their debounce"`
	UpdatedAt time.Time `json:"updated_at"`
}

// VersionCount is how many journeys are inside one version of a campaign.
type VersionCount struct {
	Version   int       `json:"version"`
	Journeys  int64     `json:"journeys" doc:"journeys that are not over"`
	AppliedAt time.Time `json:"applied_at"`
}

// Count is how often something was the case.
type Count struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// CampaignDetail is one campaign with what became of its journeys.
type CampaignDetail struct {
	CampaignSummary
	Source   string         `json:"source" doc:"the newest version's document"`
	Versions []VersionCount `json:"versions" doc:"the newest, and those with journeys inside"`
	Outcomes []Count        `json:"outcomes" doc:"how journeys ended"`
	Refusals []Count        `json:"refusals" doc:"why contacts did not enter, by reason"`
	Skips    []Count        `json:"skips" doc:"why messages were not sent, by reason"`
}

const campaignSummary = `SELECT c.name, c.state, c.version_no,
	(SELECT count(*) FROM journey j WHERE j.campaign_id = c.id AND j.state <> 'ended'),
	(SELECT count(*) FROM pending_entry p WHERE p.campaign_id = c.id), c.updated_at FROM campaign c `

// Campaigns lists campaigns by name.
func (s *Store) Campaigns(ctx context.Context, p Page) ([]CampaignSummary, error) {
	return list[CampaignSummary](ctx, s.Pool, "campaigns", campaignSummary+`WHERE c.name > $1 ORDER BY c.name LIMIT $2`, p.After, p.Limit)
}

// CampaignDetail shows one campaign. The error wraps ErrNotFound.
func (s *Store) CampaignDetail(ctx context.Context, name string) (d CampaignDetail, err error) {
	if d.CampaignSummary, err = one[CampaignSummary](ctx, s.Pool, "campaign "+name, campaignSummary+`WHERE c.name = $1`, name); err != nil {
		return d, err
	}
	err = s.Pool.QueryRow(ctx, `SELECT v.source FROM campaign c JOIN campaign_version v ON v.campaign_id = c.id AND v.no = c.version_no
		WHERE c.name = $1`, name).Scan(&d.Source)
	if err != nil && notFound(err) == err {
		return d, fmt.Errorf("reading campaign %s: %w", name, err)
	}
	if d.Versions, err = s.VersionCounts(ctx, s.Pool, name); err != nil {
		return d, err
	}
	for _, part := range []struct {
		into *[]Count
		what string
		sql  string
	}{
		{&d.Outcomes, "outcomes", `SELECT j.outcome, count(*) FROM journey j JOIN campaign c ON c.id = j.campaign_id
			WHERE c.name = $1 AND j.state = 'ended' GROUP BY 1 ORDER BY 2 DESC, 1`},
		{&d.Refusals, "refusals", `SELECT r.reason, count(*) FROM refusal r JOIN campaign c ON c.id = r.campaign_id
			WHERE c.name = $1 GROUP BY 1 ORDER BY 2 DESC, 1`},
		{&d.Skips, "skipped messages", `SELECT m.reason, count(*) FROM message m JOIN journey j ON j.id = m.journey_id JOIN campaign c ON c.id = j.campaign_id
			WHERE c.name = $1 AND m.state = 'skipped' GROUP BY 1 ORDER BY 2 DESC, 1`},
	} {
		if *part.into, err = list[Count](ctx, s.Pool, part.what, part.sql, name); err != nil {
			return d, err
		}
	}
	return d, nil
}

// VersionCounts says how many journeys are inside which version: the newest, and
// all that have any.
func (s *Store) VersionCounts(ctx context.Context, q Querier, name string) ([]VersionCount, error) {
	return list[VersionCount](ctx, q, "versions of "+name, `
		SELECT v.no, coalesce(n.journeys, 0), v.created_at FROM campaign c JOIN campaign_version v ON v.campaign_id = c.id
		LEFT JOIN (SELECT campaign_id, version_no, count(*) AS journeys FROM journey WHERE state <> 'ended' GROUP BY 1, 2) n
			ON n.campaign_id = v.campaign_id AND n.version_no = v.no
		WHERE c.name = $1 AND (v.no = c.version_no OR n.journeys > 0) ORDER BY v.no DESC`, name)
}

// States that a person sets a campaign to.
const (
	CampaignRunning  = "running"
	CampaignPaused   = "paused"   // nothing starts, due steps are held
	CampaignDraining = "draining" // nobody enters, journeys go on
	CampaignStopped  = "stopped"  // all journeys end
)

// SetCampaignState pauses, resumes, drains or stops a campaign, and tells the
// journeys that have to know: parked ones that they may go on, all of them that
// they are over. It returns how many were told.
func (s *Store) SetCampaignState(ctx context.Context, name, state, actor string) (told int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		var id int64
		if err := tx.QueryRow(ctx, `UPDATE campaign SET state = $2, updated_at = now() WHERE name = $1 RETURNING id`, name, state).Scan(&id); err != nil {
			return notFound(err)
		}
		signal, payload, which := "", any(struct{}{}), ""
		switch state {
		case CampaignRunning:
			signal, which = "resume", `j.state = 'parked' AND j.parked_reason = 'campaign_paused'`
		case CampaignStopped:
			signal, payload, which = "exit", map[string]string{"outcome": campaign.OutcomeStopped}, `j.state <> 'ended'`
			batch := &pgx.Batch{}
			s.refuseWaiting(batch, CampaignStopped, `INSERT INTO refusal (campaign_id, contact_id, event_id, reason) SELECT campaign_id, contact_id, event_id, $2
				FROM pending_entry WHERE campaign_id = $1 RETURNING campaign_id`, id, CampaignStopped)
			batch.Queue(`DELETE FROM pending_entry WHERE campaign_id = $1`, id)
			if err := tx.SendBatch(ctx, batch).Close(); err != nil {
				return err
			}
		}
		if signal != "" {
			if told, err = s.tellJourneys(ctx, tx, signal, payload, `j.campaign_id = $4 AND `+which, id); err != nil {
				return err
			}
		}
		return Audit(ctx, tx, actor, "campaign."+state, name, map[string]any{"journeys": told})
	})
	if err != nil {
		return 0, fmt.Errorf("setting campaign %s to %s: %w", name, state, err)
	}
	return told, nil
}

// tellJourneys enqueues one signal for each journey that a condition finds.
func (s *Store) tellJourneys(ctx context.Context, q Querier, signal string, payload any, where string, arg any) (int64, error) {
	tag, err := q.Exec(ctx, `INSERT INTO outbox (contact_id, journey_id, kind, name, payload)
		SELECT coalesce(c.merged_into, c.id), j.id, $1, $2, $3 FROM journey j JOIN contact c ON c.id = j.contact_id WHERE `+where,
		OutboxSignal, signal, payload, arg)
	if err != nil {
		return 0, fmt.Errorf("telling journeys to %s: %w", signal, err)
	}
	return tag.RowsAffected(), nil
}
