package starter

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"
)

const (
	shutdownTimeout = 20 * time.Second
	maxHeader       = 64 << 10
)

type requestIDKey struct{}

// requestID names the request in logs and in the X-Request-Id header.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

var givenRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// observed gives each request an id, a span, a line in the log and its place in
// the metrics, and turns a panic into an answer. It logs the route, never the
// path: paths hold codes and tokens.
func observed(next http.Handler, log *slog.Logger, metrics *Metrics) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !givenRequestID.MatchString(id) {
			var random [8]byte
			_, _ = rand.Read(random[:])
			id = hex.EncodeToString(random[:])
		}
		w.Header().Set("X-Request-Id", id)
		setSafeHeaders(w.Header())
		ctx, span := startSpan(context.WithValue(r.Context(), requestIDKey{}, id), r)
		r = r.WithContext(ctx)
		answer := &recorder{ResponseWriter: w, status: http.StatusOK}
		begun := time.Now()
		defer func() {
			if failure := recover(); failure != nil {
				if failure == http.ErrAbortHandler {
					panic(failure)
				}
				log.ErrorContext(ctx, "panic while answering", "request", id, "route", route(r), "panic", fmt.Sprintf("%T", failure), "stack", string(debug.Stack()))
				if !answer.written {
					writeProblem(answer, problem(http.StatusInternalServerError, "internal", "something failed on our side; look for request %s in the starter's log", id))
				}
			}
			took := time.Since(begun)
			endSpan(span, route(r), answer.status)
			metrics.request(route(r), method(r), answer.status, took)
			log.DebugContext(ctx, "request", "request", id, "method", r.Method, "route", route(r), "status", answer.status, "took", took)
		}()
		next.ServeHTTP(answer, r)
	})
}

// route is the pattern that the request matched.
func route(r *http.Request) string {
	if r.Pattern == "" {
		return "none"
	}
	return r.Pattern
}

// setSafeHeaders are those of every answer. Pages that show more say so themselves;
// addresses hold codes and tokens, so none is told to where a link leads.
func setSafeHeaders(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// method is the request's for the metrics: what the caller made up is one.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return r.Method
	}
	return "other"
}

// recorder notes the status of an answer.
type recorder struct {
	http.ResponseWriter
	status  int
	written bool
}

func (r *recorder) WriteHeader(status int) {
	if !r.written {
		r.status, r.written = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.written = true
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach deadlines and flushing.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Serve answers on addr until ctx ends, then lets the requests under way finish.
// ready is called once the address is taken; it may be nil.
func Serve(ctx context.Context, addr string, handler http.Handler, limits Limits, log *slog.Logger, ready func(net.Addr)) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w; name a free address in the settings, or end what listens there", addr, err)
	}
	limits = limits.orDefaults()
	server := &http.Server{
		Handler:           paced(handler, limits),
		ReadHeaderTimeout: limits.Header,
		IdleTimeout:       limits.Idle,
		MaxHeaderBytes:    maxHeader,
		ConnState:         newConnections(limits.Connections, log).changed,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if ready != nil {
		ready(listener.Addr())
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", addr, err)
	case <-ctx.Done():
	}
	// The requests under way get their answers although ctx has ended.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stopping the server on %s: %w", addr, err)
	}
	return nil
}
