package workflows

import (
	"context"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"scrip.dev/scrip/activities"
)

// hands names the activities; it is never called here.
var hands *activities.Activities

// StepTimeout bounds one attempt. It is longer than a vendor call and its report,
// and short enough that an attempt which was lost on its way to a worker heals. A
// worker can be told another.
const StepTimeout = 30 * time.Second

// How long the workflow waits for what is done inside its task. A task of more than
// eight seconds has the history grow, and a vendor that hangs must not keep for long
// the slots in which all that is quick is done.
const (
	quickTimeout = 2 * time.Second // what only touches Postgres
	sendTimeout  = 4 * time.Second // a vendor that answers at once
)

// future is an activity under way, with its result's type.
type future[O any] struct{ workflow.Future }

func (f future[O]) Get(ctx workflow.Context) (O, error) {
	var out O
	err := f.Future.Get(ctx, &out)
	return out, err
}

// act starts an activity. It is retried until it answers: what can't succeed says
// so itself.
func act[I, O any](ctx workflow.Context, says string, do func(context.Context, I) (O, error), in I) future[O] {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: StepTimeout,
		WaitForCancellation: true,
		Summary:             says,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute,
		},
	})
	return future[O]{workflow.ExecuteActivity(ctx, do, in)}
}

// local runs a small activity that only touches Postgres inside the workflow task,
// which costs the history one event instead of three. Where that fails, it runs as
// a normal activity, which Temporal retries without the history growing.
func local[I, O any](ctx workflow.Context, says string, do func(context.Context, I) (O, error), in I) (O, error) {
	out, err := quick(ctx, says, do, in, quickTimeout, temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, MaximumAttempts: 2})
	if err == nil || temporal.IsCanceledError(err) {
		return out, err
	}
	return act(ctx, says, do, in).Get(ctx)
}

// atOnce tries an activity once inside the workflow task. Where that fails, or takes
// so long that it is still under way, the same activity run as a normal one finds out
// what came of it.
func atOnce[I, O any](ctx workflow.Context, says string, do func(context.Context, I) (O, error), in I) (O, error) {
	return quick(ctx, says, do, in, sendTimeout, temporal.RetryPolicy{MaximumAttempts: 1})
}

func quick[I, O any](ctx workflow.Context, says string, do func(context.Context, I) (O, error), in I, timeout time.Duration, retries temporal.RetryPolicy) (out O, err error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: timeout, Summary: says, RetryPolicy: &retries,
	})
	err = workflow.ExecuteLocalActivity(ctx, do, in).Get(ctx, &out)
	return out, err
}
