package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// BenchmarkJourneyTasks counts what a journey costs Temporal, what it writes, and what
// it reads among few and many others.
func BenchmarkJourneyTasks(b *testing.B) {
	s := openSite(b, carts)
	fill(s, s.Store, "cart", 100_000, 0)
	s.watchEnds()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	const journeys = 20
	var next int64
	walk := func(journeys int) {
		for range journeys {
			require.NoError(s, s.shopper(ctx, next))
			next++
		}
		time.Sleep(2 * time.Second) // the last delivery webhooks
	}
	walk(5) // what is made once
	rows, blocks := s.written(ctx), s.blocksRead(ctx)
	walk(journeys)
	rows, blocks = s.written(ctx)-rows, s.blocksRead(ctx)-blocks
	kept, flowed := s.onDisk(ctx), next
	var flowing atomic.Int64
	flowing.Store(next)
	s.flow(s.shopper, &flowing)
	next = flowing.Load() + 1
	for i, bytes := range s.onDisk(ctx) {
		kept[i] = (bytes - kept[i]) / (next - flowed)
	}
	s.crowd(ctx)
	walk(1)
	among := s.blocksRead(ctx)
	walk(journeys)
	among = s.blocksRead(ctx) - among
	var id string
	require.NoError(s, s.Pool.QueryRow(ctx, `SELECT 'carts/' || id FROM journey ORDER BY created_at DESC LIMIT 1`).Scan(&id))
	count := map[enums.EventType]int{}
	var events int
	for history := s.client.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); history.HasNext(); events++ {
		event, err := history.Next()
		require.NoError(s, err)
		count[event.GetEventType()]++
	}
	stated := func(name, unit string, value float64, note string) Result {
		return Result{Name: name, Value: value, Unit: unit, Goal: "stated", Met: true, Note: note}
	}
	write(b, stated("journey_tasks", "workflow tasks", float64(count[enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]), "start, send and wait; redemption to end"),
		stated("journey_activities", "activities", float64(count[enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]), fmt.Sprintf("%d local ones inside the workflow tasks", count[enums.EVENT_TYPE_MARKER_RECORDED])),
		stated("journey_events", "events", float64(events), "in the journey's history"),
		stated("journey_rows", "rows", float64(rows)/journeys, "inserted, updated or deleted in Scrip's database, hooks of delivery included"),
		stated("journey_disk_scrip", "kB", float64(kept[0])/1000, "by which Scrip's database grows for one, payloads of webhooks included"),
		stated("journey_disk_temporal", "kB", float64(kept[1])/1000, "by which Temporal's databases grow for one, until its retention ends"),
		Result{Name: "journey_blocks", Value: float64(among) / journeys, Unit: "blocks", Limit: float64(blocks) / journeys, Ratio: float64(among) / float64(blocks),
			Goal: "≤ 1.5 × as many as in an empty database", Met: float64(among) <= 1.5*float64(blocks),
			Note: "read of Scrip's database among 100,000 other people and journeys, by plans that were made when there were none; polling included"})
}

// onDisk gives the bytes of Scrip's database, and of Temporal's two.
func (s *site) onDisk(ctx context.Context) (bytes [2]int64) {
	require.NoError(s, s.Pool.QueryRow(ctx, `SELECT pg_database_size(current_database()), sum(pg_database_size(datname))::bigint
		FROM pg_database WHERE datname LIKE 'temporal%'`).Scan(&bytes[0], &bytes[1]))
	return bytes
}

// blocksRead counts the blocks that were ever read of Scrip's database.
func (s *site) blocksRead(ctx context.Context) (blocks int64) {
	time.Sleep(1500 * time.Millisecond)
	require.NoError(s, s.Pool.QueryRow(ctx, `SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()`).Scan(&blocks))
	return blocks
}

