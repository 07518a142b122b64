package activities

import (
	"math/rand/v2"
	"time"
)

// Limits are the times of a vendor call. Each is shorter than what stands around
// it: the call's HTTP time-out < Call < Attempt < what Temporal gives one attempt
// of a step. So a call that is still under way is never taken for lost.
type Limits struct {
	Call    time.Duration // one vendor call; default 15 s
	Report  time.Duration // writing down what the vendor answered; default 5 s
	Backoff time.Duration // until a vendor that took nothing is asked again, the first time; default 5 s
	Settle  time.Duration // the least time between two looks at an unknown outcome; default 30 s
}

// Attempt is when an attempt that said nothing is given up as lost.
func (l Limits) Attempt() time.Duration { return l.Call + l.Report }

// limits are those that are set, with the defaults for the others.
func (a *Activities) limits() Limits {
	l := a.Limits
	for _, limit := range []struct {
		set      *time.Duration
		standard time.Duration
	}{{&l.Call, 15 * time.Second}, {&l.Report, 5 * time.Second}, {&l.Backoff, 5 * time.Second}, {&l.Settle, 30 * time.Second}} {
		if *limit.set == 0 {
			*limit.set = limit.standard
		}
	}
	return l
}

// backoffDoubles is how often the pause before a vendor doubles: from 5 s to five
// minutes and twenty seconds.
const backoffDoubles = 6

// pause is how long a vendor that took nothing is left alone before the next
// attempt: at least as long as it asks, twice as long after each attempt, and for
// no two messages the same, so that what waited for a vendor's return isn't all
// there in the same moment.
func (l Limits) pause(attempt int32, asked time.Duration) time.Duration {
	pause := l.Backoff << min(max(attempt-1, 0), backoffDoubles)
	return max(asked, pause) + rand.N(pause/2) // #nosec G404 -- spreads tries
}
