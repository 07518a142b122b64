package starter

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// Defaults of Hooks.
const (
	DefaultMaxBody = 1 << 20 // bytes
	retryAfter     = 10      // seconds, while the database is away
)

// Sources finds the connection whose webhooks come in under a name; an error says
// that there is none.
type Sources interface {
	Source(connection string) (integrations.Source, error)
	// OfAccount gives the connections of whose messages one may speak: itself and
	// those of the same account.
	OfAccount(connection string) []string
}

// KeySigner is a Source whose receipts' keys are covered by the vendor's
// signature. From other sources the same body under another key is taken for a
// replay of the same webhook, for a week.
type KeySigner interface {
	SignsKey() bool
}

// Hooks takes vendors' webhooks in at /hooks/{connection} and
// /hooks/{connection}/{topic}. It answers 2xx only after the webhook is committed.
type Hooks struct {
	Inbox     *Inbox
	Sources   Sources
	PublicURL *url.URL // where the world reaches this process; vendors sign it
	MaxBody   int64    // bytes; 0 is DefaultMaxBody
	Metrics   *InboxMetrics
	Log       *slog.Logger
	Now       func() time.Time
}

// Mounts are the two addresses, for Deps.
func (h *Hooks) Mounts() map[string]http.Handler {
	return map[string]http.Handler{"/hooks/{connection}": h, "/hooks/{connection}/{topic...}": h}
}

// Refusals of the hook itself.
var (
	errUnknown  = &integrations.Refusal{Status: http.StatusNotFound, Code: "unknown_connection", Message: "there is no such connection that takes webhooks; check the address against the connections in scrip.yaml"}
	errMethod   = &integrations.Refusal{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Message: "webhooks are sent with POST"}
	errSlow     = &integrations.Refusal{Status: http.StatusRequestTimeout, Code: "slow_body", Message: "the body did not arrive in time; send it again"}
	errBody     = &integrations.Refusal{Status: http.StatusBadRequest, Code: "incomplete_body", Message: "the body broke off; send it again"}
	errStorage  = &integrations.Refusal{Status: http.StatusServiceUnavailable, Code: "storage_unavailable", Message: "nothing was stored because the database can't be reached; send it again later"}
	errUnstored = &integrations.Refusal{Status: http.StatusBadRequest, Code: "unstorable", Message: "the webhook can't be stored as it is; check its headers for control characters"}
)

// ServeHTTP verifies a webhook, stores it and answers.
func (h *Hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	connection := r.PathValue("connection")
	source, err := h.Sources.Source(connection)
	if err != nil {
		h.refuse(w, "unknown", errUnknown)
		return
	}
	defer func() { h.Metrics.HookSeconds.Observe(time.Since(start).Seconds()) }()
	request, err := h.read(w, r)
	if err != nil {
		h.refuse(w, connection, err)
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead { // a vendor checks the address
		h.answer(w, source, request)
		return
	}
	receipt, err := source.Receive(request)
	if err != nil {
		h.refuse(w, connection, err)
		return
	}
	accepted, err := h.Inbox.Accept(r.Context(), incoming(connection, source, receipt, request, r))
	if err != nil {
		h.refuseStorage(w, r, connection, err)
		return
	}
	outcome := "accepted"
	if accepted.Duplicate {
		outcome = "duplicate"
	}
	h.Metrics.Hooks.WithLabelValues(connection, outcome).Inc()
	h.answer(w, source, request)
}

// read takes the whole body, bounded in size; the server bounds it in time.
func (h *Hooks) read(w http.ResponseWriter, r *http.Request) (integrations.Request, error) {
	request := integrations.Request{Method: r.Method, URL: h.publicURL(r), Topic: r.PathValue("topic"), Header: r.Header, At: h.Now()}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return request, nil
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "POST")
		return request, errMethod
	}
	limit := cmp.Or(h.MaxBody, DefaultMaxBody)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return request, &integrations.Refusal{Status: http.StatusRequestEntityTooLarge, Code: "body_too_large",
			Message: "the body is larger than " + strconv.FormatInt(limit, 10) + " bytes, which is more than a webhook has; send less at once"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return request, errSlow
	case err != nil:
		return request, errBody
	}
	request.Body = body
	return request, nil
}

// publicURL is the address as the vendor called and signed it. The Host header is
// the caller's word and not used.
func (h *Hooks) publicURL(r *http.Request) *url.URL {
	public := *h.PublicURL
	base := strings.TrimSuffix(public.EscapedPath(), "/")
	public.RawQuery = r.URL.RawQuery
	escaped := base + r.URL.EscapedPath()
	if path, err := url.PathUnescape(escaped); err == nil {
		public.Path, public.RawPath = path, escaped
	}
	return &public
}

func incoming(connection string, source integrations.Source, receipt integrations.Receipt, request integrations.Request, r *http.Request) store.Incoming {
	in := store.Incoming{
		Connection: connection, Topic: integrations.Storable(receipt.Topic), Key: boundedKey(receipt.Key), SentAt: receipt.SentAt,
		Body: request.Body, Trace: Traceparent(r.Context()),
	}
	for name, value := range receipt.Meta {
		if in.Meta == nil {
			in.Meta = make(map[string]string, len(receipt.Meta))
		}
		in.Meta[integrations.Storable(name)] = integrations.Storable(value)
	}
	if signer, ok := source.(KeySigner); !ok || !signer.SignsKey() {
		sum := sha256.New()
		_, _ = sum.Write([]byte(receipt.Topic + "\x00"))
		_, _ = sum.Write(request.Body)
		in.BodyKey = sum.Sum(nil)
	}
	return in
}

// maxKey is how long a vendor's key may be before its hash stands for it.
const maxKey = 200

func boundedKey(key string) string {
	if len(key) <= maxKey && integrations.Storable(key) == key {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (h *Hooks) answer(w http.ResponseWriter, source integrations.Source, request integrations.Request) {
	if responder, ok := source.(integrations.Responder); ok {
		responder.Respond(w, request)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (h *Hooks) refuseStorage(w http.ResponseWriter, r *http.Request, connection string, err error) {
	if store.IsDataError(err) {
		h.refuse(w, connection, errUnstored)
		return
	}
	h.Log.ErrorContext(r.Context(), "a webhook could not be stored", "connection", connection, "error", err)
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	h.refuse(w, connection, errStorage)
}

func (h *Hooks) refuse(w http.ResponseWriter, connection string, err error) {
	refusal := integrations.ErrMalformed
	_ = errors.As(err, &refusal) // a source's other errors are about what it was sent
	h.Metrics.Hooks.WithLabelValues(connection, refusal.Code).Inc()
	writeProblem(w, problem(refusal.Status, refusal.Code, "%s", refusal.Message))
}
