package starter

import (
	"context"
	"errors"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/store"
)

// Bounds of the second stage.
const (
	deliverTimeout = 10 * time.Second // one call of Temporal
	fetchRows      = 1000
	ackRows        = 500
	ackRetry       = time.Second
	heldRetry      = time.Minute // until a held journey is looked at again
)

// delivery is the second stage under one lease: it tells Temporal what stands in
// the outbox, the rows of one contact one after the other, different contacts at
// the same time. A row is deleted when Temporal has acknowledged it; until then
// its contact's later rows wait.
type delivery struct {
	*Dispatcher
	lease   store.Lease
	limit   *inflight
	breaker *breaker
	busy    map[string]bool // lanes under way
	done    chan laneResult
}

type laneResult struct {
	lane  string
	acked []int64
	away  bool // Temporal couldn't be reached
}

func newDelivery(d *Dispatcher, lease store.Lease) *delivery {
	return &delivery{
		Dispatcher: d, lease: lease, limit: newInflight(), breaker: &breaker{gauge: d.Metrics.TemporalAway},
		busy: map[string]bool{}, done: make(chan laneResult),
	}
}

// run delivers until ctx ends or the lease is lost, and waits for the calls under
// way.
func (v *delivery) run(ctx context.Context) {
	defer func() {
		// What is not acknowledged in time is delivered again by the next one.
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*deliverTimeout)
		defer cancel()
		for len(v.busy) > 0 {
			v.settle(ending, v.collect(<-v.done))
		}
	}()
	for ctx.Err() == nil {
		started, err := v.fill(ctx)
		if err != nil && ctx.Err() == nil {
			v.Log.WarnContext(ctx, "delivering waits for the database", "error", err)
			pause(ctx, trouble)
		}
		if !v.wait(ctx, started > 0) {
			return
		}
	}
}

// fill starts lanes up to what may be in flight.
func (v *delivery) fill(ctx context.Context) (started int, err error) {
	free := v.breaker.allowance(v.limit.max()) - len(v.busy)
	if free <= 0 {
		return 0, nil
	}
	busy := make([]string, 0, len(v.busy))
	for lane := range v.busy {
		busy = append(busy, lane)
	}
	rows, err := v.Store.OutboxRows(ctx, busy, fetchRows)
	if err != nil {
		return 0, err
	}
	var order []string
	lanes := map[string][]store.OutboxRow{}
	for _, row := range rows {
		if lanes[row.Lane] == nil {
			if len(order) == free {
				continue
			}
			order = append(order, row.Lane)
		}
		lanes[row.Lane] = append(lanes[row.Lane], row)
	}
	for _, lane := range order {
		v.busy[lane] = true
		go func() { v.done <- v.deliverLane(ctx, lane, lanes[lane]) }()
	}
	return len(order), nil
}

// wait sleeps until a lane is done or there may be something new.
func (v *delivery) wait(ctx context.Context, started bool) bool {
	timer := time.NewTimer(v.breaker.pause(pollInterval))
	defer timer.Stop()
	var woken <-chan struct{} = v.outbox
	if started || v.breaker.open() {
		woken = nil // what is new waits for its turn
	}
	select {
	case first := <-v.done:
		return v.settle(ctx, v.collect(first))
	case <-woken:
	case <-timer.C:
	case <-ctx.Done():
	}
	return true
}

// collect takes the results that are there, so that one statement acknowledges
// them all.
func (v *delivery) collect(first laneResult) []laneResult {
	results := []laneResult{first}
	rows := len(first.acked)
	for rows < ackRows {
		select {
		case next := <-v.done:
			results = append(results, next)
			rows += len(next.acked)
		default:
			return results
		}
	}
	return results
}

