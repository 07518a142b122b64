package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/event"
)

// deliveryRank orders what vendors tell, because they tell it in any order: a
// message's delivery only ever moves up.
const deliveryRank = `array_position(ARRAY['accepted', 'deferred', 'failed', 'bounced', 'delivered', 'opened', 'clicked',
	'unsubscribed', 'complained'], %s)`

// RecordEvidence takes what a vendor told about a message after the call. It
// wins over every other knowledge of whether the message was accepted, also of one
// that was refused or skipped after an earlier attempt had got through, and wakes
// a journey that was parked on not knowing. connections are those of the account
// that tells. Evidence about messages of other systems is ignored, and so is what
// is told of another account's message: whoever may sign for one account has no say
// over what another one sent.
//
// It takes all that came in together in one round trip, in its order.
func (s *Store) RecordEvidence(ctx context.Context, q Querier, connections []string, evidence ...event.Evidence) error {
	messages := make([]told, len(evidence))
	batch := &pgx.Batch{}
	for i, ev := range evidence {
		column, value := "id", ev.MessageID
		if value == "" {
			column, value = "vendor_id", ev.VendorID
		}
		batch.Queue(`
			WITH found AS (SELECT id, state FROM message WHERE connection = ANY ($2) AND `+column+` = $1 FOR UPDATE)
			UPDATE message m SET
				state = CASE WHEN m.attempt > 0 THEN 'accepted' ELSE m.state END,
				accepted_at = coalesce(m.accepted_at, $5),
				reason = CASE WHEN m.attempt > 0 THEN '' ELSE m.reason END,
				vendor_id = coalesce(m.vendor_id, nullif($3, '')),
				delivery = CASE WHEN coalesce(`+fmt.Sprintf(deliveryRank, "m.delivery")+`, 0) < `+fmt.Sprintf(deliveryRank, "$4::text")+` THEN $4 ELSE m.delivery END,
				delivered_at = CASE WHEN $4 = 'delivered' THEN coalesce(m.delivered_at, $5) ELSE m.delivered_at END,
				updated_at = now()
			FROM found WHERE m.id = found.id
			RETURNING coalesce(m.journey_id, ''), coalesce(m.assignment_id, 0), found.state`,
			value, connections, ev.VendorID, ev.Status, ev.At).QueryRow(messages[i].scan)
	}
	err := q.SendBatch(ctx, batch).Close()
	for i, ev := range evidence {
		if err == nil {
			err = s.follow(ctx, q, connections, ev, messages[i])
		}
	}
	if err != nil {
		return fmt.Errorf("recording delivery evidence: %w", err)
	}
	return nil
}

// told is the message that a vendor told of, as it was.
type told struct {
	journeyID    string
	assignmentID int64
	before       string // its state; "" for none of ours
}

func (t *told) scan(row pgx.Row) error {
	if err := row.Scan(&t.journeyID, &t.assignmentID, &t.before); !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return nil
}

// follow does what evidence leads to besides its message's new state.
func (s *Store) follow(ctx context.Context, q Querier, connections []string, ev event.Evidence, of told) error {
	switch {
	case of.before == "" && ev.MessageID == "" && ev.VendorID != "":
		// The callback overtook the answer to the call: keep it until that is known.
		_, err := q.Exec(ctx, `INSERT INTO message_evidence (connection, vendor_id, status, at) SELECT connection, $2, $3, $4 FROM unnest($1::text[]) AS connection
			ON CONFLICT DO NOTHING`, connections, ev.VendorID, ev.Status, ev.At)
		return err
	case of.journeyID != "" && (of.before == MessageUnknown || of.before == MessageParked):
		return s.EnqueueSignal(ctx, q, of.journeyID, "resume", nil)
	case of.assignmentID != 0 && slices.Contains([]string{MessageReserved, MessageRefused, MessageSkipped}, of.before):
		// The vendor had taken it after all, and somebody may have the code.
		if err := s.Expose(ctx, q, of.assignmentID); !errors.Is(err, ErrUnusable) {
			return err
		}
	}
	return nil
}

// applyEarlyEvidence takes what a vendor told of a message before the answer to the
// call was written down.
func (s *Store) applyEarlyEvidence(ctx context.Context, connection, vendorID string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, `DELETE FROM message_evidence WHERE connection = $1 AND vendor_id = $2 RETURNING status, at`, connection, vendorID)
		if err != nil {
			return err
		}
		early, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (event.Evidence, error) {
			ev := event.Evidence{VendorID: vendorID}
			return ev, row.Scan(&ev.Status, &ev.At)
		})
		if err != nil {
			return err
		}
		return s.RecordEvidence(ctx, tx, []string{connection}, early...)
	})
	if err != nil {
		return fmt.Errorf("taking early delivery evidence: %w", err)
	}
	return nil
}

// lateEvidence is how many messages one upkeep looks at.
const lateEvidence = 500

// ApplyEarlyEvidence takes the evidence that was left lying: it came in the moment
// in which its message's acceptance was written down, or the process died between
// the two.
func (s *Store) ApplyEarlyEvidence(ctx context.Context) error {
	rows, err := s.Pool.Query(ctx, `SELECT DISTINCT e.connection, e.vendor_id FROM message_evidence e,
		LATERAL (SELECT 1 FROM message m WHERE m.connection = e.connection AND m.vendor_id = e.vendor_id LIMIT 1) m LIMIT $1`, lateEvidence)
	if err != nil {
		return fmt.Errorf("looking for early delivery evidence: %w", err)
	}
	type key struct{ Connection, VendorID string }
	known, err := pgx.CollectRows(rows, pgx.RowToStructByPos[key])
	if err != nil {
		return fmt.Errorf("looking for early delivery evidence: %w", err)
	}
	for _, k := range known {
		if err := s.applyEarlyEvidence(ctx, k.Connection, k.VendorID); err != nil {
			return err
		}
	}
	return nil
}
