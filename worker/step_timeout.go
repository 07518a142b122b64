package worker

import (
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// stepTimeout gives every attempt of a step the worker's time instead of the
// workflow's own. A replay doesn't compare times, so the setting may change while
// journeys run.
type stepTimeout struct {
	interceptor.WorkerInterceptorBase
	span time.Duration
}

func (s *stepTimeout) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &timedInbound{span: s.span}
	in.Next = next
	return in
}

type timedInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	span time.Duration
}

func (i *timedInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &timedOutbound{span: i.span}
	out.Next = next
	return i.Next.Init(out)
}

type timedOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	span time.Duration
}

func (o *timedOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	options := workflow.GetActivityOptions(ctx)
	options.StartToCloseTimeout = o.span
	return o.Next.ExecuteActivity(workflow.WithActivityOptions(ctx, options), name, args...)
}
