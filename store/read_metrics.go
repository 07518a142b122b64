package store

import (
	"context"
	"time"
)

// Gauges is what the metrics page shows of the database.
type Gauges struct {
	Journeys   []JourneyGauge // that are not over
	Pools      []PoolGauge
	Unsettled  []MessageGauge // messages without a known outcome
	QueueLag   time.Duration  // how long the oldest delivery waits for the dispatcher
	Queue      int64
	OutboxLag  time.Duration // how long the oldest order to Temporal waits
	Outbox     int64
	DeadLetter int64 // not replayed
	Debouncing int64
}

// JourneyGauge counts journeys of one campaign in one state.
type JourneyGauge struct {
	Campaign, State string
	Journeys        int64
}

// PoolGauge is how many codes of a list are left, and who waits for one.
type PoolGauge struct {
	Coupon        string
	Left, Waiting int64
}

// MessageGauge counts messages of one connection in one state.
type MessageGauge struct {
	Connection, State string
	Messages          int64
}

// Gauges reads indexes and counters only: it is cheap at any size but that of the
// journeys that are under way.
func (s *Store) Gauges(ctx context.Context) (g Gauges, err error) {
	if g.Journeys, err = list[JourneyGauge](ctx, s.Pool, "journeys", `SELECT c.name, j.state, count(*)
		FROM journey j JOIN campaign c ON c.id = j.campaign_id WHERE j.state <> 'ended' GROUP BY 1, 2`); err != nil {
		return g, err
	}
	if g.Pools, err = list[PoolGauge](ctx, s.Pool, "pools", `SELECT c.name, coalesce(sum(b.tail - b.head - b.holes), 0)::bigint, c.waiters
		FROM coupon c LEFT JOIN batch b ON b.coupon_id = c.id AND NOT b.closed AND b.kind <> 'made'
		WHERE c.pool = 'list' GROUP BY c.id`); err != nil {
		return g, err
	}
	if g.Unsettled, err = list[MessageGauge](ctx, s.Pool, "messages", `SELECT connection, state, count(*) FROM message
		WHERE state IN ('calling', 'unknown', 'parked') GROUP BY 1, 2`); err != nil {
		return g, err
	}
	if g.QueueLag, g.Queue, err = s.QueueLag(ctx); err != nil {
		return g, err
	}
	if g.OutboxLag, g.Outbox, err = s.OutboxLag(ctx); err != nil {
		return g, err
	}
	err = s.Pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM dead_letter WHERE replayed_at IS NULL), (SELECT count(*) FROM pending_entry)`).
		Scan(&g.DeadLetter, &g.Debouncing)
	return g, err
}
