package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

const (
	defaultLate = 24 * time.Hour
	minLate     = time.Minute // of real time, on a development clock

	// lookAgain is how often an attempt is asked for that somebody else has under way:
	// most often the workflow, which didn't wait for the vendor's answer.
	lookAgain = 2 * time.Second
)

// Send sends the message of a send step, at most once. It decides in this order:
// what the ledger already knows; whether the message may go, and now; which code
// it carries; then it calls the vendor. A message that doesn't go is a row with
// one reason.
func (a *Activities) Send(ctx context.Context, step Step) (Result, error) {
	return a.perform(ctx, "sending", step, func(s *scene) (Result, error) { return a.send(ctx, s) })
}

func (a *Activities) send(ctx context.Context, s *scene) (Result, error) {
	m := store.Message{
		SendKey: s.Journey + "/" + s.ID, JourneyID: s.Journey, Step: s.ID, ContactID: s.contact.ID,
		Channel: s.doc.Send.Channel, Kind: s.doc.Send.Kind, Template: s.doc.Send.Template, TimeZone: a.zone(s).String(),
	}
	outlet, ok := a.Connections.Outlet(m.Channel, s.doc.Send.Connection)
	if ok {
		m.Connection, m.Address = outlet.Name, s.contact.Address(m.Channel)
	}
	look, err := a.Store.LookBeforeSend(ctx, m, dueFor(ctx))
	if err != nil {
		return Result{}, err
	}
	s.hold(look.Codes)
	if look.Known != nil && look.Known.State != store.MessageReserved {
		return a.knownMessage(ctx, s, look.Known)
	}
	if !ok {
		return a.skip(ctx, s, m, NoConnection)
	}
	m.TemplateVersion = look.TemplateNo
	if result, stop, err := a.mayGo(ctx, s, m, outlet, look.Gate); stop || err != nil {
		return result, err
	}
	if result, err := a.codeForSend(ctx, s, &m); err != nil || result.Status != "" {
		return result, err
	}
	return a.deliver(ctx, s, m, outlet)
}

// mayGo asks everything that can stop or hold a message before a code is claimed
// for it.
func (a *Activities) mayGo(ctx context.Context, s *scene, m store.Message, outlet Outlet, gate store.Gate) (Result, bool, error) {
	gate, err := a.quiet(ctx, m, gate)
	if err != nil {
		return Result{}, true, err
	}
	reason, holds := stops(gate, m)
	switch {
	case holds:
		result, err := a.hold(s, reason)
		return result, true, err
	case reason == "":
		reason = outlet.Guard(m.Address)
	}
	if reason == "" && s.tooLate(time.Now()) {
		reason = TooLate
	}
	if reason != "" {
		result, err := a.skip(ctx, s, m, reason)
		return result, true, err
	}
	// The workflow's clock, not the database's: it is the one that waits.
	now := time.Now()
	opens, err := a.nextOpen(s, m, now)
	if err == nil && opens.After(now) {
		return Result{Status: Held, Reason: OutOfWindow, Until: opens}, true, nil
	}
	return Result{}, false, err
}

// quiet looks at a gate anew while events are on their way to it, for a second and a
// half: under load some always are, and another attempt by Temporal would cost more
// than the message does.
func (a *Activities) quiet(ctx context.Context, m store.Message, gate store.Gate) (store.Gate, error) {
	for wait := 25 * time.Millisecond; gate.EventsWaiting && wait <= 800*time.Millisecond; wait *= 2 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return gate, ctx.Err()
		}
		var err error
		if gate, err = a.Store.SendGate(ctx, a.Store.Pool, m, dueFor(ctx)); err != nil {
			return gate, err
		}
	}
	return gate, nil
}

// dueFor is how long ago Temporal asked for the step.
func dueFor(ctx context.Context) time.Duration {
	return max(0, time.Since(activity.GetInfo(ctx).ScheduledTime))
}

// stops gives the one reason for which a message may not go, and whether that
// only holds it.
func stops(g store.Gate, m store.Message) (reason string, holds bool) {
	marketing := m.Kind == campaign.Marketing
	switch {
	case g.JourneyState == "ended":
		return JourneyOver, false
	case g.CampaignState == "paused":
		return CampaignPaused, true
	case g.KillSwitch && marketing:
		return KillSwitch, true
	case m.JourneyID != "" && g.EventsWaiting:
		return EventsWaiting, true
	case m.Address == "":
		return NoAddress, false
	case marketing && g.Consent != event.Granted:
		return NoConsent, false
	case g.Suppressed != "" && (marketing || g.SuppressedHard):
		return Suppressed, false
	}
	return "", false
}

// hold keeps what a person has to release, and asks again by itself where time
// alone helps.
func (a *Activities) hold(s *scene, reason string) (Result, error) {
	if reason == EventsWaiting {
		a.Observe.NotDone(s.journey.Campaign, string(s.doc.Verb), Held, reason)
		return Result{}, again(EventsWaiting, "an event that was accepted has not reached the journey yet", 200*time.Millisecond)
	}
	return held(reason), nil
}

