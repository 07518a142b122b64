package worst

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"scrip.dev/scrip/activities"
)

const (
	// patience bounds every wait for something to happen.
	patience = 2 * time.Minute
	// longestPause is how long the loop really waits where Temporal would wait for
	// longer: nothing that is proved depends on a message being left alone.
	longestPause = 40 * time.Millisecond
)

// attempt is one run of a step's activity and what it asked of Temporal.
type attempt struct {
	at     time.Time
	reason string        // the error's type; "" for a result
	delay  time.Duration // NextRetryDelay
}

// send runs one step as Temporal does, until it has a result, and gives every
// attempt. pause says how long to wait for a delay that was asked for.
func (w *world) send(journey, channel string, pause func(time.Duration) time.Duration) (activities.Result, []attempt) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(w.hands)
	step := steps[channel]
	step.Journey, step.Due = journey, time.Now()
	var attempts []attempt
	for until := time.Now().Add(patience); time.Now().Before(until); {
		a := attempt{at: time.Now()}
		value, err := env.ExecuteActivity(w.hands.Send, step)
		if err == nil {
			var result activities.Result
			if err = value.Get(&result); err == nil {
				return result, append(attempts, a)
			}
		}
		a.reason, a.delay = asked(err)
		attempts = append(attempts, a)
		time.Sleep(pause(a.delay))
	}
	w.Errorf("the %s of %s came to no end: %+v", channel, journey, attempts[max(0, len(attempts)-5):])
	return activities.Result{}, attempts
}

// asked reads what a failed attempt asks of Temporal. A panic is a worker that
// died: Temporal notices only after a while.
func asked(err error) (reason string, delay time.Duration) {
	var app *temporal.ApplicationError
	if temporal.IsPanicError(err) {
		return died, 0
	}
	if !errors.As(err, &app) {
		return "unexpected: " + err.Error(), time.Second
	}
	return app.Type(), app.NextRetryDelay()
}

func quickly(asked time.Duration) time.Duration {
	return min(max(asked, time.Millisecond), longestPause)
}

// sendAll sends the messages of new journeys, some at once, some of them by two
// attempts at a time, and calls ease when they are done. Meanwhile others are
// written to as well, because only a message after one that nobody knows about
// shows that the vendor's events flow.
func (w *world) sendAll(n, together int, ease func()) (ids []string) {
	var open atomic.Int64
	send := func(id string, twice bool) {
		defer open.Add(-1)
		for _, channel := range []string{"email", "sms"} {
			var twin sync.WaitGroup
			if twice {
				twin.Go(func() { w.send(id, channel, quickly) })
			}
			w.send(id, channel, quickly)
			twin.Wait()
		}
	}
	work, main := make(chan int, n), make(chan struct{})
	for i := range n {
		ids = append(ids, w.journey())
		work <- i
	}
	close(work)
	open.Add(int64(n))
	var pool sync.WaitGroup
	for range together {
		pool.Go(func() {
			for i := range work {
				send(ids[i], i%7 == 3)
			}
		})
	}
	go func() { pool.Wait(); ease(); close(main) }()
	var others []string
	for {
		if time.Sleep(w.window); open.Load() == 0 {
			break
		}
		others = append(others, w.journey())
		open.Add(1)
		go send(others[len(others)-1], false)
	}
	<-main
	return append(ids, others...)
}

// quiet waits until everything that the vendors tell has been taken and dispatched.
func (w *world) quiet() {
	w.Helper()
	w.sandbox.Settle()
	w.until("the webhooks to be dispatched", func() bool {
		return w.count(`SELECT (SELECT count(*) FROM delivery_queue) + (SELECT count(*) FROM outbox)`) == 0
	})
}

func (w *world) until(what string, done func() bool) {
	w.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		require.True(w, time.Now().Before(deadline), "waited %s for %s", patience, what)
	}
}

var background = context.Background()
