package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
)

// mergeContacts makes two contacts one person and returns the older one's id,
// which is the person's from now on. Addresses and events move there, the
// stricter consent wins, suppressions hang on the addresses. Journeys, messages
// and redemptions keep their rows; they are found through merged_into. Where both
// are inside the same campaign, the younger contact's journey ends.
func (s *Store) mergeContacts(ctx context.Context, q Querier, a, b string) (string, error) {
	rows, err := q.Query(ctx, `SELECT id FROM (SELECT id, created_at FROM contact WHERE id IN ($1, $2) AND merged_into IS NULL FOR UPDATE) c
		ORDER BY created_at, id`, a, b)
	if err != nil {
		return "", fmt.Errorf("merging contacts: %w", err)
	}
	ids, err := collect[string](rows)
	if err != nil {
		return "", fmt.Errorf("merging contacts: %w", err)
	}
	if len(ids) < 2 { // merged meanwhile
		return a, nil
	}
	winner, loser := ids[0], ids[1]
	if err := s.endCollidingJourneys(ctx, q, winner, loser); err != nil {
		return "", err
	}
	batch := &pgx.Batch{}
	// Of two debounced entries with the same key the one that goes on longer stays.
	s.refuseWaiting(batch, RefusedMerged, `INSERT INTO refusal (campaign_id, contact_id, event_id, reason) SELECT l.campaign_id, $1, l.event_id, $3
		FROM pending_entry l JOIN pending_entry w USING (campaign_id, entry_key) WHERE l.contact_id = $2 AND w.contact_id = $1 RETURNING campaign_id`,
		winner, loser, RefusedMerged)
	for _, statement := range mergeStatements {
		batch.Queue(statement, winner, loser)
	}
	if err := q.SendBatch(ctx, batch).Close(); err != nil {
		return "", fmt.Errorf("merging contacts: %w", err)
	}
	return winner, nil
}

// mergeStatements take the winner's id as $1 and the loser's as $2.
var mergeStatements = []string{
	`INSERT INTO consent AS c (contact_id, channel, state, source, at) SELECT $1, channel, state, source, at FROM consent WHERE contact_id = $2
		ON CONFLICT (contact_id, channel) DO UPDATE SET state = excluded.state, source = excluded.source, at = excluded.at
		WHERE array_position(ARRAY['granted', 'pending', 'denied'], excluded.state) > array_position(ARRAY['granted', 'pending', 'denied'], c.state)`,
	`DELETE FROM consent WHERE contact_id = $2 AND $1 <> ''`,
	`UPDATE identity SET contact_id = $1 WHERE contact_id = $2`,
	`UPDATE event SET contact_id = $1 WHERE contact_id = $2`,
	`UPDATE contact w SET updated_at = now(),
		first_name = CASE WHEN w.first_name = '' THEN l.first_name ELSE w.first_name END,
		last_name = CASE WHEN w.last_name = '' THEN l.last_name ELSE w.last_name END,
		locale = CASE WHEN w.locale = '' THEN l.locale ELSE w.locale END,
		time_zone = CASE WHEN w.time_zone = '' THEN l.time_zone ELSE w.time_zone END,
		country = CASE WHEN w.country = '' THEN l.country ELSE w.country END,
		tags = ARRAY(SELECT DISTINCT t FROM unnest(w.tags || l.tags) t ORDER BY t),
		attributes = l.attributes || w.attributes, profile_at = greatest(w.profile_at, l.profile_at)
		FROM contact l WHERE w.id = $1 AND l.id = $2`,
	`UPDATE contact SET merged_into = $1 WHERE id = $2 OR merged_into = $2`,
	`UPDATE pending_entry w SET due_at = greatest(w.due_at, l.due_at), event_id = CASE WHEN l.due_at > w.due_at THEN l.event_id ELSE w.event_id END
		FROM pending_entry l WHERE w.contact_id = $1 AND l.contact_id = $2 AND l.campaign_id = w.campaign_id AND l.entry_key = w.entry_key`,
	`DELETE FROM pending_entry l USING pending_entry w
		WHERE l.contact_id = $2 AND w.contact_id = $1 AND l.campaign_id = w.campaign_id AND l.entry_key = w.entry_key`,
	`UPDATE pending_entry SET contact_id = $1 WHERE contact_id = $2`,
	`INSERT INTO campaign_entry AS e (campaign_id, contact_id, last_entered_at, entries)
		SELECT campaign_id, $1, last_entered_at, entries FROM campaign_entry WHERE contact_id = $2
		ON CONFLICT (campaign_id, contact_id) DO UPDATE SET entries = e.entries + excluded.entries,
		last_entered_at = greatest(e.last_entered_at, excluded.last_entered_at)`,
	`UPDATE refusal SET contact_id = $1 WHERE contact_id = $2`,
	`UPDATE outbox SET contact_id = $1 WHERE contact_id = $2`,
	`INSERT INTO coupon_contact_use AS u (coupon_id, contact_id, uses) SELECT coupon_id, $1, uses FROM coupon_contact_use WHERE contact_id = $2
		ON CONFLICT (coupon_id, contact_id) DO UPDATE SET uses = u.uses + excluded.uses`,
	`DELETE FROM coupon_contact_use WHERE contact_id = $2 AND $1 <> ''`,
	// A code that belongs to the person is found under the person's id.
	`UPDATE assignment a SET claim_key = replace(claim_key, 'contact:' || $2 || '/', 'contact:' || $1 || '/')
		WHERE contact_id = $2 AND claim_key LIKE 'contact:' || $2 || '/%' AND NOT EXISTS (SELECT 1 FROM assignment w
			WHERE w.claim_key = replace(a.claim_key, 'contact:' || $2 || '/', 'contact:' || $1 || '/'))`,
}

// endCollidingJourneys ends the loser's journeys in campaigns in which the winner
// has one too, unless the campaign lets a contact be inside several times.
func (s *Store) endCollidingJourneys(ctx context.Context, q Querier, winner, loser string) error {
	rows, err := q.Query(ctx, `SELECT l.id, l.campaign_id, l.version_no, l.entry_key = w.entry_key
		FROM journey l JOIN journey w ON w.campaign_id = l.campaign_id AND w.state <> 'ended'
		WHERE l.state <> 'ended' AND (l.contact_id = $2 OR l.contact_id IN (SELECT id FROM contact WHERE merged_into = $2))
			AND (w.contact_id = $1 OR w.contact_id IN (SELECT id FROM contact WHERE merged_into = $1))`, winner, loser)
	if err != nil {
		return fmt.Errorf("looking for colliding journeys: %w", err)
	}
	type collision struct {
		Journey    string
		CampaignID int64
		Version    int
		SameKey    bool
	}
	collisions, err := pgx.CollectRows(rows, pgx.RowToStructByPos[collision])
	if err != nil {
		return fmt.Errorf("looking for colliding journeys: %w", err)
	}
	ended := map[string]bool{}
	for _, c := range collisions {
		v, err := s.Version(ctx, q, c.CampaignID, c.Version)
		if err != nil {
			return err
		}
		if ended[c.Journey] || (v.Campaign.Entry.WhileInside == campaign.Parallel && !c.SameKey) {
			continue
		}
		ended[c.Journey] = true
		if err := s.EnqueueSignal(ctx, q, c.Journey, "exit", map[string]string{"outcome": campaign.OutcomeMerged}); err != nil {
			return err
		}
	}
	return nil
}
