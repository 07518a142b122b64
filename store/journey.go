package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/event"
)

// Journey is one contact's way through one campaign version.
type Journey struct {
	ID             string
	CampaignID     int64
	Campaign       string
	CampaignState  string // running, paused, draining or stopped
	Version        int
	ContactID      string // resolved: never a merged contact
	EntryEventID   string
	TriggerEventID string
	EntryNo        int
	State          string // pending, running, parked or ended
	Outcome        string
	CreatedAt      time.Time
}

const journeyQuery = `
SELECT j.id, j.campaign_id, c.name, c.state, j.version_no, coalesce(ct.merged_into, ct.id),
       coalesce(j.entry_event_id, ''), coalesce(j.trigger_event_id, ''), j.entry_no, j.state, coalesce(j.outcome, ''), j.created_at
FROM journey j JOIN campaign c ON c.id = j.campaign_id JOIN contact ct ON ct.id = j.contact_id
WHERE j.id = $1`

// Journey loads a journey. The error wraps ErrNotFound where there is none.
func (s *Store) Journey(ctx context.Context, q Querier, id string) (*Journey, error) {
	j := &Journey{}
	if err := j.scan(q.QueryRow(ctx, journeyQuery, id)); err != nil {
		return nil, fmt.Errorf("loading journey %s: %w", id, err)
	}
	return j, nil
}

func (j *Journey) scan(row pgx.Row) error {
	return notFound(row.Scan(&j.ID, &j.CampaignID, &j.Campaign, &j.CampaignState, &j.Version, &j.ContactID,
		&j.EntryEventID, &j.TriggerEventID, &j.EntryNo, &j.State, &j.Outcome, &j.CreatedAt))
}

// JourneyAndContact loads a journey and whose it is. The error wraps ErrNotFound
// where there is none.
func (s *Store) JourneyAndContact(ctx context.Context, id string) (*Journey, *Contact, error) {
	j, c, batch := &Journey{}, &Contact{}, &pgx.Batch{}
	batch.Queue(journeyQuery, id).QueryRow(j.scan)
	batch.Queue(contactQuery+`(SELECT contact_id FROM journey WHERE id = $1)`, id).QueryRow(c.scan)
	if err := s.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, nil, fmt.Errorf("loading journey %s: %w", id, err)
	}
	return j, c, nil
}

// ParkJourney marks a journey as held by something a person or a refill has to
// mend, so that `resume` finds it. Parking an ended journey does nothing.
func (s *Store) ParkJourney(ctx context.Context, q Querier, id, step, reason string) error {
	_, err := q.Exec(ctx, `UPDATE journey SET state = 'parked', parked_step = $2, parked_reason = $3
		WHERE id = $1 AND state <> 'ended'`, id, step, reason)
	if err != nil {
		return fmt.Errorf("parking journey %s: %w", id, err)
	}
	return nil
}

// UnparkJourney marks a parked journey as running again.
func (s *Store) UnparkJourney(ctx context.Context, q Querier, id string) error {
	_, err := q.Exec(ctx, `UPDATE journey SET state = 'running', parked_step = NULL, parked_reason = NULL
		WHERE id = $1 AND state = 'parked'`, id)
	if err != nil {
		return fmt.Errorf("unparking journey %s: %w", id, err)
	}
	return nil
}

// Ending is how a journey ends.
type Ending struct {
	Journey string
	Outcome string // proposed
	// Settle lets a redemption that is on record win over the proposed outcome.
	Settle bool
	Step   string
}

// Ended is how it did end.
type Ended struct {
	Outcome  string
	Campaign string
	// Withdraw are codes made in a shop that nobody got to see.
	Withdraw []ShopCode
	// Unsent are the channels of messages that were to be tried again and won't be.
	Unsent []string
}

