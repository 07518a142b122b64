package bench

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkRecover stops the worker for a minute under half the load that it bears,
// and holds the time until nobody waits against the one at full speed.
func BenchmarkRecover(b *testing.B) {
	const away = time.Minute
	s := openSite(b, carts)
	fill(s, s.Store, "cart", 1_000_000, 0)
	s.watchEnds()
	var next atomic.Int64
	var took, limits, costs []float64
	for round := range *rounds {
		full := s.flow(s.shopper, &next, part{"postgres", s.postgresPID}, part{"temporal", s.server.PID()}, part{"starter", s.starter.PID()}, part{"worker", s.worker.PID()})
		costs = append(costs, full.milliseconds())
		stop := s.load(full.perSecond/2, s.shopper, &next)
		usual := s.behind()
		require.NoError(s, s.worker.Stop(time.Minute))
		time.Sleep(away)
		backlog := s.behind() - usual
		s.worker = s.run("worker")
		began := time.Now()
		for s.behind() > usual+usual/10 {
			require.Less(s, time.Since(began), 10*away, "the backlog doesn't drain")
			time.Sleep(200 * time.Millisecond)
		}
		drained := time.Since(began).Seconds()
		stop()
		// At full speed the backlog drains while the load goes on.
		atBest := float64(backlog) / (full.perSecond - full.perSecond/2)
		took, limits = append(took, drained), append(limits, atBest)
		tell("round %d: %d journeys behind, drained in %.1f s; at full speed %.1f s", round+1, backlog, drained, atBest)
	}
	apart, _, _ := median(costs)
	write(b, ofRounds(Result{Name: "recover", Unit: "s", Goal: "≤ 1.5 × at full speed", Note: "a worker away for a minute under half of what it bears; the load goes on"},
		took, limits, func(ratio float64) bool { return ratio <= 1.5 }),
		Result{Name: "journey_cpu_apart", Value: apart, Unit: "ms", Goal: "stated", Met: true,
			Note: "processor time for one where starter and worker are two processes"})
}

// behind is how many people have begun and aren't done.
func (s *site) behind() int64 { return s.underway.Load() }
