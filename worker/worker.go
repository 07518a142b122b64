// Package worker runs the workflows and activities.
package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/workflows"
)

// Options size a worker, as the settings of a project do (OptionsOf); zero fields
// leave the SDK's.
type Options struct {
	// Activities bounds activities at once, as many local ones (those inside workflow
	// tasks, to which the first attempt of every send belongs), and twice as many
	// workflow tasks.
	Activities int
	// CachedJourneys is how many journeys are kept ready in memory, at some 23 kB
	// each; others are replayed when they wake.
	CachedJourneys int
	// Pollers is how many requests for workflow tasks wait at Temporal, and as many for
	// activities.
	Pollers int
	// StepTimeout bounds one attempt of a step, longer than a vendor call and its
	// report; zero leaves the journey's own (workflows.StepTimeout).
	StepTimeout time.Duration
	// Deployment and Build turn worker versioning on where both are set.
	Deployment, Build string
}

// New makes a worker for journeys and upkeep. It is started by the caller.
func New(c client.Client, hands *activities.Activities, o Options) worker.Worker {
	if o.CachedJourneys > 0 {
		worker.SetStickyWorkflowCacheSize(o.CachedJourneys)
	}
	options := worker.Options{
		MaxConcurrentActivityExecutionSize:      o.Activities,
		MaxConcurrentLocalActivityExecutionSize: o.Activities,
		// What is above this waits at Temporal, where another worker can take it.
		MaxConcurrentWorkflowTaskExecutionSize: 2 * o.Activities,
		MaxConcurrentWorkflowTaskPollers:       o.Pollers,
		MaxConcurrentActivityTaskPollers:       o.Pollers,
		// An attempt under way may end after a stop signal.
		WorkerStopTimeout: o.StepTimeout,
		Interceptors:      []interceptor.WorkerInterceptor{&panics{log: hands.Log}},
	}
	if o.StepTimeout > 0 {
		options.Interceptors = append(options.Interceptors, &stepTimeout{span: o.StepTimeout})
	}
	if o.Deployment != "" && o.Build != "" {
		options.DeploymentOptions = worker.DeploymentOptions{
			UseVersioning:             true,
			Version:                   worker.WorkerDeploymentVersion{DeploymentName: o.Deployment, BuildID: o.Build},
			DefaultVersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
		}
	}
	w := worker.New(c, workflows.TaskQueue, options)
	Register(w, hands)
	return w
}

// Register makes all workflows and activities known to a worker.
func Register(r worker.Registry, hands *activities.Activities) {
	r.RegisterWorkflowWithOptions(workflows.Journey, workflow.RegisterOptions{Name: workflows.JourneyType})
	r.RegisterWorkflowWithOptions(workflows.Maintenance, workflow.RegisterOptions{Name: workflows.MaintenanceType})
	r.RegisterActivity(hands)
}

// Schedule has Temporal run the upkeep regularly. It is harmless when repeated.
func Schedule(ctx context.Context, c client.Client, every time.Duration) error {
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:      workflows.MaintenanceType,
		Spec:    client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}},
		Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		Action: &client.ScheduleWorkflowAction{
			ID: "maintenance", Workflow: workflows.MaintenanceType, TaskQueue: workflows.TaskQueue,
		},
	})
	if err != nil && !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return fmt.Errorf("scheduling the upkeep: %w", err)
	}
	return nil
}

// Executions answers the upkeep's question whether a journey still runs.
type Executions struct{ Client client.Client }

// Running says whether a journey's workflow is open.
func (e Executions) Running(ctx context.Context, campaign, journey string) (bool, error) {
	answer, err := e.Client.DescribeWorkflowExecution(ctx, workflows.JourneyWorkflowID(campaign, journey), "")
	if err != nil {
		return false, err
	}
	return answer.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}
