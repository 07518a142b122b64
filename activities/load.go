package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/store"
)

// scene is all that an activity knows before it acts: whose journey it is, in
// which version, at which step.
type scene struct {
	Step
	journey *store.Journey
	version *store.Version
	doc     campaign.StepDoc
	contact *store.Contact
	held    []store.Assignment // see codes; nil: not asked for
}

// codes are those that the journey holds, the newest last, as they were when they
// were first asked for, and those that were claimed since. A text is rendered before
// it is let out, so that no transaction asks, which would need a second connection.
func (a *Activities) codes(ctx context.Context, s *scene) ([]store.Assignment, error) {
	if s.held == nil {
		codes, err := a.Store.JourneyCodes(ctx, a.Store.Pool, s.Journey)
		if err != nil {
			return nil, err
		}
		s.hold(codes)
	}
	return s.held, nil
}

func (s *scene) hold(codes []store.Assignment) { s.held = append([]store.Assignment{}, codes...) }

// claimed adds a claim to the codes that are known: it is the newest, unless the
// journey had it before.
func (s *scene) claimed(code store.Assignment) {
	if s.held != nil && !slices.ContainsFunc(s.held, func(known store.Assignment) bool { return known.ID == code.ID }) {
		s.held = append(s.held, code)
	}
}

// load gives the scene of the step at which a journey is: it goes on.
func (a *Activities) load(ctx context.Context, step Step) (*scene, error) {
	s, err := a.look(ctx, step)
	if err == nil && s.journey.State == "parked" {
		err = a.Store.UnparkJourney(ctx, a.Store.Pool, s.journey.ID)
	}
	return s, err
}

// byID is the index of a step that is known by its id alone.
const byID = -1

// look gives the scene of any step of a journey.
func (a *Activities) look(ctx context.Context, step Step) (*scene, error) {
	journey, contact, err := a.Store.JourneyAndContact(ctx, step.Journey)
	if err != nil {
		return nil, err
	}
	version, err := a.Store.Version(ctx, a.Store.Pool, journey.CampaignID, journey.Version)
	if err != nil {
		return nil, err
	}
	if step.Index == byID {
		step.Index = slices.IndexFunc(version.Program.Plan.Steps, func(known campaign.Step) bool { return known.ID == step.ID })
	}
	if step.Index < 0 || step.Index >= len(version.Program.Docs) {
		return nil, fmt.Errorf("finding step %d of %s version %d: %w", step.Index, journey.Campaign, journey.Version, store.ErrNotFound)
	}
	return &scene{Step: step, journey: journey, version: version, doc: version.Program.Docs[step.Index], contact: contact}, nil
}

// zone is the contact's own time zone, else the campaign's, else the project's.
func (a *Activities) zone(s *scene) *time.Location {
	fallback := a.Project.Zone
	if name := s.version.Campaign.TimeZone; name != "" {
		if zone, err := time.LoadLocation(name); err == nil {
			fallback = zone
		}
	}
	return s.contact.Location(fallback)
}

// perform loads the scene of a step that changes something, holds it while its
// campaign is paused, and keeps what is private out of the error.
func (a *Activities) perform(ctx context.Context, doing string, step Step, do func(*scene) (Result, error)) (Result, error) {
	a.underWay.Add(1)
	defer a.underWay.Done()
	s, err := a.load(ctx, step)
	if err != nil {
		return Result{}, a.wrap(ctx, doing, step, err)
	}
	result := held(CampaignPaused)
	if s.journey.CampaignState != "paused" {
		result, err = do(s)
	}
	if err == nil && result.Status != Done {
		err = a.account(ctx, s, result)
	}
	if err != nil {
		return Result{}, a.wrap(ctx, doing, step, err)
	}
	return result, nil
}

// AwaitSteps returns when no step is under way any more, at the latest when the last
// vendor call must have ended. Temporal's own stop doesn't wait for steps that took longer
// than they may inside a workflow task, and an answer that nobody hears leaves its message
// unknown. It is no method, as those are activities.
func AwaitSteps(a *Activities) {
	done := make(chan struct{})
	go func() { a.underWay.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(a.limits().Attempt()):
	}
}

// held is the result of a step that waits for somebody to mend or release it.
func held(reason string) Result { return Result{Status: Held, Reason: reason} }

// account counts a step that is not done, and says in Postgres why a journey is
// held: whoever releases it finds it there, and whoever asks.
func (a *Activities) account(ctx context.Context, s *scene, result Result) error {
	a.Observe.NotDone(s.journey.Campaign, string(s.doc.Verb), result.Status, result.Reason)
	if result.Status != Held {
		return nil
	}
	return a.Store.ParkJourney(ctx, a.Store.Pool, s.Journey, s.ID, result.Reason)
}
