package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/starter"
)

// checkout is a cart of the size that a shop sends, some 5 kB.
func checkout(n int64) []byte {
	return fmt.Appendf(nil, `{"id":%d,"token":"t%d","email":"anna-%d@example.com","line_items":[%s]}`, n, n, n,
		strings.TrimSuffix(strings.Repeat(`{"title":"Coffee","quantity":1,"price":"9.90","sku":"C-1"},`, 80), ","))
}

// BenchmarkHook holds signed webhooks that were verified, stored and answered
// against single-row inserts of the same bodies.
func BenchmarkHook(b *testing.B) {
	const clients = 64
	d := newDatabase(b, 16)
	raw := d.pool(clients)
	_, err := raw.Exec(b.Context(), `CREATE TABLE raw (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea)`)
	require.NoError(b, err)
	connections, secrets := examples(b)
	inbox := starter.NewInbox(d.Store, starter.NewInboxMetrics(nil))
	b.Cleanup(inbox.Close)
	public, err := url.Parse("https://scrip.example.com")
	require.NoError(b, err)
	hooks := &starter.Hooks{Inbox: inbox, Sources: connections, PublicURL: public, Metrics: starter.NewInboxMetrics(nil), Log: slog.New(slog.DiscardHandler), Now: time.Now}
	mux := http.NewServeMux()
	for pattern, handler := range hooks.Mounts() {
		mux.Handle(pattern, handler)
	}
	var next atomic.Int64
	hook := func(int, int) error {
		n := next.Add(1)
		body := checkout(n)
		request := httptest.NewRequest(http.MethodPost, "/hooks/shop/checkouts/update", bytes.NewReader(body))
		request.Header = sandbox.SignShopify(secrets.ShopifyClientKey, sandbox.ShopifyDelivery{Topic: "checkouts/update", Shop: secrets.ShopifyDomain,
			EventID: fmt.Sprint("e", n), WebhookID: fmt.Sprint("w", n), TriggeredAt: time.Now()}, body)
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, request)
		if answer.Code != http.StatusOK {
			text, _ := io.ReadAll(answer.Body)
			return fmt.Errorf("a hook was answered %d: %s", answer.Code, text)
		}
		return nil
	}
	insert := func(int, int) error {
		_, err := raw.Exec(context.Background(), `INSERT INTO raw (body) VALUES ($1)`, checkout(next.Add(1)))
		return err
	}
	turns := alternate(b, side{name: "hooks", clients: clients, do: hook}, side{name: "inserts", clients: clients, do: insert})
	rate := against("hook", "hooks/s", turns[0], turns[1], "≥ 0.8 of inserts", atLeast(0.8), "64 clients; single-row inserts of the same body, which the server compresses with its default (pglz) and Scrip with LZ4")
	write(b, rate, percentile("hook_p99", 99, turns[0], turns[1], "≤ 2 × an insert's", func(ratio float64) bool { return ratio <= 2 }, "64 clients"))
}
