package sandbox

import (
	"context"
	"slices"
	"time"
)

// lateBy is how late FaultLate makes webhooks that nobody said a time for.
const lateBy = 2 * time.Second

// report is one thing that a vendor tells of a message: its new status, and the
// webhook that says so, made and signed when the status is reached.
type report struct {
	status Status
	hook   func(now time.Time) (webhook, bool)
}

// reports tells what becomes of a message, beside the request that brought it or,
// where it is set so, before that is answered.
func (s *Sandbox) reports(vendor string, m Message, all []report) {
	f, _ := s.faults.next(vendor, meetsMessages)
	if f.Kind == FaultEarly {
		s.tell(s.ctx, f, m, all)
		return
	}
	s.later(func(ctx context.Context) { s.tell(ctx, f, m, all) })
}

func (s *Sandbox) tell(ctx context.Context, f Fault, m Message, all []report) {
	var kept []webhook
	for _, r := range all {
		if f.Kind != FaultEarly {
			s.pause(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		r.status.At = s.o.Now()
		if !m.had(r.status.Name) {
			s.messages.mark(m.ID, r.status)
			s.watchers.notify()
		}
		hook, ok := r.hook(r.status.At)
		switch {
		case !ok:
		case f.Kind == FaultReordered, f.Kind == FaultLate:
			kept = append(kept, hook)
		case hook.events != nil && s.o.Gather > 0:
			s.gather(hook.events)
		default:
			s.post(ctx, hook)
		}
	}
	if f.Kind == FaultLate {
		delay := time.Duration(f.DelayMS) * time.Millisecond
		if delay == 0 {
			delay = lateBy
		}
		sleep(ctx, delay)
	}
	if f.Kind == FaultReordered {
		slices.Reverse(kept)
	}
	for _, hook := range kept {
		s.post(ctx, hook)
	}
}
