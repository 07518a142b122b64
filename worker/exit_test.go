package worker

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/codec"
	"scrip.dev/scrip/dev/temporal/temporaltest"
	"scrip.dev/scrip/workflows"
)

const interrupted = `
campaign: interrupted
trigger: {event: cart.left}
exit:
  - event: cart.bought
    as: bought
    then: [{tag: buyer}]
steps:
  - send: {email: reminder}
  - wait: 30d
`

// vendor is a send that doesn't go at once. Its next attempt is under way until the
// server has been asked to cancel it; then it ends as the test says.
type vendor struct {
	calling chan struct{}
	goOn    chan struct{}
	end     error
	tagged  atomic.Int32
}

func (v *vendor) Send(ctx context.Context, _ activities.Step) (activities.Result, error) {
	if activity.GetInfo(ctx).IsLocalActivity {
		return activities.Result{}, temporal.NewApplicationError("the vendor is away", activities.ErrorNotAccepted)
	}
	close(v.calling)
	<-v.goOn
	return activities.Result{Status: activities.Done}, v.end
}

func (v *vendor) Tag(context.Context, activities.Step) (activities.Result, error) {
	v.tagged.Add(1)
	return activities.Result{Status: activities.Done}, nil
}

func (v *vendor) Finish(_ context.Context, in activities.FinishInput) (activities.FinishResult, error) {
	return activities.FinishResult{Outcome: in.Outcome}, nil
}

func TestJourney_LeavesByAnExitHoweverTheAttemptUnderWayEnds(t *testing.T) {
	for name, end := range map[string]error{
		"it is done":       nil,
		"it fails for now": temporal.NewApplicationError("the vendor took nothing", activities.ErrorNotAccepted),
		"it is lost":       activity.ErrResultPending, // nobody reports on it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vendor{calling: make(chan struct{}), goOn: make(chan struct{}), end: end}
			c, id := begin(t, v)
			<-v.calling
			require.NoError(t, c.SignalWorkflow(t.Context(), id, "", workflows.SignalEvents,
				workflows.Delivery{ID: 1, Events: []workflows.Event{{ID: "ev_1", Type: "cart.bought", Rules: []string{"exit.0"}}}}))
			require.Eventually(t, func() bool {
				d, err := c.DescribeWorkflowExecution(t.Context(), id, "")
				return err == nil && len(d.PendingActivities) == 1 && d.PendingActivities[0].State == enums.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
			}, time.Minute, 50*time.Millisecond, "the step to be interrupted")
			close(v.goOn)

			var result workflows.JourneyResult
			require.NoError(t, c.GetWorkflow(t.Context(), id, "").Get(t.Context(), &result))
			require.Equal(t, "bought", result.Outcome)
			require.EqualValues(t, 1, v.tagged.Load(), "the exit's own steps are done")
		})
	}
}

// begin starts a journey through interrupted, with a worker whose attempts may take
// three seconds.
func begin(t *testing.T, v *vendor) (client.Client, string) {
	file, problems := campaign.Parse("interrupted.yaml", []byte(interrupted))
	require.Empty(t, problems.Errors())
	program, err := file.Campaigns[0].Compile(1)
	require.NoError(t, err)
	c, err := Dial(temporaltest.Server(t).Address, codec.New(), slog.New(slog.DiscardHandler), client.MetricsNopHandler)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	id := "interrupted/jn_" + strings.ToLower(rand.Text()[:10])
	w := sdk.New(c, id, sdk.Options{Interceptors: []interceptor.WorkerInterceptor{&stepTimeout{span: 3 * time.Second}}})
	w.RegisterWorkflowWithOptions(workflows.Journey, workflow.RegisterOptions{Name: workflows.JourneyType})
	w.RegisterActivity(v)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: id}, workflows.JourneyType,
		workflows.JourneyInput{Journey: "jn_1", Plan: program.Plan})
	require.NoError(t, err)
	return c, id
}
