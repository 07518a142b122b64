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
	var out O
	quick := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: 2 * time.Second,
		Summary:                says,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, MaximumAttempts: 2},
	})
	err := workflow.ExecuteLocalActivity(quick, do, in).Get(ctx, &out)
	if err == nil || temporal.IsCanceledError(err) {
		return out, err
	}
	return act(ctx, says, do, in).Get(ctx)
}
