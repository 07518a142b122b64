package bench

import (
	"context"
	"flag"
	"fmt"
	"math"
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

// waits is a journey that does nothing but wait: for a month, or only a second where
// the cart is small.
var waits = map[string]string{"campaigns/waits.yaml": `
campaign: waits
trigger: {event: checkout.updated, where: event.total >= 50}
entry: {key: event.checkout_token}
steps:
  - wait: 30d
---
campaign: passes
trigger: {event: checkout.updated, where: event.total < 50}
entry: {key: event.checkout_token}
steps:
  - wait: 1s
`}

// tidied is how long after its work a process of Go has looked through its memory: at
// least every two minutes, and what it finds free goes back little by little.
const tidied = 5 * time.Minute

// use is what a process used in each round.
type use struct {
	memory []float64 // MB, at the end
	cpu    []float64 // ms/s
}

// BenchmarkWaiting holds what the processes use while many journeys wait against what
// those of another site, where none waits, use at the same time.
func BenchmarkWaiting(b *testing.B) {
	idle, s := openSite(b, waits), openSite(b, waits)
	for _, each := range []*site{idle, s} {
		each.enter("ended", *waitingJourneys/10, 1) // what is made once: caches, connections
	}
	var results []Result
	for _, waiting := range []int{*waitingJourneys / 10, *waitingJourneys} {
		s.enter("running", waiting, 3)
		time.Sleep(tidied)
		parts, limits := s.parts(), idle.parts()
		uses := measure(b, append(parts, limits...))
		for i, part := range parts {
			used, limit := uses[i], uses[len(parts)+i]
			tell("%d waiting: %s: %.1f MB; %.2f ms/s; none: %.1f MB; %.2f ms/s", waiting, part.name, used.memory, used.cpu, limit.memory, limit.cpu)
			name, goal, most := fmt.Sprintf("waiting_%d_%s", waiting, part.name), "stated", math.Inf(1)
			if part.name == "worker" {
				goal, most = "≤ 1.1 × none waiting", 1.1
			}
			met := func(ratio float64) bool { return ratio <= most }
			results = append(results, ofRounds(Result{Name: name + "_memory", Unit: "MB", Goal: goal, Note: "none waiting"}, used.memory, limit.memory, met),
				ofRounds(Result{Name: name + "_cpu", Unit: "ms/s", Goal: goal, Note: "none waiting"}, used.cpu, limit.cpu, met))
		}
	}
	write(b, results...)
}

func (s *site) parts() []part {
	return []part{{"worker", s.worker.PID()}, {"starter", s.starter.PID()}, {"postgres", s.postgresPID}}
}

// measure gives what each process uses, all in the same windows: of two turns each, so
// that as many of Go's collections, one in two minutes, fall in each.
func measure(t testing.TB, parts []part) []use {
	uses := make([]use, len(parts))
	for range *rounds {
		before := make([]time.Duration, len(parts))
		for i, part := range parts {
			before[i] = cpu(t, part.pid)
		}
		time.Sleep(2 * *window)
		for i, part := range parts {
			spent := cpu(t, part.pid) - before[i]
			uses[i].cpu = append(uses[i].cpu, spent.Seconds()*1000/(2*window.Seconds()))
			uses[i].memory = append(uses[i].memory, resident(t, part.pid))
		}
	}
	return uses
}

// enter lets people leave carts of so many things until so many journeys are in a
// state, and nothing else is to be done.
func (s *site) enter(state string, journeys, things int) {
	count := func() (n int) {
		require.NoError(s, s.Pool.QueryRow(context.Background(), `SELECT count(*) FROM journey WHERE state = $1`, state).Scan(&n))
		return n
	}
	var next atomic.Int64
	next.Store(int64(count()))
	var posting sync.WaitGroup
	for range 8 {
		posting.Go(func() {
			for n := next.Add(1); n <= int64(journeys); n = next.Add(1) {
				checkout := cartOf(fmt.Sprintf("%s-%d@example.com", state, n))
				checkout.Lines[0].Quantity = things
				if err := s.post("checkouts/update", sandbox.CheckoutBody(checkout)); err != nil {
					s.Error(err)
					return
				}
			}
		})
	}
	posting.Wait()
	for deadline := time.Now().Add(2 * time.Hour); count() < journeys || s.backlog() > 0; time.Sleep(time.Second) {
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
