package starter

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"scrip.dev/scrip/store"
)

const (
	gaugesFresh   = 5 * time.Second // several scrapers cost one look at the database
	gaugesTimeout = 5 * time.Second
)

// gauges reads the database when it is scraped.
type gauges struct {
	store *store.Store
	mu    sync.Mutex
	at    time.Time
	last  store.Gauges
}

var (
	journeysDesc   = prometheus.NewDesc("scrip_journeys", "Journeys that are not over.", []string{"campaign", "state"}, nil)
	poolDesc       = prometheus.NewDesc("scrip_pool_codes", "Codes left in a list.", []string{"coupon"}, nil)
	waitersDesc    = prometheus.NewDesc("scrip_pool_waiting", "Journeys that wait for a refill.", []string{"coupon"}, nil)
	unsettledDesc  = prometheus.NewDesc("scrip_messages_unsettled", "Messages whose outcome is not known.", []string{"connection", "state"}, nil)
	inboxDesc      = prometheus.NewDesc("scrip_inbox_deliveries", "Webhooks that wait for the dispatcher.", nil, nil)
	inboxLagDesc   = prometheus.NewDesc("scrip_inbox_lag_seconds", "How long the oldest of them waits.", nil, nil)
	outboxDesc     = prometheus.NewDesc("scrip_outbox_rows", "Starts and signals that Temporal has not taken yet.", nil, nil)
	outboxLagDesc  = prometheus.NewDesc("scrip_outbox_lag_seconds", "How long the oldest of them waits.", nil, nil)
	deadDesc       = prometheus.NewDesc("scrip_inbox_failed", "Webhooks that failed and were not replayed.", nil, nil)
	debouncingDesc = prometheus.NewDesc("scrip_entries_debouncing", "Entries that wait out their debounce.", nil, nil)
)

func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{journeysDesc, poolDesc, waitersDesc, unsettledDesc, inboxDesc, inboxLagDesc, outboxDesc, outboxLagDesc, deadDesc, debouncingDesc} {
		ch <- desc
	}
}

func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	values, err := g.read()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(journeysDesc, err)
		return
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for _, j := range values.Journeys {
		gauge(journeysDesc, float64(j.Journeys), j.Campaign, j.State)
	}
	for _, p := range values.Pools {
		gauge(poolDesc, float64(p.Left), p.Coupon)
		gauge(waitersDesc, float64(p.Waiting), p.Coupon)
	}
	for _, m := range values.Unsettled {
		gauge(unsettledDesc, float64(m.Messages), m.Connection, m.State)
	}
	gauge(inboxDesc, float64(values.Queue))
	gauge(inboxLagDesc, values.QueueLag.Seconds())
	gauge(outboxDesc, float64(values.Outbox))
	gauge(outboxLagDesc, values.OutboxLag.Seconds())
	gauge(deadDesc, float64(values.DeadLetter))
	gauge(debouncingDesc, float64(values.Debouncing))
}

func (g *gauges) read() (store.Gauges, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.at) < gaugesFresh {
		return g.last, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), gaugesTimeout)
	defer cancel()
	values, err := g.store.Gauges(ctx)
	if err != nil {
		return store.Gauges{}, err
	}
	g.last, g.at = values, time.Now()
	return values, nil
}
