package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// ConnectionState is what is known of a configured account besides its settings.
type ConnectionState struct {
	FirstSeen     time.Time      `json:"first_seen" doc:"when a process first had it configured"`
	LastSeen      time.Time      `json:"last_seen" doc:"when a process last started with it"`
	Subscriptions *Subscriptions `json:"subscriptions,omitempty" doc:"the last look at the vendor's webhook subscriptions"`
}

// Subscriptions is how the vendor's webhook subscriptions were found.
type Subscriptions struct {
	At      time.Time `json:"at"`
	OK      bool      `json:"ok" doc:"false: the vendor could not be asked; it is asked again"`
	Changes []string  `json:"changes" doc:"what had to be changed"`
}

// SeeConnections notes, at a process's start, which accounts are configured, by
// name and kind.
func (s *Store) SeeConnections(ctx context.Context, kinds map[string]string) error {
	batch := &pgx.Batch{}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		batch.Queue(`INSERT INTO connection (name, kind) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, last_seen = now()`, name, kinds[name])
	}
	if err := s.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("noting the configured connections: %w", err)
	}
	return nil
}

// SawSubscriptions keeps the last look at a connection's webhook subscriptions.
func (s *Store) SawSubscriptions(ctx context.Context, name string, seen Subscriptions) error {
	_, err := s.Pool.Exec(ctx, `UPDATE connection SET state = state || jsonb_build_object('subscriptions', $2::jsonb) WHERE name = $1`, name, seen)
	if err != nil {
		return fmt.Errorf("noting webhook subscriptions: %w", err)
	}
	return nil
}

// ConnectionStates gives what is known of each account that was ever configured.
func (s *Store) ConnectionStates(ctx context.Context) (map[string]ConnectionState, error) {
	rows, err := s.Pool.Query(ctx, `SELECT name, first_seen, last_seen, state FROM connection`)
	if err != nil {
		return nil, fmt.Errorf("loading the connections' state: %w", err)
	}
	states := map[string]ConnectionState{}
	var name string
	var c ConnectionState
	var raw json.RawMessage
	_, err = pgx.ForEachRow(rows, []any{&name, &c.FirstSeen, &c.LastSeen, &raw}, func() error {
		c.Subscriptions = nil
		if err := json.Unmarshal(raw, &c); err != nil {
			return err
		}
		states[name] = c
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("loading the connections' state: %w", err)
	}
	return states, nil
}
