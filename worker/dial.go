package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"

	"scrip.dev/scrip/codec"
)

// Dial prepares a connection to Temporal, made when it is first used, as the environment says (TEMPORAL_ADDRESS,
// TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_…: the same variables as the
// temporal CLI's), so that a local server, a cluster and a cloud namespace differ
// in settings only. An empty address leaves the environment's. What Temporal keeps
// goes through payloads, the codec. Spans go to the global tracer.
func Dial(address string, payloads *codec.Codec, logger *slog.Logger, metrics client.MetricsHandler, connection ...grpc.DialOption) (client.Client, error) {
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
	options.ConnectionOptions.DialOptions = append(options.ConnectionOptions.DialOptions, connection...)
	// What a journey sends is small: packing it costs both sides more than sending it.
	options.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	options.Logger = log.NewStructuredLogger(logger)
	options.MetricsHandler = metrics
	options.Interceptors = []interceptor.ClientInterceptor{tracing}
	options.DataConverter = codec.Converter(payloads)
	options.FailureConverter = NewFailures(payloads, logger)
	c, err := client.NewLazyClient(options)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to Temporal at %s: %w", options.HostPort, err)
	}
	return c, nil
}

// Await returns when Temporal answers, or ctx ends. It says once that it waits.
func Await(ctx context.Context, c client.Client, logger *slog.Logger) error {
	for told := false; ; {
		_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
		if err == nil {
			return nil
		}
		if !told {
			logger.WarnContext(ctx, "Temporal does not answer; waiting for it. Check TEMPORAL_ADDRESS and that the server runs", "error", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for Temporal: %w", ctx.Err())
		case <-time.After(time.Second):
		}
	}
}
