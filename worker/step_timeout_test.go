package worker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func TestStepTimeout_IsTheWorkersNotTheWorkflows(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&stepTimeout{span: 3 * time.Second}}})
	given := func(ctx context.Context) (time.Duration, error) {
		return activity.GetInfo(ctx).StartToCloseTimeout, nil
	}
	env.RegisterActivityWithOptions(given, activity.RegisterOptions{Name: "given"})
	env.ExecuteWorkflow(func(ctx workflow.Context) (span time.Duration, err error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		err = workflow.ExecuteActivity(ctx, "given").Get(ctx, &span)
		return span, err
	})
	var span time.Duration
	require.NoError(t, env.GetWorkflowResult(&span))
	require.Equal(t, 3*time.Second, span)
}
