package starter

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"scrip.dev/scrip/store"
)

// Metrics counts what one process does, for Prometheus. Others register their
// collectors in Registry. No label holds personal data.
type Metrics struct {
	Registry *prometheus.Registry

	sent     *prometheus.CounterVec
	skipped  *prometheus.CounterVec
	notDone  *prometheus.CounterVec
	claims   *prometheus.HistogramVec
	ended    *prometheus.CounterVec
	requests *prometheus.HistogramVec
}

// NewMetrics makes the metrics of a process.
func NewMetrics() *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scrip_messages_total",
			Help: "Calls to channel vendors by what became of them."}, []string{"channel", "connection", "outcome"}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scrip_messages_skipped_total",
			Help: "Messages that were not sent, by reason."}, []string{"channel", "reason"}),
		notDone: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scrip_steps_not_done_total",
			Help: "Steps that were held, skipped or failed, by reason; a held one counts each time that it is asked again."},
			[]string{"campaign", "verb", "status", "reason"}),
		claims: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "scrip_claim_seconds",
			Help: "How long a code took to claim.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"coupon", "status"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scrip_journeys_ended_total",
			Help: "Journeys that ended, by outcome."}, []string{"campaign", "outcome"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "scrip_http_request_seconds",
			Help: "Requests by route.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"route", "method", "status"}),
	}
	m.Registry.MustRegister(m.sent, m.skipped, m.notDone, m.claims, m.ended, m.requests,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Sent counts one call to a channel's vendor.
func (m *Metrics) Sent(channel, connection, outcome string) {
	m.sent.WithLabelValues(channel, connection, outcome).Inc()
}

// Skipped counts a message that was not sent.
func (m *Metrics) Skipped(channel, reason string) { m.skipped.WithLabelValues(channel, reason).Inc() }

// NotDone counts a step that was held, skipped or failed.
func (m *Metrics) NotDone(campaign, verb, status, reason string) {
	m.notDone.WithLabelValues(campaign, verb, status, reason).Inc()
}

// Claimed measures one claim.
func (m *Metrics) Claimed(coupon, status string, took time.Duration) {
	m.claims.WithLabelValues(coupon, status).Observe(took.Seconds())
}

// Ended counts a journey's end.
func (m *Metrics) Ended(campaign, outcome string) { m.ended.WithLabelValues(campaign, outcome).Inc() }

func (m *Metrics) request(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
}

// Watch adds what the database tells: journeys under way, pools, queues.
func (m *Metrics) Watch(s *store.Store) {
	_ = m.Registry.Register(&gauges{store: s}) // a second time changes nothing
}

// Temporal gives the Temporal SDK's client a place for its own metrics.
func (m *Metrics) Temporal() (client.MetricsHandler, error) {
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(m.Registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("preparing Temporal's metrics: %w", err)
	}
	seconds := metric.NewView(metric.Instrument{Kind: metric.InstrumentKindHistogram},
		metric.Stream{Aggregation: metric.AggregationExplicitBucketHistogram{Boundaries: prometheus.ExponentialBuckets(0.001, 2, 17)}})
	provider := metric.NewMeterProvider(metric.WithReader(exporter), metric.WithView(seconds))
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: provider.Meter("temporal"), UseMonotonicCounters: true}), nil
}

// Handler is the /metrics page.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