// EndJourney closes a journey: its outcome, its codes, its keys. Asked again it
// may overwrite its own earlier outcome with a truer one, never a label with
// less: a redemption that came meanwhile wins over the expiry.
func (s *Store) EndJourney(ctx context.Context, e Ending) (Ended, error) {
	var ended Ended
	err := s.InTx(ctx, func(tx *Tx) error {
		ended = Ended{}
		var unseen []int64
		tx.Later("locking the journey", `SELECT 1 FROM journey WHERE id = $1 FOR NO KEY UPDATE`, e.Journey)
		batch := &pgx.Batch{}
		batch.Queue(`UPDATE journey SET state = 'ended', ended_step = nullif($4, ''), ended_at = now(), parked_step = NULL, parked_reason = NULL,
				outcome = CASE WHEN $3 AND (EXISTS (SELECT 1 FROM redemption WHERE state = 'redeemed' AND journey_id = $1)
					OR EXISTS (SELECT 1 FROM assignment_share s,
						LATERAL (SELECT 1 FROM redemption r WHERE r.assignment_id = s.assignment_id AND r.state = 'redeemed' LIMIT 1) r
						WHERE s.journey_id = $1)) THEN 'redeemed' ELSE $2 END
			WHERE id = $1 RETURNING outcome, (SELECT name FROM campaign WHERE id = campaign_id)`,
			e.Journey, e.Outcome, e.Settle, e.Step).QueryRow(func(row pgx.Row) error { return notFound(row.Scan(&ended.Outcome, &ended.Campaign)) })
		batch.Queue(`DELETE FROM match_key WHERE journey_id = $1`, e.Journey)
		batch.Queue(`UPDATE message SET state = 'skipped', reason = 'journey_over', updated_at = now()
			WHERE journey_id = $1 AND state = 'reserved' AND NOT (kind = 'internal' AND resent > 0) RETURNING channel`, e.Journey).Query(func(rows pgx.Rows) (err error) {
			ended.Unsent, err = collect[string](rows)
			return err
		})
		batch.Queue(unseenCoupons, e.Journey).Query(func(rows pgx.Rows) (err error) {
			unseen, err = collect[int64](rows)
			return err
		})
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		var err error
		ended.Withdraw, err = s.returnCodesOfAll(ctx, tx, unseen, e.Journey)
		return err
	})
	if err != nil {
		return Ended{}, fmt.Errorf("ending journey %s: %w", e.Journey, err)
	}
	return ended, nil
}

// Event loads a stored event as conditions and templates see it: its fields, its
// id, type and time, and, if it is wanted, as raw the vendor's payload for as long as
// it is kept.
func (s *Store) Event(ctx context.Context, q Querier, id string, payload bool) (map[string]any, error) {
	if id == "" {
		return map[string]any{}, nil
	}
	var fields map[string]any
	var kind string
	var at time.Time
	var body []byte
	from := `NULL FROM event e`
	if payload {
		from = `d.body FROM event e LEFT JOIN delivery d ON d.id = e.delivery_id AND d.received_at = e.received_at`
	}
	err := q.QueryRow(ctx, `SELECT e.fields, e.type, e.occurred_at, `+from+` WHERE e.id = $1`, id).Scan(&fields, &kind, &at, &body)
	if err != nil {
		return nil, fmt.Errorf("loading event %s: %w", id, notFound(err))
	}
	if fields == nil {
		fields = map[string]any{}
	}
	fields["id"], fields["type"], fields["at"] = id, kind, at
	var raw any
	if fields["raw"] == nil && json.Unmarshal(body, &raw) == nil { // a form isn't JSON, and bodies are dropped in time
		fields["raw"] = raw
	}
	return fields, nil
}

// AddTags and RemoveTags are harmless when repeated.
func (s *Store) AddTags(ctx context.Context, q Querier, contactID string, tags []string) error {
	_, err := q.Exec(ctx, `UPDATE contact SET updated_at = now(),
		tags = (SELECT array_agg(DISTINCT t ORDER BY t) FROM unnest(tags || $2::text[]) t)
		WHERE id = $1 AND erased_at IS NULL AND NOT tags @> $2`, contactID, tags)
	if err != nil {
		return fmt.Errorf("adding tags: %w", err)
	}
	return nil
}

