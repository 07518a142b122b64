package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// LongOpenJourneys gives up to limit journeys that have been open for an hour or more,
// going on where the last call stopped, so that every journey has its turn.
func (s *Store) LongOpenJourneys(ctx context.Context, limit int) ([]Journey, error) {
	var journeys []Journey
	err := s.InTx(ctx, func(tx *Tx) error {
		var after string
		err := tx.QueryRow(ctx, `SELECT coalesce((SELECT value->>'after' FROM setting WHERE name = 'upkeep_cursor'), '')`).Scan(&after)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT j.id, c.name FROM journey j JOIN campaign c ON c.id = j.campaign_id
			WHERE j.id > $1 AND j.state IN ('running', 'parked') AND j.driver = 'solo' AND j.started_at < now() - interval '1 hour'
			ORDER BY j.id LIMIT $2`, after, limit)
		if err != nil {
			return err
		}
		journeys, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (j Journey, err error) {
			return j, row.Scan(&j.ID, &j.Campaign)
		})
		if err != nil {
			return err
		}
		after = ""
		if len(journeys) == limit {
			after = journeys[limit-1].ID
		}
		_, err = tx.Exec(ctx, `INSERT INTO setting (name, value) VALUES ('upkeep_cursor', jsonb_build_object('after', $1::text))
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, after)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing open journeys: %w", err)
	}
	return journeys, nil
}

// RestartForgotten puts journeys before the dispatcher again that have been pending
// for longer than age with nothing in the outbox to start them.
func (s *Store) RestartForgotten(ctx context.Context, age time.Duration) (int, error) {
	tag, err := s.Pool.Exec(ctx, `INSERT INTO outbox (contact_id, journey_id, kind)
		SELECT contact_id, id, 'start' FROM journey j
		WHERE state = 'pending' AND driver = 'solo' AND created_at < now() - $1::interval
		AND NOT EXISTS (SELECT 1 FROM outbox WHERE journey_id = j.id)`, age)
	if err != nil {
		return 0, fmt.Errorf("restarting forgotten entries: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// DropOld empties vendors' payloads older than keep, drops what only makes
// redelivery harmless after ninety days, answers of idempotent requests after two
// days, and prepares the partitions of the months to come.
func (s *Store) DropOld(ctx context.Context, keep time.Duration) (int, error) {
	dropped := 0
	statements := []struct {
		sql  string
		args []any
	}{
		{`UPDATE delivery d SET body = NULL, meta = NULL FROM (
			SELECT id, received_at FROM delivery WHERE received_at < now() - $1::interval AND body IS NOT NULL LIMIT 5000) old
			WHERE d.id = old.id AND d.received_at = old.received_at`, []any{keep}},
		{`DELETE FROM delivery_body WHERE received_at < now() - interval '7 days'`, nil},
		{`DELETE FROM delivery_key WHERE ctid IN (SELECT ctid FROM delivery_key WHERE received_at < now() - interval '90 days' LIMIT 5000)`, nil},
		{`DELETE FROM idempotency_key WHERE at < now() - interval '2 days'`, nil},
		{`DELETE FROM hold WHERE until < now() - interval '1 day'`, nil},
		{`DELETE FROM message_evidence WHERE at < now() - interval '2 days'`, nil},
	}
	for _, statement := range statements {
		tag, err := s.Pool.Exec(ctx, statement.sql, statement.args...)
		if err != nil {
			return dropped, fmt.Errorf("dropping what is no longer kept: %w", err)
		}
		dropped += int(tag.RowsAffected())
	}
	return dropped, s.preparePartitions(ctx, time.Now())
}

// preparePartitions makes the delivery partitions of the next two months. The
// present month's rows may already lie in the rest partition; it stays there.
func (s *Store) preparePartitions(ctx context.Context, now time.Time) error {
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	for i := 1; i <= 2; i++ {
		from, to := month.AddDate(0, i, 0), month.AddDate(0, i+1, 0)
		_, err := s.Pool.Exec(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS delivery_%s PARTITION OF delivery FOR VALUES FROM ('%s') TO ('%s')`,
			from.Format("2006_01"), from.Format(time.DateOnly), to.Format(time.DateOnly)))
		if err != nil {
			return fmt.Errorf("preparing the partition of %s: %w", from.Format("2006-01"), err)
		}
	}
	return nil
}
