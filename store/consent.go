package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"scrip.dev/scrip/event"
)

// ApplyConsents records what a person allowed. The newest word wins, not the
// newest arrival; of two words of the same moment, the denial. A person who
// grants a channel again is written to again, unless the address is closed hard.
func (s *Store) ApplyConsents(ctx context.Context, q Querier, contactID string, consents []event.Consent, at time.Time) error {
	if len(consents) == 0 {
		return nil
	}
	newest := map[string]event.Consent{} // by channel
	for _, c := range consents {
		if c.At.IsZero() {
			c.At = at
		}
		if known, ok := newest[c.Channel]; !ok || c.At.After(known.At) || c.At.Equal(known.At) && c.State == event.Denied {
			newest[c.Channel] = c
		}
	}
	var channels, states, sources []string
	var times []time.Time
	for _, channel := range slices.Sorted(maps.Keys(newest)) {
		c := newest[channel]
		channels, states, sources, times = append(channels, channel), append(states, c.State), append(sources, c.Source), append(times, c.At)
	}
	rows, err := q.Query(ctx, `INSERT INTO consent AS c (contact_id, channel, state, source, at)
		SELECT $1, said.* FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[]) said
		ON CONFLICT (contact_id, channel) DO UPDATE SET state = excluded.state, source = excluded.source, at = excluded.at
		WHERE excluded.at > c.at OR (excluded.at = c.at AND excluded.state = 'denied' AND c.state <> 'denied')
		RETURNING channel`, contactID, channels, states, sources, times)
	if err != nil {
		return fmt.Errorf("recording consent: %w", err)
	}
	changed, err := collect[string](rows)
	if err != nil {
		return fmt.Errorf("recording consent: %w", err)
	}
	for _, channel := range changed {
		if c := newest[channel]; c.State == event.Granted {
			if err := s.liftSuppressions(ctx, q, contactID, channel, c.At); err != nil {
				return err
			}
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
