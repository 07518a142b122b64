package starter

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Bounds of the calls in flight. After an outage the whole backlog is there at
// once; Temporal is given as much as it answers quickly.
const (
	inflightStart = 16
	inflightMin   = 4
	inflightMax   = 256
	quick         = 100 * time.Millisecond
	slow          = time.Second
)

// inflight adapts how many calls run at once: one more for every round of quick
// answers, half after a slow or failed one, at most once a second.
type inflight struct {
	sync.Mutex
	limit  float64
	halved time.Time
}

func newInflight() *inflight { return &inflight{limit: inflightStart} }

func (f *inflight) max() int {
	f.Lock()
	defer f.Unlock()
	return int(f.limit)
}

func (f *inflight) observe(took time.Duration, ok bool) {
	f.Lock()
	defer f.Unlock()
	switch {
	case ok && took <= quick:
		f.limit = min(inflightMax, f.limit+1/f.limit)
	case (!ok || took >= slow) && time.Since(f.halved) > time.Second:
		f.limit, f.halved = max(inflightMin, f.limit/2), time.Now()
	}
}

// Pauses while Temporal is away.
const (
	awayFirst = 200 * time.Millisecond
	awayLast  = 10 * time.Second
)

// breaker holds the whole outbox while Temporal can't be reached; one lane at a
// time tries, with growing pauses. It belongs to one goroutine.
type breaker struct {
	gauge prometheus.Gauge
	wait  time.Duration // 0: closed
	until time.Time
}

func (b *breaker) open() bool { return b.wait > 0 }

// note takes the outcome of a lane.
func (b *breaker) note(away bool, now time.Time) {
	switch {
	case !away:
		b.wait = 0
		b.gauge.Set(0)
	case b.open() && now.Before(b.until): // one of those that were under way already
	default:
		b.wait = min(awayLast, max(awayFirst, 2*b.wait))
		b.until = now.Add(b.wait/2 + rand.N(b.wait/2)) // #nosec G404 -- spreads tries
		b.gauge.Set(1)
	}
}

// allowance is how many lanes may be under way.
func (b *breaker) allowance(limit int) int {
	switch {
	case !b.open():
		return limit
	case time.Now().Before(b.until):
		return 0
	}
	return 1
}

// pause is how long to sleep when nothing happens.
func (b *breaker) pause(usual time.Duration) time.Duration {
	if b.open() {
		return max(time.Millisecond, time.Until(b.until))
	}
	return usual
}
