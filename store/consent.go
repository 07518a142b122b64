package store

import (
	"context"
	"fmt"
	"time"

	"scrip.dev/scrip/event"
)

// ApplyConsents records what a person allowed. The newest word wins, not the
// newest arrival; of two words of the same moment, the denial. A person who
// grants a channel again is written to again, unless the address is closed hard.
func (s *Store) ApplyConsents(ctx context.Context, q Querier, contactID string, consents []event.Consent, at time.Time) error {
	for _, c := range consents {
		if c.At.IsZero() {
			c.At = at
		}
		tag, err := q.Exec(ctx, `INSERT INTO consent AS c (contact_id, channel, state, source, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (contact_id, channel) DO UPDATE SET state = excluded.state, source = excluded.source, at = excluded.at
			WHERE excluded.at > c.at OR (excluded.at = c.at AND excluded.state = 'denied' AND c.state <> 'denied')`,
			contactID, c.Channel, c.State, c.Source, c.At)
		if err != nil {
			return fmt.Errorf("recording consent: %w", err)
		}
		if c.State != event.Granted || tag.RowsAffected() == 0 {
			continue
		}
		if err := s.liftSuppressions(ctx, q, contactID, c.Channel, c.At); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) liftSuppressions(ctx context.Context, q Querier, contactID, channel string, at time.Time) error {
	kind, _ := addressOn(channel, "")
	rows, err := q.Query(ctx, `SELECT value_norm FROM identity WHERE contact_id = $1 AND kind = $2`, contactID, kind)
	if err != nil {
		return fmt.Errorf("loading addresses: %w", err)
	}
	addresses, err := collect[string](rows)
	if err != nil {
		return fmt.Errorf("loading addresses: %w", err)
	}
	for _, address := range addresses {
		if err := s.Unsuppress(ctx, q, channel, address, at); err != nil {
			return err
		}
	}
	return nil
}