func (s *scene) tooLate(now time.Time) bool {
	late := s.doc.Send.Late
	if late == 0 {
		late = defaultLate
	}
	allowed := s.Clock.Shorten(late)
	if allowed < late {
		// On a development clock a day can pass while one message is sent.
		allowed = max(allowed, minLate)
	}
	return !s.Due.IsZero() && now.After(s.Due.Add(allowed))
}

// nextOpen is the next moment that lies outside the channel's quiet hours and
// inside the step's window, by the contact's clock. Where no moment is in both,
// the window that the step names wins.
func (a *Activities) nextOpen(s *scene, m store.Message, now time.Time) (time.Time, error) {
	zone, windows := a.zone(s), []string{}
	if quiet := a.Project.QuietHours[m.Channel]; quiet != "" && m.Kind == campaign.Marketing {
		hours, err := campaign.ParseWindow(quiet)
		if err != nil {
			return time.Time{}, err
		}
		windows = append(windows, hours.Complement().String())
	}
	if s.doc.Send.Between != "" {
		windows = append(windows, s.doc.Send.Between)
	}
	at := s.Clock.Virtual(now)
	for range 4 {
		before := at
		for _, window := range windows {
			var err error
			if at, err = campaign.NextOpen(at, window, zone); err != nil {
				return time.Time{}, err
			}
		}
		if at.Equal(before) {
			break
		}
	}
	return s.Clock.Real(at), nil
}

// skip writes the one reason for which a message was not sent.
func (a *Activities) skip(ctx context.Context, s *scene, m store.Message, reason string) (Result, error) {
	if m.Connection == "" {
		m.Connection = s.doc.Send.Connection
	}
	if err := a.Store.SkipMessage(ctx, a.Store.Pool, m, reason); err != nil {
		return Result{}, err
	}
	a.Observe.Skipped(m.Channel, reason)
	return Result{Status: Skipped, Reason: reason}, nil
}

// codeForSend notes the code that the message carries: a claimed one where the
// step names a coupon, else the journey's newest. A result with a status ends the
// step.
func (a *Activities) codeForSend(ctx context.Context, s *scene, m *store.Message) (Result, error) {
	var code *store.Assignment
	if s.doc.Send.Coupon != "" {
		claimed, result, err := a.claim(ctx, s, claimOf(s.doc.Send.Coupon))
		if result.Status == Skipped && err == nil {
			return a.skip(ctx, s, *m, result.Reason)
		}
		if err != nil || result.Status != "" {
			return result, err
		}
		code = claimed
	} else {
		codes, err := a.codes(ctx, s)
		if err != nil || len(codes) == 0 {
			return Result{}, err
		}
		code = &codes[len(codes)-1]
	}
	if reason := unusable(code, time.Now()); reason != "" {
		return a.skip(ctx, s, *m, reason)
	}
	m.AssignmentID = code.ID
	return Result{}, nil
}

// unusable says why a code must not go out (any more).
func unusable(code *store.Assignment, now time.Time) string {
	switch {
	case code.State == "redeemed":
		return CodeUsed
	case code.State == "expired", !code.ExpiresAt.IsZero() && !now.Before(code.ExpiresAt):
		return CodeExpired
	case code.State == "withdrawn", code.State == "returned":
		return NoCode
	}
	return ""
}

// knownMessage answers for a message that the ledger has a word about.
func (a *Activities) knownMessage(ctx context.Context, s *scene, m *store.Message) (Result, error) {
	switch m.State {
	case store.MessageAccepted:
		return a.sent(ctx, s, m.AssignmentID)
	case store.MessageSkipped:
		return Result{Status: Skipped, Reason: m.Reason}, nil
	case store.MessageRefused:
		return Result{Status: Failed, Reason: m.Reason}, nil
	case store.MessageParked:
		return held(UnknownOutcome), nil
	case store.MessageCalling:
		if rest := m.Left(); rest > 0 {
			return Result{}, again(ErrorUnderWay, "another attempt is under way", min(rest, lookAgain))
		}
		if _, err := a.Store.EndCall(ctx, m, store.Outcome{State: store.MessageUnknown, Reason: UnknownOutcome}); err != nil {
			return Result{}, err
		}
		return Result{}, again(UnknownOutcome, "the last attempt ended without a word", 0)
	case store.MessageUnknown:
		return a.settle(ctx, s, m)
	}
	return Result{}, fmt.Errorf("reading a message in state %s", m.State)
}

// sent is the result of a message that the vendor has.
func (a *Activities) sent(ctx context.Context, s *scene, assignmentID int64) (Result, error) {
	result := Result{Status: Done}
	if assignmentID == 0 {
		return result, nil
	}
	codes, err := a.codes(ctx, s)
	if err != nil || len(codes) == 0 {
		return result, err
	}
	result.Expiry = codes[len(codes)-1].ExpiresAt
	return result, nil
}
