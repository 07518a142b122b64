// Package walk goes through a running Scrip as people do: they leave carts, buy,
// use codes, answer; and looks at what became of them through the API and the
// sandbox's own log. It knows nothing of the inside.
package walk

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
)

// System is a running Scrip, seen from outside.
type System struct {
	Base    string // http://127.0.0.1:…
	Key     string // of the API, with every scope
	Secrets sandbox.Secrets
	// Sent gives every message that the vendors took, oldest first.
	Sent func() ([]sandbox.Message, error)
	// Patience bounds every wait for something to happen.
	Patience time.Duration
	// Pause is between two looks at first; default 25 ms.
	Pause time.Duration
	// Insistent callers send again what was not answered, as vendors do.
	Insistent bool
}

// Person is somebody at the shop, followed by one test.
type Person struct {
	testing.TB
	*System
	sandbox.Checkout
}

// Person is a new customer with a full cart, whose name is told in addresses.
func (s *System) Person(t testing.TB, name string) *Person {
	now := time.Now().UTC()
	c := sandbox.NewCheckout(s.Base+"/sandbox/shop", now)
	c.Customer = sandbox.Customer{
		Email: name + "-" + c.Token[:8] + "@example.com", Phone: fmt.Sprintf("+49151%08d", c.ID%1e8), FirstName: name, LastName: "Test",
		Country: "DE", AcceptsEmail: true, AcceptsSMS: true, ConsentAt: now.Add(-time.Hour),
	}
	c.Lines = []sandbox.Line{{ProductID: 1001, SKU: "TEA-1", Title: "Green tea", Quantity: 2, Price: decimal.RequireFromString("39.50")}}
	return &Person{TB: t, System: s, Checkout: c}
}

// Post sends a request with a body and expects it to be taken.
func (p *Person) Post(address string, header http.Header, body []byte) {
	p.Helper()
	status, text := p.ask(http.MethodPost, address, header, body)
	require.Less(p, status, 300, string(text))
}

// Call asks the API; in and out may be nil.
func (p *Person) Call(method, path string, in, out any) {
	p.Helper()
	status, body := p.Try(method, path, in)
	require.Less(p, status, 300, string(body))
	if out != nil {
		p.Decode(body, out)
	}
}

// Try asks the API and gives its answer, whatever it is. What changes something
// carries an Idempotency-Key, so that an insistent caller may repeat it.
func (p *Person) Try(method, path string, in any) (int, []byte) {
	p.Helper()
	header := http.Header{"Authorization": {"Bearer " + p.Key}}
	var body []byte
	if in != nil {
		var err error
		body, err = json.Marshal(in)
		require.NoError(p, err)
		header.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet {
		header.Set("Idempotency-Key", rand.Text())
	}
	return p.ask(method, p.Base+path, header, body)
}

// ask makes one request; an insistent caller repeats it until it is answered.
func (p *Person) ask(method, address string, header http.Header, body []byte) (int, []byte) {
	p.Helper()
	deadline := time.Now().Add(p.Patience)
	for {
		status, text, err := p.askOnce(method, address, header, body)
		unanswered := err != nil || status >= 500 || status == http.StatusTooManyRequests || status == http.StatusConflict && bytes.Contains(text, []byte("idempotency_key_busy"))
		if !p.Insistent || !unanswered || time.Now().After(deadline) {
			require.NoError(p, err)
			return status, text
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (p *Person) askOnce(method, address string, header http.Header, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(p.Context(), method, address, bytes.NewReader(body))
	require.NoError(p, err)
	request.Header = header.Clone()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// Decode reads JSON.
func (p *Person) Decode(body []byte, into any) {
	p.Helper()
	require.NoError(p, json.Unmarshal(body, into), string(body))
}

// Until waits for something to become true.
func (p *Person) Until(done func() bool, what string, args ...any) {
	p.Helper()
	if !p.Await(done) {
		p.Fatalf("waited %s for "+what+"\n%s", append(append([]any{p.Patience}, args...), p.why())...)
	}
}

// Await waits for something to become true for as long as there is patience, and tells
// whether it did. What lets itself be awaited is looked at less and less often, as each
// look costs what is looked at.
func (s *System) Await(done func() bool) bool {
	pause := cmp.Or(s.Pause, 25*time.Millisecond)
	longest := min(10*pause, max(pause, time.Second))
	for deadline := time.Now().Add(s.Patience); !done(); pause = min(pause*11/10, longest) {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}
