package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AuditEntry is one thing that was done by hand. It holds ids only.
type AuditEntry struct {
	ID      int64
	At      time.Time
	Actor   string         // key:<id>, cli or system
	Action  string         // campaign.pause
	Subject string         // what it was done to: a name or an id
	Detail  map[string]any // without personal data
}

// Audit writes down who did what, in the transaction of the deed.
func Audit(ctx context.Context, q Querier, actor, action, subject string, detail map[string]any) error {
	if detail == nil {
		detail = map[string]any{}
	}
	if _, err := q.Exec(ctx, `INSERT INTO audit (actor, action, subject, detail) VALUES ($1, $2, $3, $4)`, actor, action, subject, detail); err != nil {
		return fmt.Errorf("writing the audit trail: %w", err)
	}
	return nil
}

// AuditTrail lists what was done, the newest first, from before an id (0: from
// the newest).
func (s *Store) AuditTrail(ctx context.Context, before int64, limit int) ([]AuditEntry, error) {
	rows, err := s.Pool.Query(ctx, `SELECT id, at, actor, action, subject, detail FROM audit
		WHERE $1::bigint = 0 OR id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the audit trail: %w", err)
	}
	entries, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AuditEntry])
	if err != nil {
		return nil, fmt.Errorf("reading the audit trail: %w", err)
	}
	return entries, nil
}
