package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/codec"
	"scrip.dev/scrip/dev/temporal/temporaltest"
	"scrip.dev/scrip/worker"
	"scrip.dev/scrip/workflows"
)

// TestBoot registers everything on a real worker: two activities of one name, or
// a method that is none, would panic here and nowhere before.
func TestBoot_RegistersEverythingOnARealWorker(t *testing.T) {
	server := temporaltest.Server(t)
	log := slog.New(slog.DiscardHandler)
	c, err := worker.Dial(server.Address, codec.New(), log, client.MetricsNopHandler)
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, worker.Await(ctx, c, log))
	require.NoError(t, worker.Schedule(ctx, c, time.Hour))
	require.NoError(t, worker.Schedule(ctx, c, time.Hour), "scheduling again is harmless")

	w := worker.New(c, &activities.Activities{Log: log}, worker.Options{})
	require.NoError(t, w.Start())
	w.Stop()
}

func TestExecutions_KnowsWhatNeverRan(t *testing.T) {
	server := temporaltest.Server(t)
	c, err := worker.Dial(server.Address, codec.New(), slog.New(slog.DiscardHandler), client.MetricsNopHandler)
	require.NoError(t, err)
	defer c.Close()
	running, err := worker.Executions{Client: c}.Running(t.Context(), "cart-recovery", "jn_never")
	require.Error(t, err)
	require.False(t, running)
	require.Equal(t, "cart-recovery/jn_1", workflows.JourneyWorkflowID("cart-recovery", "jn_1"))
}

func TestFailures_KeepForeignTextsOutOfHistories(t *testing.T) {
	failures := worker.NewFailures(codec.New(), slog.New(slog.DiscardHandler))
	for _, foreign := range []error{
		&leak{},
		fmt.Errorf("writing to anna@example.com: %w", temporal.NewApplicationError("sending failed", activities.ErrorVendor)),
		temporal.NewApplicationErrorWithCause("sending failed", activities.ErrorVendor, &leak{}),
	} {
		failure := failures.ErrorToFailure(foreign)
		require.NotContains(t, failure.String(), "anna@example.com")
		require.Contains(t, failure.GetMessage(), "internal error")
	}
	ours := failures.ErrorToFailure(temporal.NewApplicationError("sending failed", activities.ErrorVendor))
	require.Equal(t, "sending failed", ours.GetMessage())
}

type leak struct{}

func (*leak) Error() string { return "550 anna@example.com is unknown here" }
