package secrets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/integrations"
)

// vendors stand before the sandbox and fail for some people, in the ways in which
// vendors give away whom they failed for.
type vendors struct {
	mu      sync.Mutex
	refuse  []string // addresses: refused, and everything that was sent is repeated
	silent  []string // addresses: taken, and no answer
	panics  []string // addresses: the vendor's folder panics
	refused int
	dropped int
	asked   int
	paniced int
}

func (v *vendors) meets(list []string, text string) bool {
	for _, address := range list {
		if strings.Contains(text, address) {
			return true
		}
	}
	return false
}

func (v *vendors) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/sandbox/api/") || strings.Contains(r.URL.Path, "/shopify") {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		text := string(body)
		if decoded, err := url.QueryUnescape(text); err == nil && strings.Contains(r.URL.Path, "twilio") {
			text = decoded
		}
		v.mu.Lock()
		refuse, silent := v.meets(v.refuse, text), v.meets(v.silent, text)
		v.mu.Unlock()
		switch {
		case strings.Contains(r.URL.Path, "/fraud/"):
			v.count(&v.asked)
			status := http.StatusOK
			if refuse {
				status = http.StatusUnprocessableEntity
			}
			tell(w, status, map[string]any{"risk": 0.1, "you_said": text})
		case refuse && strings.Contains(r.URL.Path, "twilio"):
			v.count(&v.refused)
			tell(w, http.StatusBadRequest, map[string]any{"code": 21211, "status": 400, "message": "The 'To' number is not valid: " + text})
		case refuse:
			v.count(&v.refused)
			tell(w, http.StatusBadRequest, map[string]any{"errors": []any{map[string]any{"message": "Does not contain a valid address: " + text, "field": "personalizations.0.to"}}})
		case silent:
			v.count(&v.dropped)
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (v *vendors) count(n *int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	*n++
}

func tell(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// panicking is a vendor's folder with a mistake in it: for some addresses it
// panics, and says whom it was about.
type panicking struct {
	activities.Connections
	vendors *vendors
}

func (p panicking) Outlet(channel, name string) (activities.Outlet, bool) {
	outlet, ok := p.Connections.Outlet(channel, name)
	if ok {
		outlet.Channel = panickingChannel{outlet.Channel, p.vendors}
	}
	return outlet, ok
}

type sender = integrations.Channel

type panickingChannel struct {
	sender
	vendors *vendors
}

func (p panickingChannel) Send(ctx context.Context, m integrations.Message) (integrations.Sent, error) {
	p.vendors.mu.Lock()
	meant := p.vendors.meets(p.vendors.panics, m.To)
	p.vendors.mu.Unlock()
	if meant {
		p.vendors.count(&p.vendors.paniced)
		panic("no route to " + m.To + " with " + m.Text)
	}
	return p.sender.Send(ctx, m)
}
