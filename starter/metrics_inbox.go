package starter

import (
	"github.com/prometheus/client_golang/prometheus"
)

// InboxMetrics count what happens between a vendor's call and Temporal.
type InboxMetrics struct {
	Hooks            *prometheus.CounterVec // connection, outcome: accepted, duplicate, or the refusal's code
	HookSeconds      prometheus.Histogram   // from the request to the answer
	GroupSize        prometheus.Histogram   // webhooks a transaction
	DispatchSeconds  prometheus.Histogram   // from the commit of a webhook to that of its effects
	DeliverSeconds   prometheus.Histogram   // from a row in the outbox to Temporal's acknowledgement
	Dispatched       *prometheus.CounterVec // connection, outcome: done, postponed, dead
	Entries          *prometheus.CounterVec // campaign
	Refusals         *prometheus.CounterVec // campaign, reason
	ExpressionErrors *prometheus.CounterVec // campaign: conditions that failed and counted as false
	Outbox           *prometheus.CounterVec // kind, outcome: acknowledged, gone, refused
	TemporalAway     prometheus.Gauge       // 1 while Temporal can't be reached
	Active           prometheus.Gauge       // 1 in the process whose dispatcher holds the lease
	collectors       []prometheus.Collector
}

// NewInboxMetrics makes the collectors; they count whether or not they are registered.
func NewInboxMetrics() *InboxMetrics {
	m := &InboxMetrics{}
	m.Hooks = m.counter("scrip_hooks_total", "Webhooks by connection and what became of them.", "connection", "outcome")
	m.HookSeconds = m.histogram("scrip_hook_seconds", "Time from a webhook's request to its answer.", prometheus.ExponentialBuckets(0.0005, 2, 14))
	m.GroupSize = m.histogram("scrip_inbox_group_size", "Webhooks stored in one transaction.", prometheus.ExponentialBuckets(1, 2, 7))
	m.DispatchSeconds = m.histogram("scrip_dispatch_seconds", "Time from a webhook's commit to that of its effects.", prometheus.ExponentialBuckets(0.001, 2.5, 14))
	m.DeliverSeconds = m.histogram("scrip_deliver_seconds", "Time from an outbox row to Temporal's acknowledgement.", prometheus.ExponentialBuckets(0.001, 2.5, 14))
	m.Dispatched = m.counter("scrip_dispatched_total", "Deliveries by connection and what became of them.", "connection", "outcome")
	m.Entries = m.counter("scrip_entries_total", "Journeys entered.", "campaign")
	m.Refusals = m.counter("scrip_refused_entries_total", "Entries refused, by reason.", "campaign", "reason")
	m.ExpressionErrors = m.counter("scrip_expression_errors_total", "Conditions that failed and counted as false.", "campaign")
	m.Outbox = m.counter("scrip_outbox_total", "What Temporal was told, by kind and outcome.", "kind", "outcome")
	m.TemporalAway = m.gauge("scrip_temporal_away", "1 while Temporal can't be reached.")
	m.Active = m.gauge("scrip_dispatcher_active", "1 in the process that dispatches.")
	return m
}

// Register adds the collectors to a registry.
func (m *InboxMetrics) Register(r prometheus.Registerer) error {
	for _, c := range m.collectors {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *InboxMetrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.collectors = append(m.collectors, c)
	return c
}

func (m *InboxMetrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	m.collectors = append(m.collectors, h)
	return h
}

func (m *InboxMetrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	m.collectors = append(m.collectors, g)
	return g
}
