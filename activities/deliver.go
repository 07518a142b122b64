package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// deliver renders a message, opens its attempt in the ledger and calls the vendor.
func (a *Activities) deliver(ctx context.Context, s *scene, m store.Message, outlet Outlet) (Result, error) {
	rendered, version, err := a.render(ctx, s, m)
	if err != nil {
		var broken *renderError
		if errors.As(err, &broken) {
			return a.unrendered(ctx, s, m, broken)
		}
		return Result{}, err
	}
	m.TemplateVersion = version
	begun, reason, err := a.begin(ctx, s, m, textOf(rendered))
	if err != nil {
		return Result{}, err
	}
	if begun == nil {
		// Something changed between the first look and the last; decide anew.
		return Result{}, again(ErrorChanged, reason, 100*time.Millisecond)
	}
	return a.call(ctx, s, begun, outlet, rendered)
}

// unrendered holds a message until its template is mended. The journey is parked before
// the last look at the template: whoever mends it later finds the journey to resume.
func (a *Activities) unrendered(ctx context.Context, s *scene, m store.Message, broken *renderError) (Result, error) {
	if err := a.Store.ParkJourney(ctx, a.Store.Pool, s.Journey, s.ID, RenderError); err != nil {
		return Result{}, err
	}
	newest, err := a.Store.AppliedTemplateNo(ctx, a.Store.Pool, m.Template)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Result{}, err
	}
	if newest != m.TemplateVersion {
		return Result{}, again(ErrorChanged, "the template was mended", 0)
	}
	a.Log.WarnContext(ctx, "a template can't be rendered; mend it and apply, or resume the journey", "journey", s.Journey,
		"step", s.ID, "template", m.Template, "error", broken)
	return held(RenderError), nil
}

// begin opens the attempt in one transaction with the last look at the gate; the
// codes that the text shows are seen from then on.
func (a *Activities) begin(ctx context.Context, s *scene, m store.Message, text string) (*store.Message, string, error) {
	reason := "another attempt is under way"
	begun, err := a.Store.BeginCall(ctx, m, a.limits().Attempt(), func(tx *store.Tx) (bool, error) {
		gate, err := a.Store.SendGate(ctx, tx, m, dueFor(ctx))
		if err != nil {
			return false, err
		}
		if stop, _ := stops(gate, m); stop != "" {
			reason = stop
			return false, nil
		}
		if m.AssignmentID != 0 && unusable(&store.Assignment{State: gate.CodeState, ExpiresAt: expiry(gate.CodeExpires)}, time.Now()) != "" {
			reason = "the code changed"
			return false, nil
		}
		return true, a.letOut(ctx, tx, s, m.AssignmentID, text)
	})
	return begun, reason, err
}

func expiry(at time.Time) time.Time {
	if at.Unix() == 0 {
		return time.Time{}
	}
	return at
}

// call makes the vendor call of an open attempt and reports on it. The call isn't
// cut short when the worker stops: an answer that nobody hears is worse.
func (a *Activities) call(ctx context.Context, s *scene, m *store.Message, outlet Outlet, out integrations.Message) (Result, error) {
	limits := a.limits()
	out.ID, out.To = m.ID, m.Address
	out.Marketing = m.Kind == campaign.Marketing
	out.StatusURL = a.statusURL(outlet.Name, m.ID)
	out.Deadline = m.Begun().Add(limits.Call)
	if out.Marketing {
		out.UnsubscribeURL = a.unsubscribeURL(ctx, m.ContactID, m.Channel)
	}
	callCtx, cancel := context.WithDeadline(context.WithoutCancel(ctx), out.Deadline)
	defer cancel()
	sent, err := outlet.Channel.Send(callCtx, out)
	outcome, after := classify(sent, err)
	reportCtx, cancelReport := context.WithTimeout(context.WithoutCancel(ctx), limits.Report)
	defer cancelReport()
	moved, reportErr := a.Store.EndCall(reportCtx, m, outcome)
	if reportErr != nil {
		return Result{}, reportErr
	}
	a.Observe.Sent(m.Channel, m.Connection, outcome.State)
	if !moved && outcome.State == store.MessageAccepted {
		// The attempt was given up before it could say that the vendor has the
		// message. Its word is still true.
		told := event.Evidence{MessageID: m.ID, VendorID: outcome.VendorID, At: time.Now()}
		if err := a.Store.RecordEvidence(reportCtx, a.Store.Pool, []string{m.Connection}, told); err != nil {
			return Result{}, err
		}
	}
	if !moved {
		return Result{}, again(ErrorChanged, "the message moved on", 0)
	}
	switch outcome.State {
	case store.MessageAccepted:
		if s == nil {
			return Result{Status: Done}, nil
		}
		return a.sent(reportCtx, s, m.AssignmentID)
	case store.MessageRefused:
		a.Observe.Skipped(m.Channel, outcome.Reason)
		return Result{Status: Failed, Reason: outcome.Reason}, nil
	case store.MessageUnknown:
		return Result{}, again(UnknownOutcome, outlet.Name+" gave no answer that says whether it took the message", time.Second)
	default:
		return Result{}, again(ErrorNotAccepted, notAccepted(outlet.Name, err), limits.pause(activity.GetInfo(ctx).Attempt, after))
	}
}

// classify turns a vendor's answer into what the ledger keeps of it and, where it
// may be tried again, how long to wait at least.
func classify(sent integrations.Sent, err error) (store.Outcome, time.Duration) {
	if err == nil {
		return store.Outcome{State: store.MessageAccepted, VendorID: integrations.Storable(sent.VendorID)}, 0
	}
	var vendor *integrations.Error
	if !errors.As(err, &vendor) {
		return store.Outcome{State: store.MessageUnknown, Reason: UnknownOutcome}, 0
	}
	// Whatever a vendor answers, that it answered must not be lost.
	detail := integrations.Storable(vendor.Code + " " + vendor.Detail)
	switch vendor.Class {
	case integrations.Invalid:
		return store.Outcome{State: store.MessageRefused, Reason: VendorRefused, Detail: detail}, 0
	case integrations.Suppressed:
		return store.Outcome{State: store.MessageRefused, Reason: Suppressed, Detail: detail}, 0
	case integrations.Retry, integrations.RateLimited:
		return store.Outcome{State: store.MessageReserved, Detail: detail}, vendor.RetryAfter
	case integrations.Auth:
		// A person has to mend the connection; until then a try a minute is enough.
		return store.Outcome{State: store.MessageReserved, Reason: "auth", Detail: detail}, time.Minute
	default:
		return store.Outcome{State: store.MessageUnknown, Reason: UnknownOutcome, Detail: detail}, 0
	}
}

// notAccepted says what a vendor answered, in its own code.
func notAccepted(connection string, err error) string {
	var vendor *integrations.Error
	if errors.As(err, &vendor) {
		return connection + " took nothing: " + vendor.Class.String() + " (" + vendor.Code + ")"
	}
	return connection + " took nothing"
}

func (a *Activities) statusURL(connection, messageID string) string {
	return a.Project.PublicURL + "/hooks/" + connection + "/status?m=" + messageID
}
