package starter

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"

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
