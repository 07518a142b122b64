package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// DeadLetter is a delivery that could not be dispatched.
type DeadLetter struct {
	DeliveryID int64
	ReceivedAt time.Time
	Connection string
	Topic      string
	Reason     string // a sentence without personal data
	At         time.Time
	ReplayedAt *time.Time // nil while nobody has replayed it
}

// BuryDelivery moves a delivery from the queue to the dead letters.
func (s *Store) BuryDelivery(ctx context.Context, q Querier, d Delivery, reason string) error {
	_, err := q.Exec(ctx, `WITH gone AS (DELETE FROM delivery_queue WHERE delivery_id = $1)
		INSERT INTO dead_letter (delivery_id, received_at, connection, topic, reason) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (delivery_id) DO UPDATE SET reason = excluded.reason, at = now(), replayed_at = NULL`,
		d.ID, d.ReceivedAt, d.Connection, d.Topic, reason)
	if err != nil {
		return fmt.Errorf("writing a dead letter: %w", err)
	}
	return nil
}

// DeadLetters lists what was not replayed yet, newest first, from before a
// delivery id (0: from the newest).
func (s *Store) DeadLetters(ctx context.Context, before int64, limit int) ([]DeadLetter, error) {
	rows, err := s.Pool.Query(ctx, `SELECT delivery_id, received_at, connection, topic, reason, at, replayed_at FROM dead_letter
		WHERE replayed_at IS NULL AND ($1::bigint = 0 OR delivery_id < $1) ORDER BY delivery_id DESC LIMIT $2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("listing dead letters: %w", err)
	}
	letters, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DeadLetter])
	if err != nil {
		return nil, fmt.Errorf("listing dead letters: %w", err)
	}
	return letters, nil
}

// ReplayDeadLetters puts dead letters before the dispatcher again; no ids means
// all of them. It returns how many. Those whose body is gone stay.
func (s *Store) ReplayDeadLetters(ctx context.Context, ids []int64) (int64, error) {
	tag, err := s.Pool.Exec(ctx, `WITH again AS (
			UPDATE dead_letter l SET replayed_at = now() FROM delivery d
			WHERE d.id = l.delivery_id AND d.received_at = l.received_at AND d.body IS NOT NULL
			AND l.replayed_at IS NULL AND (cardinality($1::bigint[]) = 0 OR l.delivery_id = ANY ($1)) RETURNING l.delivery_id, l.received_at)
		INSERT INTO delivery_queue (delivery_id, received_at) SELECT delivery_id, received_at FROM again ON CONFLICT DO NOTHING`, notNil(ids))
	if err != nil {
		return 0, fmt.Errorf("replaying dead letters: %w", err)
	}
	return tag.RowsAffected(), nil
}

func notNil(ids []int64) []int64 {
	if ids == nil {
		return []int64{}
	}
	return ids
}
