package starter

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
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
}

// NewInboxMetrics makes the collectors and registers them; without a registry they
// count for nobody.
func NewInboxMetrics(r prometheus.Registerer) *InboxMetrics {
	factory := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return factory.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return factory.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return factory.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	return &InboxMetrics{
		Hooks:            counter("scrip_hooks_total", "Webhooks by connection and what became of them.", "connection", "outcome"),
		HookSeconds:      histogram("scrip_hook_seconds", "Time from a webhook's request to its answer.", prometheus.ExponentialBuckets(0.0005, 2, 14)),
		GroupSize:        histogram("scrip_inbox_group_size", "Webhooks stored in one transaction.", prometheus.ExponentialBuckets(1, 2, 7)),
		DispatchSeconds:  histogram("scrip_dispatch_seconds", "Time from a webhook's commit to that of its effects.", prometheus.ExponentialBuckets(0.001, 2.5, 14)),
		DeliverSeconds:   histogram("scrip_deliver_seconds", "Time from an outbox row to Temporal's acknowledgement.", prometheus.ExponentialBuckets(0.001, 2.5, 14)),
		Dispatched:       counter("scrip_dispatched_total", "Deliveries by connection and what became of them.", "connection", "outcome"),
		Entries:          counter("scrip_entries_total", "Journeys entered.", "campaign"),
		Refusals:         counter("scrip_refused_entries_total", "Entries refused, by reason.", "campaign", "reason"),
		ExpressionErrors: counter("scrip_expression_errors_total", "Conditions that failed and counted as false.", "campaign"),
		Outbox:           counter("scrip_outbox_told_total", "What Temporal was told, by kind and outcome.", "kind", "outcome"),
		TemporalAway:     gauge("scrip_temporal_away", "1 while Temporal can't be reached."),
		Active:           gauge("scrip_dispatcher_active", "1 in the process that dispatches."),
	}
}
