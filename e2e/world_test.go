// Package e2e_test drives the whole of Scrip as `make run` starts it: a real
// Postgres, a real Temporal server, the vendors' SDKs against the sandbox, signed
// webhooks and the API. It knows nothing of the inside.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev"
	"scrip.dev/scrip/dev/sandbox"
)

// hour is how long an hour takes in these tests.
const hour = 150 * time.Millisecond

// patience bounds every wait for something to happen.
const patience = 4 * time.Minute

// world is one running Scrip.
type world struct {
	base     string // http://127.0.0.1:…
	state    string
	temporal string // host:port
	key      string
	secrets  sandbox.Secrets
	options  dev.Options
	stop     func() error
}

var shared *world

func TestMain(m *testing.M) {
	os.Setenv("SCRIP_CLOCK_HOUR", hour.String())
	flag.Parse()
	// People mostly wait: many fit on few processors.
	if err := flag.Set("test.parallel", "24"); err != nil {
		panic(err)
	}
	state, err := os.MkdirTemp("", "scrip-e2e-")
	if err == nil {
		shared, err = open(options(state))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting Scrip for the end-to-end tests:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping Scrip:", err)
		code = 1
	}
	if code == 0 {
		_ = os.RemoveAll(state)
	} else {
		fmt.Fprintln(os.Stderr, "logs are in", state)
	}
	os.Exit(code)
}

func options(state string) dev.Options {
	return dev.Options{
		Project: filepath.Join("..", "examples"), State: state, Version: "test",
		Port: freePort(), PostgresPort: freePort(), TemporalPort: freePort(), UIPort: freePort(),
	}
}

