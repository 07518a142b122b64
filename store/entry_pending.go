package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// MaxDebounce bounds how long further events can put an entry off.
const MaxDebounce = 7 * 24 * time.Hour

// PendingEntry is an entry that waits out its debounce.
type PendingEntry struct {
	ID         int64
	CampaignID int64
	ContactID  string
	Key        []byte
	EventID    string // the newest
	FirstAt    time.Time
	DueAt      time.Time
	Trace      string
}

// PutPending writes a debounced entry, or replaces the event of the one with the
// same key and restarts its quiet time, at most until longest after its first
// event. An event that happened before the one that stands there only restarts
// the quiet time.
func (s *Store) PutPending(ctx context.Context, q Querier, e Entry, quiet, longest time.Duration) error {
	var id int64
	var newest bool
	err := q.QueryRow(ctx, `INSERT INTO pending_entry AS p (campaign_id, contact_id, entry_key, event_id, due_at, trace)
		VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5), $7)
		ON CONFLICT (campaign_id, contact_id, entry_key) DO UPDATE SET
			due_at = least(excluded.due_at, p.first_at + make_interval(secs => $6)), trace = excluded.trace,
			event_id = CASE WHEN (SELECT occurred_at FROM event WHERE id = excluded.event_id) >= (SELECT occurred_at FROM event WHERE id = p.event_id)
				THEN excluded.event_id ELSE p.event_id END
		RETURNING id, event_id = $4`,
		e.CampaignID, e.ContactID, e.Key, e.EventID, quiet.Seconds(), longest.Seconds(), e.Trace).Scan(&id, &newest)
	if err != nil {
		return fmt.Errorf("putting an entry off: %w", err)
	}
	if !newest {
		return nil
	}
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM match_key WHERE pending_entry_id = $1`, id)
	batch.Queue(`INSERT INTO match_key (hash, pending_entry_id) SELECT h, $2 FROM unnest($1::bytea[]) h`, e.Matches, id)
	return later(ctx, q, "putting an entry off", batch)
}

const pendingColumns = `id, campaign_id, contact_id, entry_key, event_id, first_at, due_at, trace`

// PendingEntries gives the debounced entries of a contact and those with the given
// ids.
func (s *Store) PendingEntries(ctx context.Context, q Querier, contactIDs []string, ids []int64) ([]PendingEntry, error) {
	return s.pending(ctx, q, `SELECT `+pendingColumns+` FROM pending_entry WHERE contact_id = ANY ($1) OR id = ANY ($2) ORDER BY id`,
		texts(contactIDs), notNil(ids))
}

// DueEntries gives debounced entries whose quiet time is over.
func (s *Store) DueEntries(ctx context.Context, q Querier, limit int) ([]PendingEntry, error) {
	return s.pending(ctx, q, `SELECT `+pendingColumns+` FROM pending_entry WHERE due_at <= now() ORDER BY due_at LIMIT $1`, limit)
}

// DeletePending removes a debounced entry: it entered, or was refused. It returns
// false where it was gone.
func (s *Store) DeletePending(ctx context.Context, q Querier, id int64) (bool, error) {
	tag, err := q.Exec(ctx, `DELETE FROM pending_entry WHERE id = $1`, id)
	if err != nil {
		return false, fmt.Errorf("removing a debounced entry: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

// PostponePending tries a due entry again later, when what stood in its way may
// have been mended.
func (s *Store) PostponePending(ctx context.Context, q Querier, id int64, wait time.Duration) error {
	if _, err := q.Exec(ctx, `UPDATE pending_entry SET due_at = now() + make_interval(secs => $2) WHERE id = $1`, id, wait.Seconds()); err != nil {
		return fmt.Errorf("postponing a debounced entry: %w", err)
	}
	return nil
}

func (s *Store) pending(ctx context.Context, q Querier, sql string, args ...any) ([]PendingEntry, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("loading debounced entries: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[PendingEntry])
	if err != nil {
		return nil, fmt.Errorf("loading debounced entries: %w", err)
	}
	return found, nil
}
