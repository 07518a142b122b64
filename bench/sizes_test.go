package bench

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sizes are those of pools that can be set, beside the defaults.
var sizes = []struct {
	name, is string
	set      []string
}{
	{"default", "", nil},
	{"connections_8", "8 connections to Postgres", []string{"SCRIP_DATABASE_MAX_CONNECTIONS=8"}},
	{"connections_16", "16 connections to Postgres", []string{"SCRIP_DATABASE_MAX_CONNECTIONS=16"}},
	{"pollers_2", "2 pollers of each kind", []string{"SCRIP_WORKER_POLLERS=2"}},
	{"pollers_5", "5 pollers of each kind", []string{"SCRIP_WORKER_POLLERS=5"}},
	{"cached_256", "256 journeys kept in memory", []string{"SCRIP_WORKER_CACHED_WORKFLOWS=256"}},
	{"cached_1024", "1,024 journeys kept in memory", []string{"SCRIP_WORKER_CACHED_WORKFLOWS=1024"}},
}

// BenchmarkSizes holds journeys with other sizes of pools against those with the
// default ones.
func BenchmarkSizes(b *testing.B) {
	s := openServed(b, carts)
	fill(s, s.Store, "cart", 1_000_000, 0)
	s.watchEnds()
	usual := s.environment
	var next atomic.Int64
	rates, costs := map[string][]float64{}, map[string][]float64{}
	for round := range *rounds {
		for i := range sizes {
			size := sizes[(i+round)%len(sizes)]
			require.NoError(s, s.starter.Stop(time.Minute))
			s.environment = append(slices.Clip(usual), size.set...)
			s.starter = s.run("serve")
			f := s.flow(s.shopper, &next, part{"postgres", s.postgresPID}, part{"temporal", s.server.PID()}, part{"scrip", s.starter.PID()})
			tell("round %d: %s: %.1f a second, %.1f ms each", round+1, size.name, f.perSecond, f.milliseconds())
			rates[size.name], costs[size.name] = append(rates[size.name], f.perSecond), append(costs[size.name], f.milliseconds())
		}
	}
	var results []Result
	for _, size := range sizes[1:] {
		results = append(results, ofRounds(Result{Name: "size_" + size.name, Unit: "journeys/s", Goal: "stated",
			Note: fmt.Sprintf("%s; held against the default sizes; %.0f ms each", size.is, slices.Min(costs[size.name]))},
			rates[size.name], rates["default"], atLeast(0)))
	}
	write(b, results...)
}
