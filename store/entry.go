package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Reasons for which an entry is refused, besides the state of a campaign that
// isn't running: paused, draining or stopped.
const (
	RefusedWhere      = "where"
	RefusedExpression = "expression_error"
	RefusedCooldown   = "cooldown"
	RefusedEntered    = "already_entered"
	RefusedInside     = "inside"
	RefusedExited     = "already_exited" // an exit applied before the entry
	RefusedMeanwhile  = "exited"         // an exit applied while the entry waited out its debounce
	RefusedNoContact  = "no_contact"
	RefusedNoKey      = "no_key"
	RefusedUnreadable = "unreadable_version" // this build can't compile the campaign's version
	RefusedMerged     = "merged"             // the entry of another record of the person goes on
	RefusedErased     = "erased"
)

// EntryKey hashes the text from outside that identifies an entry.
func EntryKey(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// MatchHash is what a rule with `match` is found by: whose trigger had this value
// in this field.
func MatchHash(campaignID int64, field, value string) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s", campaignID, field, value))
	return sum[:]
}

// Refusal is an entry that did not happen.
type Refusal struct {
	CampaignID int64
	ContactID  string // "" where nobody is known
	EventID    string
	Reason     string
	Detail     string // without personal data
}

// Refuse records why somebody did not enter.
func (s *Store) Refuse(ctx context.Context, q Querier, r Refusal) error {
	return laterOne(ctx, q, "recording a refused entry", `INSERT INTO refusal (campaign_id, contact_id, event_id, reason, detail)
		VALUES ($1, nullif($2, ''), nullif($3, ''), $4, $5)`, r.CampaignID, r.ContactID, r.EventID, r.Reason, r.Detail)
}

// refuseWaiting queues a statement that refuses entries which waited out their
// debounce; it has to return their campaigns' ids.
func (s *Store) refuseWaiting(batch *pgx.Batch, reason, statement string, args ...any) {
	batch.Queue(`WITH refused AS (`+statement+`) SELECT c.name FROM refused r JOIN campaign c ON c.id = r.campaign_id`, args...).Query(func(rows pgx.Rows) error {
		campaigns, err := collect[string](rows)
		for _, name := range campaigns {
			if s.Refused != nil {
				s.Refused(name, reason)
			}
		}
		return err
	})
}

// Entered is what is known about a contact's entries into one campaign.
type Entered struct {
	SameKey     bool          // the key entered before
	SameKeyOpen string        // the journey of this key, while it isn't over
	Open        []string      // journeys that aren't over, oldest first
	Since       time.Duration // since the last one, if Entries; by the database's clock, which wrote it
	Entries     int
	PendingID   int64 // the debounced entry of this key; 0 without one
}

// Entered looks up a contact's entries into a campaign, those made under the ids
// of merged contacts included.
func (s *Store) Entered(ctx context.Context, q Querier, campaignID int64, c *Contact, key []byte) (Entered, error) {
	var e Entered
	var seconds float64
	// What is the person's is looked up id by id: a plan made of old statistics might
	// go through all that is the campaign's.
	err := q.QueryRow(ctx, `WITH own AS (SELECT id FROM unnest($2::text[]) id),
			entry AS (SELECT e.* FROM own, LATERAL (SELECT last_entered_at, entries FROM campaign_entry
				WHERE campaign_id = $1 AND contact_id = own.id LIMIT 1) e),
			open AS MATERIALIZED (SELECT * FROM journey WHERE contact_id = ANY ($2) AND state <> 'ended')
		SELECT
			EXISTS (SELECT 1 FROM own, LATERAL (SELECT 1 FROM journey WHERE campaign_id = $1 AND contact_id = own.id AND entry_key = $3 LIMIT 1) same),
			coalesce((SELECT id FROM open WHERE campaign_id = $1 AND entry_key = $3 LIMIT 1), ''),
			ARRAY(SELECT id FROM open WHERE campaign_id = $1 ORDER BY created_at, id),
			coalesce((SELECT extract(epoch FROM now() - max(last_entered_at)) FROM entry), 0)::float8,
			coalesce((SELECT max(entries) FROM entry), 0),
			coalesce((SELECT p.id FROM own, LATERAL (SELECT id FROM pending_entry WHERE campaign_id = $1 AND contact_id = own.id AND entry_key = $3 LIMIT 1) p LIMIT 1), 0)`,
		campaignID, c.IDs(), key).Scan(&e.SameKey, &e.SameKeyOpen, &e.Open, &seconds, &e.Entries, &e.PendingID)
	if err != nil {
		return e, fmt.Errorf("looking up entries: %w", err)
	}
	e.Since = time.Duration(seconds * float64(time.Second))
	return e, nil
}