// settle deletes what was acknowledged and frees the lanes. It returns false where
// the lease is lost. While the database is away it tries again: the rows were
// delivered, and to deliver them again would be harmless, but costs.
func (v *delivery) settle(ctx context.Context, results []laneResult) bool {
	var ids []int64
	for _, r := range results {
		ids = append(ids, r.acked...)
		v.breaker.note(r.away, time.Now())
	}
	held := true
	for len(ids) > 0 {
		err := v.Store.AcknowledgeOutbox(ctx, v.lease, ids)
		if errors.Is(err, store.ErrDeposed) {
			held = false
		}
		if err == nil || !held || !pause(ctx, ackRetry) {
			break
		}
	}
	for _, r := range results {
		delete(v.busy, r.lane)
	}
	return held
}

// deliverLane delivers one contact's rows in order and stops at the first that
// Temporal didn't take.
func (v *delivery) deliverLane(ctx context.Context, lane string, rows []store.OutboxRow) laneResult {
	result := laneResult{lane: lane}
	held := map[string]bool{} // journeys
	for _, row := range rows {
		if ctx.Err() != nil {
			return result
		}
		if held[row.JourneyID] {
			continue
		}
		begun := time.Now()
		err := v.deliver(ctx, row)
		v.limit.observe(time.Since(begun), err == nil)
		switch {
		case err == nil:
			v.Metrics.Outbox.WithLabelValues(row.Kind, "acknowledged").Inc()
			v.Metrics.DeliverSeconds.Observe(time.Since(row.CreatedAt).Seconds())
		case errors.Is(err, ErrGone):
			v.Metrics.Outbox.WithLabelValues(row.Kind, "gone").Inc()
		case errors.Is(err, ErrRefused):
			v.refused(context.WithoutCancel(ctx), row, err) // the row goes
		case errors.Is(err, ErrHeld):
			held[row.JourneyID] = true
			v.hold(ctx, row, err)
			continue
		default:
			if ctx.Err() == nil {
				v.Log.WarnContext(ctx, "Temporal takes nothing; the outbox waits", "error", err)
				result.away = true
			}
			return result
		}
		result.acked = append(result.acked, row.ID)
	}
	return result
}

// deliver tells Temporal one thing. It isn't cut short when the process is told to end:
// the first task of a journey can come with the answer, and would be lost.
func (v *delivery) deliver(ctx context.Context, row store.OutboxRow) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliverTimeout)
	defer cancel()
	switch row.Kind {
	case store.OutboxStart:
		return v.Temporal.Start(ctx, row)
	case store.OutboxCancel:
		return v.Temporal.Cancel(ctx, row)
	}
	return v.Temporal.Signal(ctx, row)
}

// hold keeps a journey's rows for a while; the contact's other journeys go on.
func (v *delivery) hold(ctx context.Context, row store.OutboxRow, err error) {
	v.Metrics.Outbox.WithLabelValues(row.Kind, "held").Inc()
	v.Log.ErrorContext(ctx, "a journey is held", "journey", row.JourneyID, "campaign", row.Campaign, "error", err)
	if err := v.Store.HoldOutbox(ctx, row.JourneyID, heldRetry); err != nil && ctx.Err() == nil {
		v.Log.WarnContext(ctx, "holding a journey waits for the database", "error", err)
		pause(ctx, trouble)
	}
}

// refused gives up what Temporal will never take. A journey that can't start ends
// as failed, so that its codes go back and somebody sees it.
func (v *delivery) refused(ctx context.Context, row store.OutboxRow, err error) {
	v.Metrics.Outbox.WithLabelValues(row.Kind, "refused").Inc()
	v.Log.ErrorContext(ctx, "Temporal refused what it was told", "journey", row.JourneyID, "kind", row.Kind, "name", row.Name, "error", err)
	if row.Kind != store.OutboxStart {
		return
	}
	if _, err := v.Store.EndJourney(ctx, store.Ending{Journey: row.JourneyID, Outcome: campaign.OutcomeFailed}); err != nil {
		v.Log.ErrorContext(ctx, "a journey that can't start is left open", "journey", row.JourneyID, "error", err)
		return
	}
	v.Ended(row.Campaign, campaign.OutcomeFailed)
}
