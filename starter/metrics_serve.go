package starter

import (
	"context"
	"log/slog"
	"net/http"
)

// ServeMetrics serves a worker's /metrics and /healthz on addr until ctx ends.
func ServeMetrics(ctx context.Context, addr string, metrics *Metrics, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{\"status\":\"ok\"}\n"))
	})
	return Serve(ctx, addr, mux, log, nil)
}
