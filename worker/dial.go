package worker

import (
	"context"
	"fmt"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
)

// Dial connects to Temporal as the environment says (TEMPORAL_ADDRESS,
// TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_…: the same variables as the
// temporal CLI's), so that a local server, a cluster and a cloud namespace differ
// in settings only. An empty address leaves the environment's. Spans go to the
// global tracer.
func Dial(ctx context.Context, address string, logger *slog.Logger, metrics client.MetricsHandler) (client.Client, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, fmt.Errorf("reading Temporal's settings: %w", err)
	}
	if address != "" {
		options.HostPort = address
	}
	tracing, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{})
	if err != nil {
		return nil, fmt.Errorf("preparing Temporal's tracing: %w", err)
	}
	options.Logger = log.NewStructuredLogger(logger)
	options.MetricsHandler = metrics
	options.Interceptors = []interceptor.ClientInterceptor{tracing}
	options.FailureConverter = NewFailures(logger)
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("reaching Temporal at %s: check TEMPORAL_ADDRESS and that the server is up: %w", options.HostPort, err)
	}
	return c, nil
}
