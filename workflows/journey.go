package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
)

// Journey is one contact's way through one campaign version: it does the plan's
// steps one after the other, and leaves at once when an exit is taken.
func Journey(ctx workflow.Context, in JourneyInput) (JourneyResult, error) {
	j, err := newJourney(ctx, in)
	if err != nil {
		return JourneyResult{}, err
	}
	return j.run(ctx)
}

type journey struct {
	id      string
	plan    campaign.Plan
	clock   campaign.Clock
	state   State
	status  Status
	inbox   inbox
	exit    *campaign.Exit // the exit that was taken
	exiting bool           // inside the exit's own steps, from which there is no exit
}

func newJourney(ctx workflow.Context, in JourneyInput) (*journey, error) {
	j := &journey{id: in.Journey, plan: in.Plan, clock: in.Clock}
	if in.State != nil {
		j.state = *in.State
	} else {
		j.state.Began = workflow.Now(ctx)
	}
	err := workflow.SetQueryHandler(ctx, QueryStatus, func() (Status, error) {
		status := j.status
		status.Paused = j.state.Paused
		return status, nil
	})
	if err != nil {
		return nil, err
	}
	return j, nil
}

func (j *journey) run(ctx workflow.Context) (JourneyResult, error) {
	outcome, err := j.follow(ctx)
	switch {
	case workflow.IsContinueAsNewError(err):
		return JourneyResult{}, err
	case temporal.IsCanceledError(err) || ctx.Err() != nil:
		outcome = campaign.OutcomeStopped
		ctx, _ = workflow.NewDisconnectedContext(ctx)
	case err != nil:
		workflow.GetLogger(ctx).Error("a step failed for good", "journey", j.id, "step", j.status.Step, "error", err)
		outcome = campaign.OutcomeFailed
	}
	return j.finish(ctx, outcome)
}

// follow does the steps until they end or an exit is taken, and gives the outcome.
func (j *journey) follow(ctx workflow.Context) (string, error) {
	for j.state.At != campaign.End {
		step := j.plan.Steps[j.state.At]
		j.status = Status{Step: step.ID, Says: step.Says}
		if step.Do == campaign.EndVerb {
			return step.Outcome, nil
		}
		next, err := j.do(ctx, step)
		if err != nil {
			return "", err
		}
		if j.left() {
			j.exiting = true
			next = j.exit.Then
		}
		j.move(next)
	}
	if j.exit != nil {
		return j.exit.Outcome, nil
	}
	return campaign.OutcomeCompleted, nil
}

// move goes on to another step, which begins from nothing.
func (j *journey) move(to int) {
	j.state.At, j.state.Since, j.state.Until = to, time.Time{}, time.Time{}
}

// do does one step and gives the index of the next.
func (j *journey) do(ctx workflow.Context, step campaign.Step) (int, error) {
	if err := j.beforeStep(ctx, step); err != nil || j.left() {
		return campaign.End, err
	}
	switch step.Do {
	case campaign.Wait:
		return step.Next, j.wait(ctx, step)
	case campaign.Await:
		return j.await(ctx, step)
	case campaign.If:
		result, err := j.act(ctx, step)
		if result.Holds {
			return step.Then, err
		}
		return step.Else, err
	default:
		result, err := j.act(ctx, step)
		if result.Status == activities.Done {
			return step.Next, err
		}
		return step.Else, err
	}
}

// beforeStep is the place between two steps: what came in meanwhile is looked at,
// unless the step is an await, whose arms come first, and a pause is kept.
func (j *journey) beforeStep(ctx workflow.Context, step campaign.Step) error {
	if step.Do != campaign.Await {
		j.take(ctx, nil)
	}
	j.hear(ctx)
	if err := j.recordByHand(ctx); err != nil || !j.state.Paused || j.exit != nil {
		return err
	}
	j.status.Held = activities.Paused
	// Journeys that were paused by an earlier build noted it nowhere.
	noted := workflow.GetVersion(ctx, "note-pause", workflow.DefaultVersion, 1) > workflow.DefaultVersion
	if noted {
		if _, err := local(ctx, "note the pause", hands.NotePause, j.step(step, time.Time{})); err != nil {
			return err
		}
	}
	_, err := j.block(ctx, block{says: "paused by hand", ready: func() bool { return !j.state.Paused }})
	j.status.Held = ""
	if err == nil && noted {
		_, err = local(ctx, "note the end of the pause", hands.NoteResume, j.step(step, time.Time{}))
	}
	return err
}

// left says that an exit was taken and its own steps have not begun.
func (j *journey) left() bool { return j.exit != nil && !j.exiting }

// finish closes the journey in Postgres. What comes in while it closes may be truer
// than what it closed with, so it looks again before it returns.
func (j *journey) finish(ctx workflow.Context, outcome string) (JourneyResult, error) {
	for {
		j.hear(ctx)
		heard := j.inbox.heard
		result, err := local(ctx, "end as "+outcome, hands.Finish, activities.FinishInput{
			Journey: j.id, Outcome: outcome, Step: j.status.Step, Remarks: j.state.Remarks,
			Settle: outcome == campaign.OutcomeCompleted || outcome == campaign.OutcomeTimedOut,
		})
		if err != nil {
			return JourneyResult{}, err
		}
		if result.Withdraw {
			if _, err := act(ctx, "take unseen codes back in the shop", hands.TakeBack, activities.Step{Journey: j.id}).Get(ctx); err != nil {
				return JourneyResult{}, err
			}
		}
		if j.take(ctx, nil); j.inbox.heard == heard {
			j.status = Status{Outcome: result.Outcome}
			workflow.SetCurrentDetails(ctx, "ended: "+result.Outcome)
			return JourneyResult{Outcome: result.Outcome}, nil
		}
		if err := j.recordByHand(ctx); err != nil {
			return JourneyResult{}, err
		}
		if j.exit != nil {
			outcome = j.exit.Outcome
		}
	}
}
