package starter

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"scrip.dev/scrip/dev/temporal"
	"scrip.dev/scrip/dev/temporal/temporaltest"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/workflows"
)

func TestSignal_SentAgainIsHeardOnce(t *testing.T) {
	t.Parallel()
	c, err := client.Dial(client.Options{HostPort: temporaltest.Server(t).Address, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{SignalOnce()}}})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	row := store.OutboxRow{ID: 7, JourneyID: "jn_1", Campaign: "cart", Kind: store.OutboxSignal, Name: workflows.SignalSkip, Payload: []byte("{}"), CreatedAt: time.Now()}
	id := workflows.JourneyWorkflowID(row.Campaign, row.JourneyID)
	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "nobody"}, workflows.JourneyType, workflows.JourneyInput{})
	require.NoError(t, err)
	told := &Client{Client: c}
	for range 2 {
		require.NoError(t, told.Signal(t.Context(), row))
	}
	restored := row
	restored.CreatedAt = row.CreatedAt.Add(time.Hour)
	require.NoError(t, told.Signal(t.Context(), restored), "another row, whose id a restored database gave again")
	heard := 0
	for history := c.GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); history.HasNext(); {
		event, err := history.Next()
		require.NoError(t, err)
		if event.GetEventType() == enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			heard++
		}
	}
	require.Equal(t, 2, heard)
}

// A namespace without the search attributes, or one that doesn't know them yet, is no
// journey's fault: it is started when they are there.
func TestStart_WaitsForTheNamespacesSearchAttributes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	w.happens(cart("anna@example.com", "T1", 80))
	row := w.temporal.rows()[0]
	require.Equal(t, store.OutboxStart, row.Kind)
	c, err := client.Dial(client.Options{HostPort: temporaltest.Server(t).Address, Namespace: "bare", Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = c.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: "bare", WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour)})
	require.NoError(t, err)
	starting := &Client{Client: c, Store: w.store}
	require.Eventually(t, func() bool {
		err := starting.Start(t.Context(), row)
		require.NotErrorIs(t, err, ErrRefused)
		require.NotErrorIs(t, err, ErrGone)
		require.Error(t, err)
		return strings.Contains(err.Error(), "`scrip doctor`")
	}, time.Minute, 100*time.Millisecond, "the server to miss the search attributes")
	_, err = c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{Namespace: "bare", SearchAttributes: temporal.SearchAttributes})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return starting.Start(t.Context(), row) == nil }, time.Minute, 100*time.Millisecond, "the journey to start")
}
