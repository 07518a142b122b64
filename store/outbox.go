package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Kinds of outbox rows.
const (
	OutboxStart  = "start"
	OutboxSignal = "signal"
	OutboxCancel = "cancel"
)

// OutboxRow is one thing that Temporal still has to be told.
type OutboxRow struct {
	ID        int64
	Lane      string // the contact: rows of one lane are delivered in order of id
	JourneyID string
	Campaign  string
	Kind      string // OutboxStart …
	Name      string // the signal's
	Payload   json.RawMessage
	Trace     string // W3C traceparent
	CreatedAt time.Time
}

// EnqueueSignal tells a journey something, in the transaction of its cause. It
// reaches the workflow after everything that was enqueued for this contact
// before. A journey that is over by then is not told.
func (s *Store) EnqueueSignal(ctx context.Context, q Querier, journeyID, name string, payload any) error {
	return s.Enqueue(ctx, q, OutboxRow{JourneyID: journeyID, Kind: OutboxSignal, Name: name}, payload)
}

// EnqueueStart asks for a journey's workflow.
func (s *Store) EnqueueStart(ctx context.Context, q Querier, journeyID, trace string) error {
	return s.Enqueue(ctx, q, OutboxRow{JourneyID: journeyID, Kind: OutboxStart, Trace: trace}, struct{}{})
}

// EnqueueCancel asks Temporal to cancel a journey's workflow.
func (s *Store) EnqueueCancel(ctx context.Context, q Querier, journeyID string) error {
	return s.Enqueue(ctx, q, OutboxRow{JourneyID: journeyID, Kind: OutboxCancel}, struct{}{})
}

// Enqueue writes one outbox row; its lane follows from the journey.
func (s *Store) Enqueue(ctx context.Context, q Querier, row OutboxRow, payload any) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encoding the payload of %s: %w", row.Name, err)
	}
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO outbox (contact_id, journey_id, kind, name, payload, trace)
		SELECT coalesce(c.merged_into, c.id), j.id, $2, $3, $4, $5 FROM journey j JOIN contact c ON c.id = j.contact_id WHERE j.id = $1`,
		row.JourneyID, row.Kind, row.Name, body, row.Trace).Exec(func(written pgconn.CommandTag) error {
		if written.RowsAffected() == 0 {
			return fmt.Errorf("looking up journey %s: %w", row.JourneyID, ErrNotFound)
		}
		return nil
	})
	return later(ctx, q, "enqueueing "+row.Kind+" "+row.Name, batch)
}

// OutboxRows gives the next rows to deliver, in order of id, without those of the
// lanes that are being delivered and of journeys that are held.
func (s *Store) OutboxRows(ctx context.Context, busy []string, limit int) ([]OutboxRow, error) {
	rows, err := s.Pool.Query(ctx, `SELECT o.id, o.contact_id, o.journey_id, c.name, o.kind, o.name, o.payload, o.trace, o.created_at
		FROM outbox o JOIN journey j ON j.id = o.journey_id JOIN campaign c ON c.id = j.campaign_id
		WHERE NOT EXISTS (SELECT 1 FROM outbox held WHERE held.journey_id = o.journey_id AND held.not_before > now()) AND o.contact_id <> ALL ($1) ORDER BY o.id LIMIT $2`, busy, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	defer rows.Close()
	var found []OutboxRow
	for rows.Next() {
		var r OutboxRow
		if err := rows.Scan(&r.ID, &r.Lane, &r.JourneyID, &r.Campaign, &r.Kind, &r.Name, &r.Payload, &r.Trace, &r.CreatedAt); err != nil {
			return nil, fmt.Errorf("reading the outbox: %w", err)
		}
		found = append(found, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	return found, nil
}

// HoldOutbox keeps what a journey's workflow still has to be told for a while, in
// its order.
func (s *Store) HoldOutbox(ctx context.Context, journeyID string, wait time.Duration) error {
	_, err := s.Pool.Exec(ctx, `UPDATE outbox SET not_before = now() + $2::interval WHERE journey_id = $1`, journeyID, wait)
	if err != nil {
		return fmt.Errorf("holding outbox rows: %w", err)
	}
	return nil
}

// AcknowledgeOutbox deletes rows that Temporal has taken; journeys whose start is
// among them run from now on, unless a worker was faster and has parked them. The error is ErrDeposed where the lease is lost.
func (s *Store) AcknowledgeOutbox(ctx context.Context, l Lease, ids []int64) error {
	var held bool
	err := s.Pool.QueryRow(ctx, `WITH held AS (SELECT 1 FROM lease WHERE name = $1 AND epoch = $2 FOR KEY SHARE),
		gone AS (DELETE FROM outbox WHERE id = ANY ($3) AND EXISTS (SELECT 1 FROM held) RETURNING journey_id, kind),
		started AS (UPDATE journey j SET state = CASE j.state WHEN 'pending' THEN 'running' ELSE j.state END, started_at = now() FROM gone
			WHERE gone.kind = 'start' AND j.id = gone.journey_id AND j.started_at IS NULL AND j.state <> 'ended')
		SELECT EXISTS (SELECT 1 FROM held)`, l.Name, l.Epoch, ids).Scan(&held)
	if err != nil {
		return fmt.Errorf("acknowledging outbox rows: %w", err)
	}
	if !held {
		return ErrDeposed
	}
	return nil
}

// OutboxLag is how long the oldest row has been waiting and how many there are.
func (s *Store) OutboxLag(ctx context.Context) (oldest time.Duration, rows int64, err error) {
	var seconds float64
	err = s.Pool.QueryRow(ctx, `SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8, count(*) FROM outbox`).Scan(&seconds, &rows)
	if err != nil {
		return 0, 0, fmt.Errorf("measuring the outbox: %w", err)
	}
	return time.Duration(seconds * float64(time.Second)), rows, nil
}
