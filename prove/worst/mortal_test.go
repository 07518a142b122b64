package worst

import (
	"context"
	"sync/atomic"
	"time"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/worker"
)

// mortals are the real connections, in a worker that can die while it calls.
type mortals struct {
	worker.Connections
	// dies is how many of the next calls the worker doesn't outlive: the vendor has
	// answered, and nobody is left to write it down.
	dies atomic.Int64
}

func (m *mortals) Outlet(channel, name string) (activities.Outlet, bool) {
	outlet, ok := m.Connections.Outlet(channel, name)
	if !ok {
		return outlet, ok
	}
	finder, finds := outlet.Channel.(integrations.Finder)
	outlet.Channel = &mortal{outlet.Channel, m}
	if finds {
		outlet.Channel = &mortalFinder{mortal{outlet.Channel, m}, finder}
	}
	return outlet, ok
}

// sends has another name than its one method.
type sends = integrations.Channel

type mortal struct {
	sends
	of *mortals
}

// died is what the retrying loop takes for the end of a worker.
const died = "the worker died"

func (m *mortal) Send(ctx context.Context, message integrations.Message) (integrations.Sent, error) {
	sent, err := m.sends.Send(ctx, message)
	if m.of.dies.Add(-1) >= 0 {
		panic(died)
	}
	return sent, err
}

type mortalFinder struct {
	mortal
	finder integrations.Finder
}

func (m *mortalFinder) Find(ctx context.Context, message integrations.Message, since time.Time) (integrations.Sent, bool, error) {
	return m.finder.Find(ctx, message, since)
}
