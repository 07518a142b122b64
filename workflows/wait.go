package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
)

// wait does a wait step: it ends at its moment, when it is skipped, or when an
// exit is taken. A code that was extended re-times a wait for its expiry.
func (j *journey) wait(ctx workflow.Context, step campaign.Step) error {
	j.begin(ctx)
	for {
		until, err := j.deadline(ctx, step.Moment, -1)
		if err != nil {
			return err
		}
		switch m := step.Moment; {
		case !m.Local && m.Until == campaign.UntilExpiry && j.state.Expiry.IsZero():
			j.remark(activities.NoCode)
		case until.Before(j.state.Since):
			j.remark(activities.Late)
		}
		skips := j.inbox.skips
		j.inbox.retimed = false
		retimed := func() bool { return j.inbox.retimed && step.Moment.Until == campaign.UntilExpiry }
		_, err = j.block(ctx, block{says: step.Says, until: until, ready: func() bool { return j.inbox.skips > skips || retimed() }})
		if err != nil || j.left() || j.inbox.skips > skips || !retimed() {
			return err
		}
		j.state.Until = time.Time{}
	}
}

// remark notes why the wait under way is over at once; "" nothing.
func (j *journey) remark(reason string) {
	last := len(j.state.Remarks) - 1
	if reason != "" && (last < 0 || j.state.Remarks[last].Step != j.status.Step) {
		j.state.Remarks = append(j.state.Remarks, activities.Remark{Step: j.status.Step, Reason: reason})
	}
}

// await does an await step: its arms race. Events beat clocks, earlier arms beat
// later ones. Without a clock of its own it is bounded by the journey's lifetime,
// which ends the journey.
func (j *journey) await(ctx workflow.Context, step campaign.Step) (int, error) {
	j.begin(ctx)
	for {
		clock, until, err := j.firstClock(ctx, step.Arms)
		if err != nil {
			return campaign.End, err
		}
		skips := j.inbox.skips
		j.inbox.retimed = false
		taken, err := j.block(ctx, block{says: step.Says, until: until, arms: step.Arms, ready: func() bool {
			return j.inbox.skips > skips || j.inbox.retimed
		}})
		switch {
		case err != nil || j.left():
			return campaign.End, err
		case taken >= 0:
			return step.Arms[taken].Then, nil
		case j.inbox.skips == skips && j.inbox.retimed:
			continue
		case clock >= 0:
			return step.Arms[clock].Then, nil
		case j.inbox.skips > skips:
			return step.Next, nil
		}
		j.leave(campaign.OutcomeTimedOut)
		return campaign.End, nil
	}
}

// begin notes when the step began, unless it began before the journey continued
// as new.
func (j *journey) begin(ctx workflow.Context) {
	if j.state.Since.IsZero() {
		j.state.Since = workflow.Now(ctx)
	}
}

// firstClock gives the clock arm that ends first and its moment; -1 and the end of
// the journey's lifetime where there is none.
func (j *journey) firstClock(ctx workflow.Context, arms []campaign.Arm) (int, time.Time, error) {
	first, until := -1, j.state.Began.Add(j.clock.Shorten(j.plan.Lifetime))
	for i, arm := range arms {
		if !arm.Clocky {
			continue
		}
		at, err := j.deadline(ctx, arm.Clock, i)
		if err != nil {
			return -1, time.Time{}, err
		}
		if first < 0 || at.Before(until) {
			first, until = i, at
		}
	}
	return first, until, nil
}