// Entry is one contact coming into one campaign version.
type Entry struct {
	CampaignID int64
	Version    int
	ContactID  string
	Key        []byte
	EventID    string
	Matches    [][]byte // MatchHash of the values that other people's events are matched by
	Trace      string
}

// Enter writes a journey with everything that belongs to it, and asks for its
// workflow, in the caller's transaction. It returns the journey's id.
func (s *Store) Enter(ctx context.Context, q Querier, e Entry) (string, error) {
	id := NewID(JourneyID)
	batch := &pgx.Batch{}
	batch.Queue(`WITH entry AS (
			INSERT INTO campaign_entry AS e (campaign_id, contact_id, last_entered_at, entries) VALUES ($2, $4, now(), 1)
			ON CONFLICT (campaign_id, contact_id) DO UPDATE SET last_entered_at = now(), entries = e.entries + 1 RETURNING entries)
		INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, entry_event_id, trigger_event_id)
		SELECT $1, $2, $3, $4, $5, entries, $6, $6 FROM entry`, id, e.CampaignID, e.Version, e.ContactID, e.Key, e.EventID)
	batch.Queue(`INSERT INTO match_key (hash, journey_id) SELECT h, $2 FROM unnest($1::bytea[]) h`, e.Matches, id)
	batch.Queue(`INSERT INTO outbox (contact_id, journey_id, kind, trace) VALUES ($1, $2, 'start', $3)`, e.ContactID, id, e.Trace)
	return id, later(ctx, q, fmt.Sprint("entering campaign ", e.CampaignID), batch)
}

// SetTrigger makes an event the trigger of a journey that is under way.
func (s *Store) SetTrigger(ctx context.Context, q Querier, journeyID, eventID string, matches [][]byte) error {
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE journey SET trigger_event_id = $2 WHERE id = $1`, journeyID, eventID)
	batch.Queue(`DELETE FROM match_key WHERE journey_id = $1`, journeyID)
	batch.Queue(`INSERT INTO match_key (hash, journey_id) SELECT h, $2 FROM unnest($1::bytea[]) h`, matches, journeyID)
	return later(ctx, q, "updating a journey's trigger", batch)
}

// OpenJourney is a journey that an event may concern.
type OpenJourney struct {
	ID             string
	CampaignID     int64
	Version        int
	ContactID      string // resolved
	EntryEventID   string
	TriggerEventID string // the newest, with `while_inside: update`
	EntryNo        int
	CreatedAt      time.Time
}

// OpenJourneys gives the journeys that aren't over: those of a contact (with the
// contacts merged into it), and those with the given ids.
func (s *Store) OpenJourneys(ctx context.Context, q Querier, contactIDs, journeyIDs []string) ([]OpenJourney, error) {
	rows, err := q.Query(ctx, `WITH j AS MATERIALIZED (SELECT * FROM journey WHERE state <> 'ended' AND contact_id = ANY ($1)
			UNION SELECT * FROM journey WHERE state <> 'ended' AND id = ANY ($2))
		SELECT j.id, j.campaign_id, j.version_no, coalesce(c.merged_into, c.id), coalesce(j.entry_event_id, ''),
			coalesce(j.trigger_event_id, ''), j.entry_no, j.created_at
		FROM j JOIN contact c ON c.id = j.contact_id ORDER BY j.created_at, j.id`, texts(contactIDs), texts(journeyIDs))
	if err != nil {
		return nil, fmt.Errorf("looking for open journeys: %w", err)
	}
	open, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OpenJourney])
	if err != nil {
		return nil, fmt.Errorf("looking for open journeys: %w", err)
	}
	return open, nil
}

// Matched gives whose triggers hold one of the values: journeys and debounced
// entries.
func (s *Store) Matched(ctx context.Context, q Querier, hashes [][]byte) (journeys []string, pending []int64, err error) {
	if len(hashes) == 0 {
		return nil, nil, nil
	}
	err = q.QueryRow(ctx, `SELECT array_agg(DISTINCT journey_id) FILTER (WHERE journey_id IS NOT NULL),
			array_agg(DISTINCT pending_entry_id) FILTER (WHERE pending_entry_id IS NOT NULL) FROM match_key WHERE hash = ANY ($1)`, hashes).
		Scan(&journeys, &pending)
	if err != nil {
		return nil, nil, fmt.Errorf("looking for matching journeys: %w", err)
	}
	return journeys, pending, nil
}

func texts(values []string) []string {
	if values == nil {
		return []string{}
	}
	return values
}
