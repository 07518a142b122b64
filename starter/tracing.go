package starter

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	tracing "go.opentelemetry.io/otel/trace"
)

const tracerName = "scrip.dev/scrip"

// StartTracing sends traces to where the standard variables point
// (OTEL_EXPORTER_OTLP_ENDPOINT and the others of the OTLP exporter,
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/). Without an
// endpoint nothing is traced. stop sends what is left.
func StartTracing(ctx context.Context, service string) (stop func(context.Context) error, err error) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("preparing tracing: %w; check OTEL_EXPORTER_OTLP_ENDPOINT", err)
	}
	name := resource.NewSchemaless(attribute.String("service.name", service))
	described, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, fmt.Errorf("preparing tracing: %w", err)
	}
	if described, err = resource.Merge(name, described); err != nil {
		return nil, fmt.Errorf("preparing tracing: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(described))
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}

// Traceparent is the W3C form of the current span, to be stored with what the
// span caused; "" without one.
func Traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// WithTraceparent goes on with a span that was stored.
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// goOn begins a span below one that was stored. What came in untraced stays so.
func goOn(ctx context.Context, traceparent, name string) (context.Context, tracing.Span) {
	if traceparent == "" {
		return ctx, tracing.SpanFromContext(ctx)
	}
	return otel.Tracer(tracerName).Start(WithTraceparent(ctx, traceparent), name)
}

// startSpan begins a request's span; it is named once its route is known.
func startSpan(ctx context.Context, r *http.Request) (context.Context, tracing.Span) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	return otel.Tracer(tracerName).Start(ctx, r.Method, tracing.WithSpanKind(tracing.SpanKindServer))
}

func endSpan(span tracing.Span, route string, status int) {
	span.SetName(route)
	span.SetAttributes(attribute.String("http.route", route), attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(status))
	}
	span.End()
}
