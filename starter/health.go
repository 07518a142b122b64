package starter

import (
	"context"
	"net/http"
	"time"

	"go.temporal.io/sdk/client"
)

const (
	checkTimeout = 3 * time.Second
	// slowDispatch is a lag at which something is wrong with the dispatcher.
	slowDispatch = time.Minute
)

type health struct {
	Status  string `json:"status" enum:"ok"`
	Version string `json:"version"`
}

type readiness struct {
	Status string           `json:"status" enum:"ok,degraded,down" doc:"degraded: webhooks are accepted and kept, something behind them is away"`
	Checks []readinessCheck `json:"checks"`
}

type readinessCheck struct {
	Name   string `json:"name" enum:"database,temporal,dispatcher"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

type readinessAnswer struct {
	Status int
	Body   readiness
}

func (a *api) healthRoutes() {
	handle(a, "", op(http.MethodGet, "/healthz", "health", "Operation", "Is the process alive?"),
		func(context.Context, *struct{}) (*answer[health], error) { return reply(health{"ok", a.Version}) })
	handle(a, "", describe(op(http.MethodGet, "/readyz", "ready", "Operation", "Can requests be answered?"),
		"503 while the database is away, as nothing can be accepted then. Temporal away or a slow dispatcher is `degraded` and 200: webhooks are accepted and dispatched later. With `all=true` anything that isn't well is 503."),
		func(ctx context.Context, in *struct {
			All bool `query:"all" doc:"answer 503 for degraded too"`
		}) (*readinessAnswer, error) {
			out := &readinessAnswer{http.StatusOK, a.ready(ctx)}
			if out.Body.Status == "down" || (in.All && out.Body.Status != "ok") {
				out.Status = http.StatusServiceUnavailable
			}
			return out, nil
		})
}

func (a *api) ready(ctx context.Context) readiness {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	r := a.reachable(ctx)
	if r.Status != "down" {
		r.add("dispatcher", "degraded", a.dispatcherTrouble(ctx))
	}
	return r
}

// reachable asks the database and, if that answers, Temporal.
func (a *api) reachable(ctx context.Context) readiness {
	r := readiness{Status: "ok"}
	if err := a.Store.Pool.Ping(ctx); err != nil {
		r.add("database", "down", "does not answer; check DATABASE_URL and that Postgres runs")
		return r
	}
	r.add("database", "", "")
	r.add("temporal", "degraded", a.temporalTrouble(ctx))
	return r
}

// add notes a check; worst is what the process is where detail tells of trouble.
func (r *readiness) add(name, worst, detail string) {
	r.Checks = append(r.Checks, readinessCheck{name, detail == "", detail})
	if detail != "" && r.Status != "down" {
		r.Status = worst
	}
}

func (a *api) temporalTrouble(ctx context.Context) string {
	if a.Temporal == nil {
		return "is not configured; set TEMPORAL_ADDRESS"
	}
	if _, err := a.Temporal.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return "does not answer; events are kept until it does. Check TEMPORAL_ADDRESS and that the server runs"
	}
	return ""
}

func (a *api) dispatcherTrouble(ctx context.Context) string {
	lag, _, err := a.Store.QueueLag(ctx)
	if err != nil {
		return "its queue can't be read"
	}
	orders, _, err := a.Store.OutboxLag(ctx)
	if err != nil {
		return "its outbox can't be read"
	}
	if longest := max(lag, orders); longest > slowDispatch {
		return "the oldest event waits for " + longest.Truncate(time.Second).String()
	}
	return ""
}
