package bench

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/workflows"
)

var waitingJourneys = flag.Int("waiting", 100_000, "how many journeys wait at most")

// waits is a journey that does nothing but wait.
var waits = map[string]string{"campaigns/waits.yaml": `
campaign: waits
trigger: {event: checkout.updated}
entry: {key: event.checkout_token}
steps:
  - wait: 30d
`}

// BenchmarkWaiting holds what the processes use while many journeys wait against
// what they use while none does.
func BenchmarkWaiting(b *testing.B) {
	s := openSite(b, waits)
	parts := []part{{"worker", s.worker.PID()}, {"starter", s.starter.PID()}, {"postgres", s.postgresPID}}
	type use struct{ memory, cores float64 }
	measure := func() (uses []use) {
		time.Sleep(2 * settling) // what the starts have left to do
		before := make([]time.Duration, len(parts))
		for i, part := range parts {
			before[i] = cpu(s, part.pid)
		}
		time.Sleep(*window)
		for i, part := range parts {
			uses = append(uses, use{resident(s, part.pid), (cpu(s, part.pid) - before[i]).Seconds() / window.Seconds()})
		}
		return uses
	}
	s.enter(1000) // what is made once: caches, connections
	none := measure()
	var results []Result
	for _, waiting := range []int{*waitingJourneys / 10, *waitingJourneys} {
		s.enter(waiting)
		for i, u := range measure() {
			part := parts[i].name
			goal, met := "stated", true
			if part == "worker" {
				goal, met = "≤ 1.1 × none waiting", u.memory <= 1.1*none[i].memory
			}
			name := fmt.Sprintf("waiting_%d_%s", waiting, part)
			results = append(results,
				Result{Name: name + "_memory", Value: u.memory, Unit: "MB", Limit: none[i].memory, Ratio: u.memory / none[i].memory, Goal: goal, Met: met, Note: "a thousand waiting"},
				Result{Name: name + "_cpu", Value: u.cores * 1000, Unit: "ms/s", Limit: none[i].cores * 1000, Ratio: u.cores / none[i].cores, Goal: "stated", Met: true, Note: "a thousand waiting"})
		}
	}
	write(b, results...)
}

// enter lets people enter until so many journeys wait, and nothing else is to be done.
func (s *site) enter(waiting int) {
	ctx := context.Background()
	count := func() (n int) {
		require.NoError(s, s.Pool.QueryRow(ctx, `SELECT count(*) FROM journey WHERE state = 'running'`).Scan(&n))
		return n
	}
	var next atomic.Int64
	next.Store(int64(count()))
	var posting sync.WaitGroup
	for range 8 {
		posting.Go(func() {
			for n := next.Add(1); n <= int64(waiting); n = next.Add(1) {
				if err := s.post("checkouts/update", sandbox.CheckoutBody(cartOf(fmt.Sprintf("waiting-%d@example.com", n)))); err != nil {
					s.Error(err)
					return
				}
			}
		})
	}
	posting.Wait()
	for deadline := time.Now().Add(2 * time.Hour); count() < waiting || s.backlog() > 0; time.Sleep(time.Second) {
		require.True(s, time.Now().Before(deadline) && !s.Failed(), "the journeys don't start")
	}
}

// backlog is how many workflow tasks wait for a worker.
func (s *site) backlog() int64 {
	answer, err := s.client.WorkflowService().DescribeTaskQueue(context.Background(), &workflowservice.DescribeTaskQueueRequest{Namespace: "default",
		TaskQueue: &taskqueue.TaskQueue{Name: workflows.TaskQueue}, TaskQueueType: enums.TASK_QUEUE_TYPE_WORKFLOW, ReportStats: true})
	require.NoError(s, err)
	return answer.GetStats().GetApproximateBacklogCount()
}
