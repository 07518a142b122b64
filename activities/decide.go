package activities

import (
	"context"
	"time"

	"scrip.dev/scrip/campaign"
)

// Decide evaluates the condition of an `if`. A condition that fails at run time
// parks the journey: the campaign or the data can be mended.
func (a *Activities) Decide(ctx context.Context, step Step) (Result, error) {
	return a.perform(ctx, "deciding", step, func(s *scene) (Result, error) { return a.decide(ctx, s) })
}

func (a *Activities) decide(ctx context.Context, s *scene) (Result, error) {
	data, err := a.data(ctx, s)
	if err != nil {
		return Result{}, err
	}
	if data.Answers, err = a.Store.Answers(ctx, a.Store.Pool, s.contact.ID, s.doc.If.Needs(), data.Now); err != nil {
		return Result{}, err
	}
	holds, err := s.doc.If.Eval(data)
	if err != nil {
		a.Log.WarnContext(ctx, "a condition can't be evaluated", "journey", s.Journey, "step", s.ID, "condition", s.doc.If.Source())
		return held(ExpressionError), nil
	}
	return Result{Status: Done, Holds: holds}, nil
}

// data is what conditions see after entry.
func (a *Activities) data(ctx context.Context, s *scene) (campaign.Data, error) {
	trigger, event, err := a.events(ctx, s, true)
	if err != nil {
		return campaign.Data{}, err
	}
	steps, err := a.steps(ctx, s)
	if err != nil {
		return campaign.Data{}, err
	}
	codes, err := a.codes(ctx, s)
	if err != nil {
		return campaign.Data{}, err
	}
	entry, err := a.entry(ctx, s)
	if err != nil {
		return campaign.Data{}, err
	}
	coupon, err := a.couponOf(ctx, codes)
	if err != nil {
		return campaign.Data{}, err
	}
	byCoupon, newest := map[string]any{}, map[string]any(nil)
	for _, c := range codes {
		newest = map[string]any{"code": c.Code, "coupon": c.Coupon, "state": c.State, "expires_at": c.ExpiresAt}
		byCoupon[c.Coupon] = newest
	}
	return campaign.Data{
		Contact: s.contact.CEL(), Event: event, Trigger: trigger, Steps: steps, Code: newest, Codes: byCoupon, Coupon: coupon, Now: time.Now(),
		Entry: entry,
	}, nil
}

// entry is how the contact came in.
func (a *Activities) entry(ctx context.Context, s *scene) (map[string]any, error) {
	fields, err := a.Store.Event(ctx, a.Store.Pool, s.journey.EntryEventID, true)
	if err != nil {
		return nil, err
	}
	key, _ := s.version.Campaign.EntryKey(s.journey.EntryEventID, fields)
	return map[string]any{"key": key, "at": s.journey.CreatedAt, "number": s.journey.EntryNo}, nil
}

// events loads the event that started the journey and the one that took the arm
// the step is in, with their payloads if they are wanted; outside an arm both are the
// same.
func (a *Activities) events(ctx context.Context, s *scene, payloads bool) (trigger, event map[string]any, err error) {
	if trigger, err = a.Store.Event(ctx, a.Store.Pool, s.journey.TriggerEventID, payloads); err != nil || s.Event == "" {
		return trigger, trigger, err
	}
	event, err = a.Store.Event(ctx, a.Store.Pool, s.Event, payloads)
	return trigger, event, err
}

// steps is what became of the steps so far, by id.
func (a *Activities) steps(ctx context.Context, s *scene) (map[string]any, error) {
	results, err := a.Store.StepResults(ctx, a.Store.Pool, s.Journey)
	if err != nil {
		return nil, err
	}
	steps := make(map[string]any, len(results))
	for id, r := range results {
		steps[id] = map[string]any{"status": r.Status, "reason": r.Reason, "json": r.JSON, "at": r.At}
	}
	return steps, nil
}

// Moment works out when a wait or a clock arm ends, by the contact's clock and
// data. The answer is a real instant; the workflow only sleeps until then.
func (a *Activities) Moment(ctx context.Context, in MomentInput) (Result, error) {
	s, err := a.load(ctx, in.Step)
	if err != nil {
		return Result{}, a.wrap(ctx, "working out a moment", in.Step, err)
	}
	result, err := a.moment(ctx, s, in)
	return result, a.wrap(ctx, "working out a moment", in.Step, err)
}

// MomentInput names a wait, or one arm of an await.
type MomentInput struct {
	Step
	Arm int `json:"arm"` // -1: the step's own wait
}

func (a *Activities) moment(ctx context.Context, s *scene, in MomentInput) (Result, error) {
	wait := s.doc.Wait
	if in.Arm >= 0 {
		arm := s.doc.Arms[in.Arm]
		wait = &campaign.WaitDoc{For: arm.After, Until: arm.Until, Offset: arm.Offset}
	}
	zone := a.zone(s)
	until, reason, err := a.until(ctx, s, wait.Until, zone)
	if err != nil || reason != "" {
		return Result{Status: Done, Reason: reason, Moment: in.Due}, err
	}
	start := s.Clock.Virtual(in.Due).In(zone)
	at := s.Clock.Real(wait.Resolve(start, until, zone))
	return Result{Status: Done, Moment: at, Late: at.Before(in.Due)}, nil
}

// until looks up what a wait counts from: the newest code's expiry, a date, or a
// date in the contact or the trigger. A reason says that there is none.
func (a *Activities) until(ctx context.Context, s *scene, path string, zone *time.Location) (time.Time, string, error) {
	switch {
	case path == "":
		return time.Time{}, "", nil
	case path == campaign.UntilExpiry:
		codes, err := a.codes(ctx, s)
		if err != nil || len(codes) == 0 || codes[len(codes)-1].ExpiresAt.IsZero() {
			return time.Time{}, NoCode, err
		}
		return s.Clock.Virtual(codes[len(codes)-1].ExpiresAt), "", nil
	}
	if date, err := campaign.ParseDate(path); err == nil {
		return date.In(zone), "", nil
	}
	data, err := a.data(ctx, s)
	if err != nil {
		return time.Time{}, "", err
	}
	at, ok := data.Time(path, zone)
	if !ok {
		return time.Time{}, NoDate, nil
	}
	return at, "", nil
}