// deadline gives the instant at which a moment comes. What depends on somebody's
// calendar is worked out by an activity; the rest is arithmetic.
func (j *journey) deadline(ctx workflow.Context, m campaign.Moment, arm int) (time.Time, error) {
	switch {
	case arm < 0 && !j.state.Until.IsZero():
		return j.state.Until, nil
	case m.Local:
		step := j.plan.Steps[j.state.At]
		result, err := local(ctx, "work out until when to "+step.Says, hands.Moment, activities.MomentInput{
			Step: j.step(step, j.state.Since), Arm: arm,
		})
		if err != nil {
			return time.Time{}, err
		}
		if arm < 0 {
			j.state.Until = result.Moment
			j.remark(result.Reason)
		}
		return result.Moment, nil
	case m.Until == campaign.UntilExpiry && j.state.Expiry.IsZero():
		return j.state.Since, nil
	case m.Until == campaign.UntilExpiry && m.Offset == 0:
		return j.state.Expiry.Add(j.clock.Shorten(campaign.ExpiryGrace)), nil
	case m.Until == campaign.UntilExpiry:
		return j.state.Expiry.Add(j.scaled(m.Offset)), nil
	default:
		return j.state.Since.Add(j.scaled(m.For)), nil
	}
}

func (j *journey) scaled(d time.Duration) time.Duration {
	if d < 0 {
		return -j.clock.Shorten(-d)
	}
	return j.clock.Shorten(d)
}

// block is a place where the journey waits.
type block struct {
	says  string         // the timer's name in the UI
	until time.Time      // zero: time doesn't end it
	ready func() bool    // what ends it besides time, arms and exits
	arms  []campaign.Arm // of the await under way
	busy  bool           // an activity is under way: not the place to continue as new
}

// block waits until its time has come, it is ready, an arm is taken (whose index it
// gives, else -1) or an exit. Every wait of a journey is here: exits work in all of
// them, what a person signals is recorded in all of them, and a journey that has
// lived long goes on as new in them.
func (j *journey) block(ctx workflow.Context, b block) (int, error) {
	taken := -1
	done := func() bool {
		if taken < 0 {
			taken = j.take(ctx, b.arms)
		}
		return taken >= 0 || j.left() || b.ready()
	}
	for !done() {
		var rest time.Duration
		if !b.until.IsZero() {
			if rest = b.until.Sub(workflow.Now(ctx)); rest <= 0 {
				break
			}
		}
		if err := j.renew(ctx, b, rest); err != nil {
			return taken, err
		}
		j.tell(ctx, b)
		if err := j.sleep(ctx, b.says, rest, func() bool { return done() || len(j.inbox.byHand) > 0 }); err != nil {
			return taken, err
		}
		if err := j.recordByHand(ctx); err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// sleep waits until done holds or, where rest isn't zero, that long. A timer that
// is no longer waited for is cancelled, so that it neither shows nor wakes anybody.
func (j *journey) sleep(ctx workflow.Context, says string, rest time.Duration, done func() bool) error {
	if rest == 0 {
		return workflow.Await(ctx, done)
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	timer := workflow.NewTimerWithOptions(timerCtx, rest, workflow.TimerOptions{Summary: says})
	err := workflow.Await(ctx, func() bool { return done() || timer.IsReady() })
	cancel() // not deferred: a worker that drops a waiting journey from memory runs what is, and to cancel panics there
	return err
}

// tell says in the UI and to the query where the journey stands.
func (j *journey) tell(ctx workflow.Context, b block) {
	j.status.Waiting, j.status.Until = b.says, b.until
	details := fmt.Sprintf("**%s** (`%s`)", b.says, j.status.Step)
	if !b.until.IsZero() {
		details += "\n\nuntil " + b.until.UTC().Format(time.RFC3339)
	}
	if j.status.Held != "" {
		details += "\n\nheld: `" + j.status.Held + "`"
	}
	workflow.SetCurrentDetails(ctx, details)
}

// renewAt is the length of a history after which a journey continues as new
// before its next long wait.
const (
	renewAt   = 2000
	renewRest = time.Hour
)

// renew continues a journey as new, with its state, where its history has grown
// long. Signals that have arrived are taken along.
func (j *journey) renew(ctx workflow.Context, b block, rest time.Duration) error {
	info := workflow.GetInfo(ctx)
	long := info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > renewAt
	if !long || b.busy || (rest > 0 && rest < renewRest) || j.exiting {
		return nil
	}
	state := j.state
	return workflow.NewContinueAsNewError(ctx, Journey, JourneyInput{Journey: j.id, Plan: j.plan, Clock: j.clock, State: &state})
}
