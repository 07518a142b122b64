package worker

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"scrip.dev/scrip/activities"
)

// panics turn what panics in an activity, such as a mistake in a vendor's folder,
// into an error that is tried again. What a panic says is anybody's, an address or
// a code; the log gets its type and where it happened.
type panics struct {
	interceptor.WorkerInterceptorBase
	log *slog.Logger
}

func (p *panics) InterceptActivity(ctx context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &recovering{interceptor.ActivityInboundInterceptorBase{Next: next}, p.log}
}

type recovering struct {
	interceptor.ActivityInboundInterceptorBase
	log *slog.Logger
}

func (r *recovering) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (result any, err error) {
	defer func() {
		if failure := recover(); failure != nil {
			info := activity.GetInfo(ctx)
			r.log.ErrorContext(ctx, "an activity panicked", "activity", info.ActivityType.Name, "workflow", info.WorkflowExecution.ID,
				"panic", fmt.Sprintf("%T", failure), "stack", string(debug.Stack()))
			result, err = nil, temporal.NewApplicationError(info.ActivityType.Name+" panicked; the log says where", activities.ErrorInternal)
		}
	}()
	return r.Next.ExecuteActivity(ctx, in)
}
