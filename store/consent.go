package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
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
	// What is known of the person's addresses is asked only where a word was news.
	rows, err := q.Query(ctx, `WITH news AS (
			INSERT INTO consent AS c (contact_id, channel, state, source, at)
			SELECT $1, said.* FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[]) said
			ON CONFLICT (contact_id, channel) DO UPDATE SET state = excluded.state, source = excluded.source, at = excluded.at
			WHERE excluded.at > c.at OR (excluded.at = c.at AND excluded.state = 'denied' AND c.state <> 'denied')
			RETURNING channel, state, at)
		SELECT n.channel, n.at, i.kind, i.value_norm FROM news n, identity i WHERE n.state = 'granted' AND i.contact_id = $1`,
		contactID, channels, states, sources, times)
	if err != nil {
		return fmt.Errorf("recording consent: %w", err)
	}
	type address struct {
		Channel     string
		At          time.Time
		Kind, Value string
	}
	granted, err := pgx.CollectRows(rows, pgx.RowToStructByPos[address])
	if err != nil {
		return fmt.Errorf("recording consent: %w", err)
	}
	for _, a := range granted {
		if kind, _ := addressOn(a.Channel, ""); kind != a.Kind {
			continue
		}
		if err := s.Unsuppress(ctx, q, a.Channel, a.Value, a.At); err != nil {
			return err
		}
	}
	return nil
}
