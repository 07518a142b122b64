package bench

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// side is one of those that take turns: so many clients do the same thing again and
// again.
type side struct {
	name    string
	clients int
	do      func(client, n int) error
	before  func() // each turn; may be nil
	count   int    // ends a turn; 0: the window does
}

// turn is what a side did in one window.
type turn struct {
	perSecond float64
	took      []time.Duration // each time, sorted
}

func (t turn) percentile(p int) time.Duration { return t.took[min(len(t.took)*p/100, len(t.took)-1)] }

func (s side) turn(t testing.TB) turn {
	t.Helper()
	if s.before != nil {
		s.before()
	}
	var begun atomic.Int64
	took := make([][]time.Duration, s.clients)
	failed := make(chan error, s.clients)
	var working sync.WaitGroup
	began := time.Now()
	for client := range s.clients {
		working.Go(func() {
			for n := 0; s.goesOn(began, &begun); n++ {
				at := time.Now()
				if err := s.do(client, n); err != nil {
					failed <- err
					return
				}
				took[client] = append(took[client], time.Since(at))
			}
		})
	}
	working.Wait()
	elapsed := time.Since(began)
	select {
	case err := <-failed:
		require.NoError(t, err, s.name)
	default:
	}
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	require.NotEmpty(t, all, s.name)
	return turn{float64(len(all)) / elapsed.Seconds(), all}
}

func (s side) goesOn(began time.Time, begun *atomic.Int64) bool {
	if s.count > 0 {
		return begun.Add(1) <= int64(s.count)
	}
	return time.Since(began) < *window
}

// alternate lets the sides take turns; each side's turns come in the order of the
// rounds.
func alternate(t testing.TB, sides ...side) [][]turn { return alternateFor(t, *rounds, sides...) }

func alternateFor(t testing.TB, rounds int, sides ...side) [][]turn {
	t.Helper()
	turns := make([][]turn, len(sides))
	for round := range rounds {
		for i, s := range sides {
			// Who begins changes, so that none is always the one after the other.
			i = (i + round) % len(sides)
			s = sides[i]
			turns[i] = append(turns[i], s.turn(t))
			tell("round %d: %s: %.0f a second", round+1, s.name, turns[i][round].perSecond)
		}
	}
	return turns
}

// against compares rates.
func against(name, unit string, what, limit []turn, goal string, met func(ratio float64) bool, note string) Result {
	var rates, limits []float64
	for i := range what {
		rates, limits = append(rates, what[i].perSecond), append(limits, limit[i].perSecond)
	}
	return ofRounds(Result{Name: name, Unit: unit, Goal: goal, Note: note}, rates, limits, met)
}

func atLeast(goal float64) func(float64) bool {
	return func(ratio float64) bool { return ratio >= goal }
}

// percentile compares how long the slowest take, in milliseconds.
func percentile(name string, p int, what, limit []turn, goal string, met func(ratio float64) bool, note string) Result {
	var values, limits []float64
	for i := range what {
		values, limits = append(values, what[i].percentile(p).Seconds()*1000), append(limits, limit[i].percentile(p).Seconds()*1000)
	}
	return ofRounds(Result{Name: name, Unit: "ms", Goal: goal, Note: note}, values, limits, met)
}

// ofRounds fills in what the rounds gave: medians, and the spread of the ratios.
func ofRounds(r Result, values, limits []float64, met func(ratio float64) bool) Result {
	ratios := make([]float64, len(values))
	for i := range values {
		ratios[i] = values[i] / limits[i]
	}
	r.Value, _, _ = median(values)
	r.Limit, _, _ = median(limits)
	r.Ratio, r.Least, r.Most = median(ratios)
	r.Met = met(r.Ratio)
	return r
}
