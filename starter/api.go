// Package starter is the HTTP side of Scrip: vendors' webhooks, the API, the
// dispatcher that carries events to Temporal, and what operators look at.
package starter

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/store"
)

// Deps is what the HTTP side works with.
type Deps struct {
	Store       *store.Store
	Config      *config.Config
	Connections *config.Connections
	// Temporal may be a lazy client: nothing here fails while Temporal is away but
	// the routes that ask it. Nil: those routes say so.
	Temporal client.Client
	Inbox    *Inbox         // what webhooks and events go into
	Clock    campaign.Clock // of the project; zero is the real time
	Log      *slog.Logger
	Metrics  *Metrics
	Version  string // of this build
	// Mounts are further handlers by pattern: the hooks, the sandbox.
	Mounts map[string]http.Handler
}

type api struct {
	Deps
	huma    huma.API
	guesses *guesses
}

// New makes the handler of everything that the starter answers.
func New(deps Deps) http.Handler {
	mux := http.NewServeMux()
	deps.Metrics.Watch(deps.Store)
	a := &api{Deps: deps, huma: humago.New(mux, apiConfig(deps.Version)), guesses: newGuesses()}
	a.huma.UseMiddleware(a.authenticate, a.idempotent)
	a.register()
	a.serveOpenAPI(mux)
	a.serveDocs(mux)
	a.serveUnsubscribe(mux)
	mux.Handle("GET /metrics", deps.Metrics.Handler())
	for pattern, handler := range deps.Mounts {
		mux.Handle(pattern, handler)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/docs", http.StatusFound) })
	return observed(addressed(unencoded(routed(mux)), deps.Config.TrustedProxies), deps.Log, deps.Metrics)
}

func (a *api) register() {
	a.healthRoutes()
	a.eventRoutes()
	a.couponRoutes()
	a.codeRoutes()
	a.campaignRoutes()
	a.journeyRoutes()
	a.messageRoutes()
	a.contactRoutes()
	a.inboxRoutes()
	a.templateRoutes()
	a.applyRoutes()
	a.settingRoutes()
	a.keyRoutes()
	a.connectionRoutes()
	a.doctorRoutes()
}

// maxBody is how large a JSON body may be in bytes, unless its route says more.
const maxBody = 1 << 20

// handle registers one route: its scope is part of the description, its errors
// become problems.
func handle[I, O any](a *api, scope string, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	if scope != "" {
		op.Security = []map[string][]string{{securityScheme: {scope}}}
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden)
	}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
	}
	op.BodyReadTimeout = -1 // Limits hold for every route, and the framework would keep its own time
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, problemOf(ctx, a.Log, missing(err, op.Tags[0]))
		}
		return out, nil
	})
}

// op describes a route; summary is its line in the documentation.
func op(method, path, id, tag, summary string) huma.Operation {
	return huma.Operation{Method: method, Path: path, OperationID: id, Tags: []string{tag}, Summary: summary}
}

// creates marks a POST that makes something and takes an Idempotency-Key.
func creates(o huma.Operation, status int) huma.Operation {
	o.DefaultStatus = status
	o.Metadata = map[string]any{idempotentRoute: true}
	o.Parameters = append(o.Parameters, &huma.Param{Name: idempotencyHeader, In: "header",
		Description: "Up to 200 letters of your own choice. The same key with the same body is answered the same, and done once; kept for two days.",
		Schema:      &huma.Schema{Type: "string", MinLength: ptr(1), MaxLength: ptr(maxIdempotencyKey)}})
	o.Errors = append(o.Errors, http.StatusConflict)
	return o
}

func describe(o huma.Operation, description string) huma.Operation {
	o.Description = description
	return o
}

// answer is a response with a JSON body.
type answer[T any] struct{ Body T }

func reply[T any](body T) (*answer[T], error) { return &answer[T]{body}, nil }

func writeProblem(w http.ResponseWriter, p *Problem) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

func responseWriter(ctx huma.Context) http.ResponseWriter {
	_, w := humago.Unwrap(ctx)
	return w
}

func ptr[T any](v T) *T { return &v }
