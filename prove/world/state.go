package world

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/e2e/walk"
)

// State is what became of a person, in lines that don't differ between two runs of
// the same things: journeys and their outcomes, messages with how often the vendor
// took each, codes, redemptions, events, tags, refusals. Whether a wait began late is
// a matter of time, which may differ.
func (w *World) State(ctx context.Context, p *walk.Person) ([]string, error) {
	var contact string
	err := w.Store.Pool.QueryRow(ctx, `SELECT contact_id FROM identity WHERE kind IN ('email', 'phone') AND value_norm = $1`, p.Address()).Scan(&contact)
	if err != nil {
		return nil, fmt.Errorf("finding the contact: %w", err)
	}
	rows, err := w.Store.Pool.Query(ctx, state, contact)
	if err != nil {
		return nil, fmt.Errorf("reading what became of a contact: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading what became of a contact: %w", err)
	}
	taken, err := w.taken(ctx, contact)
	slices.Sort(lines)
	return append(lines, taken...), err
}

// That a code has expired is left out: it does so in its own time.
const state = `
	SELECT 'journey ' || c.name || ' ' || j.state || ' ' || coalesce(j.outcome, j.parked_reason, '')
		FROM journey j JOIN campaign c ON c.id = j.campaign_id WHERE j.contact_id = $1
	UNION ALL SELECT 'code ' || cp.name || ' ' || CASE WHEN a.state IN ('exposed', 'applied', 'expired') THEN 'given' ELSE a.state END FROM assignment a JOIN coupon cp ON cp.id = a.coupon_id
		WHERE a.contact_id = $1 OR a.journey_id IN (SELECT id FROM journey WHERE contact_id = $1)
	UNION ALL SELECT 'redemption ' || cp.name || ' ' || r.state || ' ' || r.flag FROM redemption r JOIN coupon cp ON cp.id = r.coupon_id
		WHERE r.contact_id = $1 OR r.journey_id IN (SELECT id FROM journey WHERE contact_id = $1)
	UNION ALL SELECT 'event ' || type || ' ' || count(*) FROM event WHERE contact_id = $1 AND type <> 'code.expired' GROUP BY type
	UNION ALL SELECT 'tag ' || unnest(tags) FROM contact WHERE id = $1
	UNION ALL SELECT 'refused ' || c.name || ' ' || r.reason || ' ' || count(*) FROM refusal r JOIN campaign c ON c.id = r.campaign_id
		WHERE r.contact_id = $1 GROUP BY c.name, r.reason
	UNION ALL SELECT 'step ' || r.step || ' ' || r.status || ' ' || r.reason FROM step_result r
		JOIN journey j ON j.id = r.journey_id WHERE j.contact_id = $1 AND r.reason <> 'late'
	UNION ALL SELECT 'waiting entry' FROM pending_entry WHERE contact_id = $1
	UNION ALL SELECT 'undelivered ' || o.kind || ' ' || o.name FROM outbox o JOIN journey j ON j.id = o.journey_id WHERE j.contact_id = $1`

// Count runs a statement that counts something in the database.
func (w *World) Count(t testing.TB, statement string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, w.Store.Pool.QueryRow(t.Context(), statement, args...).Scan(&n), statement)
	return n
}

// Until waits for something to become true of the whole.
func (w *World) Until(t testing.TB, done func() bool, what string, args ...any) {
	t.Helper()
	if !w.Await(done) {
		t.Fatalf("waited %s for "+what, append([]any{w.Patience}, args...)...)
	}
}

// taken says of each message how it stands in the ledger and how often the vendors
// took it.
func (w *World) taken(ctx context.Context, contact string) ([]string, error) {
	times := w.Taken()
	rows, err := w.Store.Pool.Query(ctx, `SELECT id, step, channel, state, reason, delivery FROM message
		WHERE contact_id = $1 OR journey_id IN (SELECT id FROM journey WHERE contact_id = $1)`, contact)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var id, step, channel, state, reason, delivery string
		err := row.Scan(&id, &step, &channel, &state, &reason, &delivery)
		return strings.TrimSpace(fmt.Sprintf("message %s %s %s %s %s, taken %d times", step, channel, state, reason, delivery, times[id])), err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	slices.Sort(lines)
	return lines, nil
}

// Taken counts, by the ledger's id, how often the vendors took each message. It is
// their own log.
func (w *World) Taken() map[string]int {
	times := map[string]int{}
	for _, m := range w.Sandbox.Messages() {
		if id := ledgerID(m); id != "" {
			times[id]++
		}
	}
	return times
}

// MostTakenInASecond is how many messages the vendors took in the busiest second
// since then.
func (w *World) MostTakenInASecond(since time.Time) (most int) {
	seconds := map[int64]int{}
	for _, m := range w.Sandbox.Messages() {
		if m.At.After(since) {
			seconds[m.At.Unix()]++
			most = max(most, seconds[m.At.Unix()])
		}
	}
	return most
}

// ledgerID is the ledger's id of a message, as the vendors were told it.
func ledgerID(m sandbox.Message) string {
	if id := m.CustomArgs["scrip_message"]; id != "" {
		return id
	}
	_, id, _ := strings.Cut(m.StatusURL, "?m=")
	return id
}