// open starts Scrip and returns when it is ready.
func open(o dev.Options) (*world, error) {
	log, err := os.OpenFile(filepath.Join(o.State, "scrip.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	o.Out = &banner{ready: ready}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- dev.Run(ctx, o) }()
	w := &world{options: o, state: o.State, base: fmt.Sprintf("http://127.0.0.1:%d", o.Port), temporal: fmt.Sprintf("127.0.0.1:%d", o.TemporalPort)}
	w.stop = func() error { cancel(); defer log.Close(); return <-ended }
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		return nil, fmt.Errorf("it ended: %w", err)
	case <-time.After(15 * time.Minute):
		return nil, fmt.Errorf("not ready in time; %w", w.stop())
	}
	key, err := os.ReadFile(filepath.Join(o.State, "key"))
	if err != nil {
		return nil, err
	}
	w.key = strings.TrimSpace(string(key))
	w.secrets, err = sandbox.LoadSecrets(filepath.Join(o.State, "sandbox"))
	return w, err
}

// banner is where Scrip says that it is up.
type banner struct {
	text  bytes.Buffer
	ready chan struct{}
}

func (b *banner) Write(p []byte) (int, error) {
	n, err := b.text.Write(p)
	if strings.Contains(b.text.String(), "is up.") {
		select {
		case <-b.ready:
		default:
			close(b.ready)
		}
	}
	return n, err
}

func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// person is somebody at the shop, followed by one test.
type person struct {
	*testing.T
	*world
	sandbox.Checkout
}

func (w *world) person(t *testing.T, name string) *person {
	t.Parallel()
	return w.customer(t, name)
}

func (w *world) customer(t *testing.T, name string) *person {
	now := time.Now().UTC()
	c := sandbox.NewCheckout(w.base+"/sandbox/shop", now)
	c.Customer = sandbox.Customer{
		Email: name + "-" + c.Token[:8] + "@example.com", Phone: fmt.Sprintf("+4915112%06d", c.ID%1000000), FirstName: name, LastName: "Test",
		Country: "DE", AcceptsEmail: true, AcceptsSMS: true, ConsentAt: now.Add(-time.Hour),
	}
	c.Lines = []sandbox.Line{{ProductID: 1001, SKU: "TEA-1", Title: "Green tea", Quantity: 2, Price: decimal.RequireFromString("39.50")}}
	return &person{T: t, world: w, Checkout: c}
}

// webhook posts a webhook as Shopify signs it, and expects it to be accepted.
func (p *person) webhook(topic string, body []byte) {
	p.webhookAs(sandbox.ShopifyDelivery{Topic: topic, Shop: p.secrets.ShopifyDomain, TriggeredAt: time.Now()}, body)
}

func (p *person) webhookAs(d sandbox.ShopifyDelivery, body []byte) {
	request, err := http.NewRequestWithContext(p.Context(), http.MethodPost, p.base+"/hooks/shop/"+d.Topic, bytes.NewReader(body))
	require.NoError(p, err)
	request.Header = sandbox.SignShopify(p.secrets.ShopifyClientKey, d, body)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(p, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(p, err)
	require.Less(p, answer.StatusCode, 300, string(text))
}

func (p *person) abandonsCart() {
	p.UpdatedAt = time.Now().UTC()
	p.webhook("checkouts/update", sandbox.CheckoutBody(p.Checkout))
}

func (p *person) applies(code string) {
	with := p.Checkout
	with.Code, with.Terms, with.UpdatedAt = code, sandbox.Terms{Percentage: decimal.NewFromInt(10)}, time.Now().UTC()
	p.webhook("checkouts/update", sandbox.CheckoutBody(with))
}

// buys orders with a code, or without one where it is empty: orders/create and
// then orders/paid, as a shop sends them.
func (p *person) buys(code string) sandbox.Order {
	with := p.Checkout
	if with.Code = code; code != "" {
		with.Terms = sandbox.Terms{Percentage: decimal.NewFromInt(10)}
	}
	order := sandbox.NewOrder(with, int(with.ID%100000), time.Now().UTC())
	p.webhook("orders/create", sandbox.OrderBody(order))
	order.Paid = true
	p.webhook("orders/paid", sandbox.OrderBody(order))
	return order
}

// call asks the API; out may be nil.
func (w *world) call(t *testing.T, method, path string, in, out any) {
	t.Helper()
	status, body := w.try(t, method, path, in)
	require.Less(t, status, 300, string(body))
	if out != nil {
		require.NoError(t, json.Unmarshal(body, out), string(body))
	}
}

func (w *world) try(t *testing.T, method, path string, in any) (int, []byte) {
	t.Helper()
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		require.NoError(t, err)
		body = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, w.base+path, body)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+w.key)
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, text
}

// messages are those that the sandbox took for this person, oldest first.
func (p *person) messages() []sandbox.Message {
	answer, err := http.Get(p.base + "/sandbox/messages")
	require.NoError(p, err)
	defer answer.Body.Close()
	var all struct{ Messages []sandbox.Message }
	var mine []sandbox.Message
	require.NoError(p, json.NewDecoder(answer.Body).Decode(&all))
	for _, m := range all.Messages {
		if m.To == p.Customer.Email || m.To == p.Customer.Phone {
			mine = append(mine, m)
		}
	}
	return mine
}

// receives waits for the n-th message to this person.
func (p *person) receives(n int) sandbox.Message {
	p.Helper()
	var got []sandbox.Message
	p.until(func() bool { got = p.messages(); return len(got) >= n }, "message %d to arrive", n)
	return got[n-1]
}

// until waits for something to become true.
func (p *person) until(done func() bool, what string, args ...any) {
	p.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			p.Fatalf("waited %s for "+what+"\n%s", append(append([]any{patience}, args...), p.why())...)
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// why is Scrip's own explanation, for tests that fail.
func (p *person) why() string {
	_, body := p.try(p.T, http.MethodGet, "/v1/why?contact="+url.QueryEscape(p.Customer.Email), nil)
	return string(body)
}

func (p *person) decode(body []byte, into any) {
	p.Helper()
	require.NoError(p, json.Unmarshal(body, into), string(body))
}

func orderID(o sandbox.Order) string { return fmt.Sprint(o.ID) }
