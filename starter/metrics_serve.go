package starter

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/store"
)

// ServeMetrics serves a worker's /metrics, /healthz and /readyz on addr until ctx
// ends. A worker is ready while the database and Temporal answer.
func ServeMetrics(ctx context.Context, addr string, metrics *Metrics, s *store.Store, temporal client.Client, log *slog.Logger) error {
	return Serve(ctx, addr, workerHandler(metrics, s, temporal), Limits{}, log, nil)
}

func workerHandler(metrics *Metrics, s *store.Store, temporal client.Client) http.Handler {
	asked := &api{Deps: Deps{Store: s, Temporal: temporal}}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		defer cancel()
		state, status := asked.reachable(ctx), http.StatusOK
		if state.Status != "ok" {
			state.Status, status = "down", http.StatusServiceUnavailable
		}
		writeJSON(w, status, state)
	})
	return routed(mux)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
