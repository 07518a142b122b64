package activities

import (
	"context"
	"time"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

const (
	// settlePause is the least time between two looks at an unknown outcome.
	settlePause = 30 * time.Second
	// settleLimit is when an unknown outcome is parked although the vendor's event
	// stream never showed whether it flows.
	settleLimit = 24 * time.Hour
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
		sent, found, err := finder.Find(ctx, integrations.Message{ID: m.ID, To: m.Address}, m.CalledAt)
		if err != nil {
			return Result{}, again(UnknownOutcome, settlePause)
		}
		if found {
			return a.settled(ctx, s, m, store.Outcome{State: store.MessageAccepted, VendorID: sent.VendorID})
		}
		if time.Since(m.CalledAt) > settlePause {
			return a.settled(ctx, s, m, store.Outcome{State: store.MessageReserved})
		}
		return Result{}, again(UnknownOutcome, settlePause)
	}
	silent := time.Since(m.CalledAt)
	if silent < outlet.EvidenceWindow {
		return Result{}, again(UnknownOutcome, min(outlet.EvidenceWindow-silent, settlePause))
	}
	flows, err := a.Store.StreamFlows(ctx, m.Connection, m.CalledAt)
	if err != nil {
		return Result{}, err
	}
	switch {
	case flows && outlet.Resend:
		return a.settled(ctx, s, m, store.Outcome{State: store.MessageReserved})
	case flows, silent > settleLimit:
		return a.parkUnknown(ctx, s, m)
	}
	return Result{}, again(UnknownOutcome, settlePause)
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
	return Result{}, again("the outcome is known", 0)
}

// parkUnknown puts the message on the list that a person works through; the
// journey waits for their word.
func (a *Activities) parkUnknown(ctx context.Context, s *scene, m *store.Message) (Result, error) {
	if _, err := a.Store.Settle(ctx, m, store.Outcome{State: store.MessageParked, Reason: UnknownOutcome}); err != nil {
		return Result{}, err
	}
	a.Observe.Sent(m.Channel, m.Connection, store.MessageParked)
	return a.park(ctx, s, UnknownOutcome)
}