// RemoveTags takes tags off a contact.
func (s *Store) RemoveTags(ctx context.Context, q Querier, contactID string, tags []string) error {
	_, err := q.Exec(ctx, `UPDATE contact SET updated_at = now(),
		tags = coalesce((SELECT array_agg(t ORDER BY t) FROM unnest(tags) t WHERE t <> ALL ($2::text[])), '{}')
		WHERE id = $1 AND tags && $2`, contactID, tags)
	if err != nil {
		return fmt.Errorf("removing tags: %w", err)
	}
	return nil
}

// RaiseByHand puts an event about a journey's newest code before the dispatcher,
// as a webhook would: code.redeemed under the order, or under the journey where
// no order is named, or code.applied. It returns false where the journey has no
// code.
func (s *Store) RaiseByHand(ctx context.Context, kind, journeyID, order string) (bool, error) {
	raised := false
	err := s.InTx(ctx, func(tx *Tx) error {
		codes, err := s.JourneyCodes(ctx, tx, journeyID)
		if err != nil || len(codes) == 0 {
			return err
		}
		journey, err := s.Journey(ctx, tx, journeyID)
		if err != nil {
			return err
		}
		code := codes[len(codes)-1]
		coupon, err := s.Coupon(ctx, tx, code.Coupon)
		if err != nil {
			return err
		}
		e := event.Event{Type: kind, OccurredAt: time.Now().UTC(), Code: code.Code,
			Person: event.Person{Identities: []event.Identity{ContactIdentity(journey.ContactID)}}, Fields: map[string]any{"by_hand": true, "coupon": code.Coupon, "realm": coupon.Realm}}
		key := kind + ":manual:" + journeyID
		if kind == event.CodeRedeemed {
			e.Order = &event.Order{ID: order}
			if order == "" {
				e.Order.ID = ManualOrder(journeyID)
			} else {
				key += ":" + order
			}
			e.Fields["order_id"] = e.Order.ID
		}
		raised = true
		return RaiseEvent(ctx, tx, e, key)
	})
	if err != nil {
		return false, fmt.Errorf("recording %s by hand: %w", kind, err)
	}
	return raised, nil
}

// ManualOrder is the order key of a redemption that a person recorded without an
// order.
func ManualOrder(journeyID string) string { return "manual:" + journeyID }

// StepResult is what is kept of a step whose outcome conditions may ask for.
type StepResult struct {
	Status string `json:"status"` // done, skipped or failed
	Reason string `json:"reason"`
	JSON   any    `json:"json"`
	At     time.Time
}

// SaveStepResult keeps the first result of a step.
func (s *Store) SaveStepResult(ctx context.Context, journeyID, step string, r StepResult) error {
	_, err := s.Pool.Exec(ctx, `INSERT INTO step_result (journey_id, step, status, reason, json) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`, journeyID, step, r.Status, r.Reason, r.JSON)
	if err != nil {
		return fmt.Errorf("saving the result of step %s: %w", step, err)
	}
	return nil
}

// StepResults gives what became of a journey's steps so far, by step id.
func (s *Store) StepResults(ctx context.Context, q Querier, journeyID string) (map[string]StepResult, error) {
	rows, err := q.Query(ctx, `
		SELECT step, status, reason, json, at FROM step_result WHERE journey_id = $1
		UNION ALL
		SELECT step, CASE WHEN state IN ('accepted', 'parked', 'unknown', 'calling') THEN 'done'
		                  WHEN state = 'refused' THEN 'failed' ELSE 'skipped' END, reason, NULL, updated_at
		FROM message WHERE journey_id = $1 AND kind <> 'internal' AND state <> 'reserved'`, journeyID)
	if err != nil {
		return nil, fmt.Errorf("loading step results: %w", err)
	}
	results := map[string]StepResult{}
	var step string
	var r StepResult
	_, err = pgx.ForEachRow(rows, []any{&step, &r.Status, &r.Reason, &r.JSON, &r.At}, func() error {
		results[step] = r
		r = StepResult{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("loading step results: %w", err)
	}
	return results, nil
}

// notFound turns pgx's word for it into ours.
func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
