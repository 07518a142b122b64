package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/store"
)

const dispatches = 300 // measured in each round

// BenchmarkDispatch holds the time from a hook's answer until Temporal has taken the
// start of its journey, and Postgres knows, against Temporal's StartWorkflow.
func BenchmarkDispatch(b *testing.B) {
	s := openSite(b, carts)
	fill(s, s.Store, "cart", 1_000_000, 0)
	s.watchEnds()
	var next atomic.Int64
	full := s.flow(s.shopper, &next)
	for _, under := range []struct {
		name      string
		perSecond float64
	}{{"idle", 0}, {"half_load", full.perSecond / 2}} {
		stop := s.load(under.perSecond, s.shopper, &next)
		var what, limit []turn
		for round := range *rounds {
			var taken, starts []time.Duration
			for range dispatches {
				taken = append(taken, s.dispatched(next.Add(1)))
				starts = append(starts, s.started(next.Add(1)))
				time.Sleep(20 * time.Millisecond)
			}
			slices.Sort(taken)
			slices.Sort(starts)
			what, limit = append(what, turn{took: taken}), append(limit, turn{took: starts})
			tell("round %d: %s: %s in the median; StartWorkflow %s", round+1, under.name, what[round].percentile(50), limit[round].percentile(50))
		}
		stop()
		note := fmt.Sprintf("from the hook's answer until the journey runs; %d each in a round, %.0f journeys a second beside; Temporal's StartWorkflow", dispatches, under.perSecond)
		write(b, percentile("dispatch_"+under.name+"_p50", 50, what, limit, "≤ 2 × StartWorkflow", func(ratio float64) bool { return ratio <= 2 }, note),
			percentile("dispatch_"+under.name+"_p99", 99, what, limit, "stated", func(float64) bool { return true }, note))
	}
}

// dispatched has somebody enter and gives how long it took from the answer on.
func (s *site) dispatched(n int64) time.Duration {
	address := fmt.Sprintf("shopper-%d@example.com", n)
	checkout := cartOf(address)
	require.NoError(s, s.post("checkouts/update", sandbox.CheckoutBody(checkout)))
	answered := time.Now()
	for deadline := answered.Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var started *time.Time
		err := s.Pool.QueryRow(context.Background(), `SELECT (SELECT j.started_at FROM identity i JOIN journey j ON j.contact_id = i.contact_id
			WHERE i.kind = 'email' AND i.value_norm = $1)`, address).Scan(&started)
		require.NoError(s, err)
		if started != nil {
			return max(0, started.Sub(answered))
		}
	}
	s.Fatal("a journey wasn't started within half a minute")
	return 0
}

// started has Temporal start a workflow that nobody works on.
func (s *site) started(n int64) time.Duration {
	id := fmt.Sprint("start-", n)
	began := time.Now()
	_, err := s.client.ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{ID: id, TaskQueue: "nobody"}, bareWorkflow)
	took := time.Since(began)
	require.NoError(s, err)
	require.NoError(s, s.client.TerminateWorkflow(context.Background(), id, "", "measured"))
	return took
}

// load starts so many a second, however long each takes, until it is stopped.
func (s *site) load(perSecond float64, one func(context.Context, int64) error, next *atomic.Int64) (stop func()) {
	if perSecond == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		tick := time.NewTicker(time.Duration(float64(time.Second) / perSecond))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.underway.Add(1)
				working.Go(func() {
					defer s.underway.Add(-1)
					if err := one(ctx, next.Add(1)); err != nil && ctx.Err() == nil {
						s.Errorf("one of the load: %v", err)
					}
				})
			case <-ctx.Done():
				return
			}
		}
	})
	time.Sleep(settling)
	return func() { cancel(); working.Wait() }
}

// BenchmarkDispatchRate says how fast a backlog of webhooks becomes journeys: first as
// Postgres has them while Temporal is away, then as Temporal does.
func BenchmarkDispatchRate(b *testing.B) {
	const backlog, group = 10_000, 100
	s := openSite(b, carts)
	fill(s, s.Store, "cart", 1000, 0)
	s.watchEnds()
	ctx := context.Background()
	require.NoError(s, s.shopper(ctx, 0)) // what is made once
	require.NoError(s, s.worker.Stop(time.Minute))
	require.NoError(s, s.starter.Stop(time.Minute))
	for n := 0; n < backlog; n += group {
		hooks := make([]store.Incoming, group)
		for i := range hooks {
			hooks[i] = store.Incoming{Connection: "shop", Topic: "checkouts/update", Key: fmt.Sprint(n + i),
				Body: sandbox.CheckoutBody(cartOf(fmt.Sprintf("backlog-%d@example.com", n+i)))}
		}
		_, err := s.Accept(ctx, hooks)
		require.NoError(s, err)
	}
	until := func(left string) time.Duration {
		began := time.Now()
		for deadline := began.Add(10 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			var rows int
			require.NoError(s, s.Pool.QueryRow(ctx, left).Scan(&rows))
			if rows == 0 {
				return time.Since(began)
			}
			require.True(s, time.Now().Before(deadline), "the backlog doesn't drain")
		}
	}
	environment := s.environment
	s.environment = append(slices.Clone(environment), "TEMPORAL_ADDRESS=127.0.0.1:9") // where nobody answers
	s.starter = s.run("starter")
	dispatched := until(`SELECT count(*) FROM delivery_queue`)
	require.NoError(s, s.starter.Stop(time.Minute))
	s.environment = environment
	s.starter = s.run("starter")
	started := until(`SELECT count(*) FROM outbox`)
	const note = "10,000 carts that one starter finds when it starts; no worker beside it"
	write(b, Result{Name: "dispatch_rate", Value: backlog / dispatched.Seconds(), Unit: "webhooks/s", Goal: "stated", Met: true, Note: note + ", and no Temporal: written as events, journeys and outbox"},
		Result{Name: "dispatch_start_rate", Value: backlog / started.Seconds(), Unit: "journeys/s", Goal: "stated", Met: true, Note: note + ": started in Temporal"})
}
