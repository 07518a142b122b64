package workflows

import (
	"context"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
)

// act does a step through its activity. A step that is held is asked again when
// its time comes or a resume signal says that what held it is mended; an exit
// taken meanwhile leaves it undone.
func (j *journey) act(ctx workflow.Context, step campaign.Step) (activities.Result, error) {
	j.begin(ctx)
	due := j.state.Since
	for {
		resumes := j.inbox.resumes
		result, err := j.attempt(ctx, step, due)
		if err != nil || j.left() && result.Status == "" {
			return result, err
		}
		if !result.Expiry.IsZero() {
			j.state.Expiry = result.Expiry
		}
		if result.Status != activities.Held {
			j.status.Held = ""
			return result, nil
		}
		j.status.Held = result.Reason
		skips := j.inbox.skips
		_, err = j.block(ctx, block{says: step.Says + ": " + heldWords(result.Reason), until: result.Until, ready: func() bool {
			return j.inbox.resumes > resumes || j.inbox.skips > skips
		}})
		if err != nil || j.left() {
			return activities.Result{}, err
		}
		if result.Reason == activities.OutOfWindow || result.Reason == activities.WaitingForSupply {
			due = workflow.Now(ctx) // these waits are meant; they make no message late
		}
	}
}

// attempt runs the step's activity once. A message goes out inside the workflow task
// where the vendor takes it at once. While Temporal waits to retry it, an exit cancels
// it; an attempt under way is never cut short.
func (j *journey) attempt(ctx workflow.Context, step campaign.Step, due time.Time) (activities.Result, error) {
	do, in := activityOf(step.Do), j.step(step, due)
	switch {
	case step.Slow:
	case step.Do == campaign.Send:
		if result, err := atOnce(ctx, step.Says, do, in); err == nil {
			return result, nil
		}
	default:
		return local(ctx, step.Says, do, in)
	}
	actCtx, cancel := workflow.WithCancel(ctx)
	running := act(actCtx, step.Says, do, in)
	_, err := j.block(ctx, block{says: step.Says, ready: running.IsReady, busy: true})
	interrupted := !running.IsReady()
	cancel() // what still runs; not deferred, as in sleep
	if err != nil {
		return activities.Result{}, err
	}
	result, err := running.Get(ctx)
	if err != nil && interrupted && j.left() && leaves(ctx, err) {
		return activities.Result{}, nil
	}
	return result, err
}

// leaves says whether an exit is taken although the step that it interrupted ended
// with an error. Temporal tries nothing again that was cancelled: an attempt under way
// then that is lost, or fails for now, ends as that and not as cancelled.
func leaves(ctx workflow.Context, err error) bool {
	// An earlier build took that for a failure of the journey.
	return temporal.IsCanceledError(err) || workflow.GetVersion(ctx, "leave-interrupted", workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

func (j *journey) step(step campaign.Step, due time.Time) activities.Step {
	return activities.Step{Journey: j.id, ID: step.ID, Index: j.state.At, Clock: j.clock, Due: due, Event: j.state.Event}
}

// activityOf gives the activity that does a verb.
func activityOf(verb campaign.Verb) func(context.Context, activities.Step) (activities.Result, error) {
	switch verb {
	case campaign.Send:
		return hands.Send
	case campaign.Assign:
		return hands.Assign
	case campaign.If:
		return hands.Decide
	case campaign.Tag:
		return hands.Tag
	case campaign.Untag:
		return hands.Untag
	case campaign.Notify:
		return hands.Notify
	case campaign.Call:
		return hands.Call
	default:
		return hands.Withdraw
	}
}

// heldWords says why a step is held, for people who look at the UI.
func heldWords(reason string) string {
	switch reason {
	case activities.OutOfWindow:
		return "held until the sending window opens"
	case activities.WaitingForSupply:
		return "waiting for a code, in order"
	case activities.CampaignPaused:
		return "held while the campaign is paused"
	case activities.KillSwitch:
		return "held by the kill switch"
	case activities.RenderError:
		return "held until its template is mended"
	case activities.ExpressionError:
		return "held: its condition could not be evaluated"
	case activities.UnknownOutcome:
		return "held until somebody says whether the message was sent"
	default:
		return "held: " + reason
	}
}
