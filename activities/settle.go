package activities

import (
	"context"
	"time"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

const (
	// settleLimit is when an unknown outcome is parked although the vendor's event
	// stream never showed whether it flows.
	settleLimit = 24 * time.Hour

	waitingForWord = "nobody knows yet whether the message was sent; waiting for the vendor's word"
)

// settle finds out what became of a message whose call ended without an answer:
// it asks the vendor where the vendor can be asked, else waits for its delivery
// event, else, once later messages' events show that the stream flows, the
// connection's policy decides.
func (a *Activities) settle(ctx context.Context, s *scene, m *store.Message) (Result, error) {
	outlet, ok := a.Connections.Outlet(m.Channel, m.Connection)
	if !ok {
		return a.parkUnknown(ctx, s, m)
	}
	if finder, ok := outlet.Channel.(integrations.Finder); ok {
		return a.find(ctx, s, m, finder)
	}
	silent := m.Since()
	if silent < outlet.EvidenceWindow {
		return Result{}, again(UnknownOutcome, waitingForWord, min(outlet.EvidenceWindow-silent, a.limits().Settle))
	}
	flows, err := a.Store.StreamFlows(ctx, m)
	if err != nil {
		return Result{}, err
	}
	switch {
	case flows && outlet.Resend:
		return a.settled(ctx, s, m, store.Outcome{State: store.MessageReserved, Resend: true})
	case flows, silent > settleLimit:
		return a.parkUnknown(ctx, s, m)
	}
	return Result{}, again(UnknownOutcome, waitingForWord, a.limits().Settle)
}

// find asks the vendor, which knows the message by its text. A vendor that can't
// tell yet, or can't be reached, is asked again.
func (a *Activities) find(ctx context.Context, s *scene, m *store.Message, finder integrations.Finder) (Result, error) {
	out, _, err := a.render(ctx, s, *m)
	if err != nil {
		return a.parkUnknown(ctx, s, m)
	}
	out.ID, out.To, out.Deadline = m.ID, m.Address, m.Begun().Add(m.Span)
	sent, found, err := finder.Find(ctx, out, m.Begun())
	switch {
	case err != nil && m.Since() > settleLimit:
		return a.parkUnknown(ctx, s, m)
	case err != nil:
		return Result{}, again(UnknownOutcome, waitingForWord, a.limits().Settle)
	case found:
		return a.settled(ctx, s, m, store.Outcome{State: store.MessageAccepted, VendorID: sent.VendorID})
	}
	return a.settled(ctx, s, m, store.Outcome{State: store.MessageReserved})
}

// settled writes the answer down and has the step decided by it.
func (a *Activities) settled(ctx context.Context, s *scene, m *store.Message, o store.Outcome) (Result, error) {
	moved, err := a.Store.Settle(ctx, m, o)
	if err != nil {
		return Result{}, err
	}
	if moved && o.State == store.MessageAccepted {
		a.Observe.Sent(m.Channel, m.Connection, o.State)
		return a.sent(ctx, s, m.AssignmentID)
	}
	return Result{}, again(ErrorChanged, "the outcome is known", 0)
}

// parkUnknown puts the message on the list that a person works through; the
// journey waits for their word.
func (a *Activities) parkUnknown(ctx context.Context, s *scene, m *store.Message) (Result, error) {
	if _, err := a.Store.Settle(ctx, m, store.Outcome{State: store.MessageParked, Reason: UnknownOutcome}); err != nil {
		return Result{}, err
	}
	a.Observe.Sent(m.Channel, m.Connection, store.MessageParked)
	return held(UnknownOutcome), nil
}
