package worker_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"scrip.dev/scrip/codec"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/temporal/temporaltest"
	"scrip.dev/scrip/worker"
)

// A server whose database is away answers that it is well, and can't do anything.
func TestRun_WaitsForATemporalThatAnswersButCannotWorkYet(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fails []codes.Code // of the first calls
		calls int64
	}{
		"its database is away": {[]codes.Code{codes.DeadlineExceeded, codes.DeadlineExceeded}, 3},
		"it refuses":           {[]codes.Code{codes.PermissionDenied}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			var calls atomic.Int64
			var polled atomic.Bool
			log := slog.New(slog.DiscardHandler)
			c, err := worker.Dial(temporaltest.Server(t).Address, codec.New(), log, client.MetricsNopHandler, grpc.WithChainUnaryInterceptor(
				func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, next grpc.UnaryInvoker, options ...grpc.CallOption) error {
					switch {
					case strings.HasSuffix(method, "/CreateSchedule"):
						if n := int(calls.Add(1)); n <= len(test.fails) {
							return status.Error(test.fails[n-1], "no")
						}
					case strings.HasSuffix(method, "/PollWorkflowTaskQueue"):
						polled.Store(true)
						stop()
						return status.Error(codes.Unavailable, "that is enough") // nothing of others is done here
					}
					return next(ctx, method, request, reply, conn, options...)
				}))
			require.NoError(t, err)
			defer c.Close()
			err = worker.Run(ctx, worker.Deps{Config: &config.Config{TimeZone: "UTC"}, Temporal: c, Log: log, Upkeep: time.Hour})
			require.Equal(t, test.calls, calls.Load())
			begun := test.calls > int64(len(test.fails))
			require.Equal(t, begun, polled.Load())
			require.Equal(t, begun, err == nil, "%v", err)
		})
	}
}
