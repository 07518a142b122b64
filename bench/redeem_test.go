package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
)

// BenchmarkRedeem holds redemptions through the API against the statements that it
// runs: the key, the Idempotency-Key, the redemption, the answer that is kept.
func BenchmarkRedeem(b *testing.B) {
	const clients = 32
	d := newDatabase(b, clients+2)
	const most = 4_000 // a second
	codes := 50_000 + int(window.Seconds()*float64(*rounds)*2*most)
	d.list("gift", codes, codes)
	d.exec(`INSERT INTO assignment (claim_key, coupon_id, journey_id, contact_id, batch_id, pos, state, exposed_at, expires_at)
		SELECT 'held/' || c.pos, b.coupon_id, 'jn_' || c.pos % $1, 'ct_' || c.pos % $1, b.id, c.pos, 'exposed', now(), now() + interval '7 days'
		FROM code c JOIN batch b ON b.id = c.batch_id`, journeys)
	_, secret, err := d.NewKey(b.Context(), "bench", []string{store.ScopeCodes})
	require.NoError(b, err)
	d.exec(`VACUUM ANALYZE`)
	settings, err := config.Load("../examples", config.WithoutSecrets(func(string) string { return "" }))
	if settings == nil {
		require.NoError(b, err)
	}
	handler := starter.New(starter.Deps{Store: d.Store, Config: settings, Log: slog.New(slog.DiscardHandler), Metrics: starter.NewMetrics()})
	var next atomic.Int64
	api := func(int, int) error {
		n := next.Add(1)
		request := httptest.NewRequest(http.MethodPost, fmt.Sprintf("/v1/codes/GIFT%d/redeem", n),
			bytes.NewReader(fmt.Appendf(nil, `{"order":{"id":"o-%d","total":"49.90","discount":"4.99","currency":"EUR"}}`, n)))
		request.Header.Set("Authorization", "Bearer "+secret)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", fmt.Sprint("o-", n))
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code >= 300 {
			text, _ := io.ReadAll(answer.Body)
			return fmt.Errorf("a redemption was answered %d: %s", answer.Code, text)
		}
		return nil
	}
	ctx := context.Background()
	total, discount := decimal.RequireFromString("49.90"), decimal.RequireFromString("4.99")
	statements := func(int, int) error {
		n := next.Add(1)
		key, err := d.Authenticate(ctx, secret)
		if err != nil {
			return err
		}
		claim := store.Idempotent{APIKeyID: key.ID, Key: fmt.Sprint("o-", n), Route: "POST /v1/codes/{code}/redeem", Body: fmt.Appendf(nil, "%032d", n)}
		if _, err := d.Begin(ctx, claim); err != nil {
			return err
		}
		order := &event.Order{ID: fmt.Sprint("o-", n), Total: total, Discount: discount, Currency: "EUR"}
		if _, err := d.Redeem(ctx, store.Use{Code: fmt.Sprint("GIFT", n), Source: "api", Order: order}); err != nil {
			return err
		}
		_, err = d.Finish(ctx, d.Pool, claim, store.Answered{Status: http.StatusOK, Body: []byte(`{"id":"rd_0"}`)})
		return err
	}
	turns := alternate(b, side{name: "api", clients: clients, do: api}, side{name: "statements", clients: clients, do: statements})
	rate := against("redeem", "redemptions/s", turns[0], turns[1], "≥ 0.6 of the statements", atLeast(0.6), "32 clients; the same statements without HTTP, JSON and the limit of guesses")
	write(b, rate, percentile("redeem_p95", 95, turns[0], turns[1], "stated", func(float64) bool { return true }, "32 clients"))
}