// crowd adds 100,000 people who have each been through a journey, or are in one.
// Nothing is told the planner.
func (s *site) crowd(ctx context.Context) {
	for _, statement := range []string{
		`ALTER SYSTEM SET autovacuum = off`, // which reads, and tells the planner
		`SELECT pg_reload_conf()`,
		`INSERT INTO contact (id) SELECT 'ct_' || n FROM generate_series(1, 100000) n`,
		`INSERT INTO identity (kind, value_norm, value, contact_id) SELECT 'email', n || '@example.com', n || '@example.com', 'ct_' || n FROM generate_series(1, 100000) n`,
		`INSERT INTO consent (contact_id, channel, state, at) SELECT 'ct_' || n, 'email', 'granted', now() FROM generate_series(1, 100000) n`,
		`INSERT INTO event (id, delivery_id, received_at, ordinal, connection, type, contact_id, token, occurred_at, fields)
			SELECT 'ev_' || n, -n, now(), 0, 'shop', CASE n % 2 WHEN 0 THEN 'checkout.updated' ELSE 'order.created' END, 'ct_' || (n % 100000 + 1), 't' || n, now(), '{}'
			FROM generate_series(1, 200000) n`,
		`INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, entry_event_id, trigger_event_id, state, ended_at, outcome)
			SELECT 'jn_' || n, c.id, 1, 'ct_' || n, sha256(n::text::bytea), 1, 'ev_' || n, 'ev_' || n, CASE n % 2 WHEN 0 THEN 'running' ELSE 'ended' END,
				CASE n % 2 WHEN 1 THEN now() END, CASE n % 2 WHEN 1 THEN 'redeemed' END FROM generate_series(1, 100000) n, campaign c`,
		`INSERT INTO campaign_entry (campaign_id, contact_id, last_entered_at, entries) SELECT c.id, 'ct_' || n, now(), 1 FROM generate_series(1, 100000) n, campaign c`,
		`INSERT INTO match_key (hash, journey_id) SELECT sha256(n::text::bytea), 'jn_' || n FROM generate_series(1, 100000) n`,
		`INSERT INTO code (batch_id, pos, code, code_norm) SELECT 0, n, 'CROWD' || n, 'CROWD' || n FROM generate_series(1, 100000) n`,
		`INSERT INTO assignment (claim_key, coupon_id, journey_id, contact_id, batch_id, pos, expires_at, state)
			SELECT 'jn_' || n || '/cart/0', c.id, 'jn_' || n, 'ct_' || n, 0, n, now() + interval '7 days', 'exposed' FROM generate_series(1, 100000) n, coupon c`,
		`INSERT INTO message (id, send_key, journey_id, step, contact_id, channel, kind, connection, assignment_id, state, attempt, called_at, accepted_at, vendor_id)
			SELECT 'ms_' || pos, journey_id || '/send', journey_id, 'send', contact_id, 'email', 'transactional', 'email', id, 'accepted', 1, now(), now(), 'v' || pos
			FROM assignment WHERE batch_id = 0`,
		`INSERT INTO redemption (id, batch_id, pos, order_key, coupon_id, assignment_id, journey_id, contact_id, source, at)
			SELECT 'rd_' || pos, 0, pos, 'o' || pos, coupon_id, id, journey_id, contact_id, 'shop', now() FROM assignment WHERE batch_id = 0 AND pos % 2 = 1`,
		`INSERT INTO delivery_key (connection, key, delivery_id, received_at) SELECT 'shop', n::text, -n, now() FROM generate_series(1, 200000) n`,
	} {
		_, err := s.Pool.Exec(ctx, statement)
		require.NoError(s, err, statement)
	}
}

// written counts the rows that were ever written in Scrip's database.
func (s *site) written(ctx context.Context) (rows int64) {
	time.Sleep(1500 * time.Millisecond) // a connection tells of its rows once a second
	require.NoError(s, s.Pool.QueryRow(ctx, `SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables WHERE relname <> 'lease'`).Scan(&rows))
	return rows
}
