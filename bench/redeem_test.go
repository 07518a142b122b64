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

const shoppers = 32

// till redeems codes of its database.
type till struct {
	*database
	handler http.Handler
	secret  string
	next    atomic.Int64
}

// openTill gives the codes of each coupon to somebody; each is named with the further
// lines of its document.
func openTill(b *testing.B, coupons map[string]string) *till {
	t := &till{database: newDatabase(b, shoppers+2)}
	const most = 4_000 // a second
	codes := 50_000 + int(window.Seconds()*float64(*rounds)*2*most)
	for name, limits := range coupons {
		t.offer(name, limits)
		fill(t, t.Store, name, codes, codes)
	}
	t.exec(`INSERT INTO assignment (claim_key, coupon_id, journey_id, contact_id, batch_id, pos, state, exposed_at, expires_at)
		SELECT 'held/' || c.batch_id || '/' || c.pos, b.coupon_id, 'jn_' || c.pos % $1, 'ct_' || c.pos % $1, b.id, c.pos, 'exposed', now(), now() + interval '7 days'
		FROM code c JOIN batch b ON b.id = c.batch_id`, journeys)
	var err error
	_, t.secret, err = t.NewKey(b.Context(), "bench", []string{store.ScopeCodes})
	require.NoError(b, err)
	t.exec(`VACUUM ANALYZE`)
	settings, err := config.Load("../examples", config.WithoutSecrets(func(string) string { return "" }))
	if settings == nil {
		require.NoError(b, err)
	}
	t.handler = starter.New(starter.Deps{Store: t.Store, Config: settings, Log: slog.New(slog.DiscardHandler), Metrics: starter.NewMetrics()})
	return t
}

// api redeems a coupon's codes through the API, which is called without a network.
func (t *till) api(coupon string) side {
	return side{name: coupon + " through the API", clients: shoppers, do: func(int, int) error {
		n := t.next.Add(1)
		request := httptest.NewRequest(http.MethodPost, fmt.Sprintf("/v1/codes/%s-%d/redeem", coupon, n),
			bytes.NewReader(fmt.Appendf(nil, `{"order":{"id":"o-%d","total":"49.90","discount":"4.99","currency":"EUR"}}`, n)))
		request.Header.Set("Authorization", "Bearer "+t.secret)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", fmt.Sprint("o-", n))
		answer := httptest.NewRecorder()
		t.handler.ServeHTTP(answer, request)
		if answer.Code >= 300 {
			text, _ := io.ReadAll(answer.Body)
			return fmt.Errorf("a redemption was answered %d: %s", answer.Code, text)
		}
		return nil
	}}
}

// statements are those that the API runs: the key, the Idempotency-Key, the redemption,
// the answer that is kept.
func (t *till) statements(coupon string) side {
	ctx := context.Background()
	total, discount := decimal.RequireFromString("49.90"), decimal.RequireFromString("4.99")
	return side{name: "statements", clients: shoppers, do: func(int, int) error {
		n := t.next.Add(1)
		key, err := t.Authenticate(ctx, t.secret)
		if err != nil {
			return err
		}
		claim := store.Idempotent{APIKeyID: key.ID, Key: fmt.Sprint("o-", n), Route: "POST /v1/codes/{code}/redeem", Body: fmt.Appendf(nil, "%032d", n)}
		if _, err := t.Begin(ctx, claim); err != nil {
			return err
		}
		order := &event.Order{ID: fmt.Sprint("o-", n), Total: total, Discount: discount, Currency: "EUR"}
		if _, err := t.Redeem(ctx, store.Use{Code: fmt.Sprintf("%s-%d", coupon, n), Source: "api", Order: order}); err != nil {
			return err
		}
		_, err = t.Finish(ctx, t.Pool, claim, store.Answered{Status: http.StatusOK, Body: []byte(`{"id":"rd_0"}`)})
		return err
	}}
}

// BenchmarkRedeem holds redemptions through the API against the statements that it runs.
func BenchmarkRedeem(b *testing.B) {
	t := openTill(b, map[string]string{"gift": ""})
	turns := alternate(b, t.api("gift"), t.statements("gift"))
	rate := against("redeem", "redemptions/s", turns[0], turns[1], "≥ 0.6 of the statements", atLeast(0.6), "32 clients; the same statements without HTTP, JSON and the limit of guesses")
	write(b, rate, percentile("redeem_p95", 95, turns[0], turns[1], "stated", func(float64) bool { return true }, "32 clients"))
}

// BenchmarkRedeemCapped holds redemptions of a coupon with a cap, which are counted in one
// row, against those of one without.
func BenchmarkRedeemCapped(b *testing.B) {
	t := openTill(b, map[string]string{"gift": "", "capped": "limits: {budget: 1000000000}\n"})
	turns := alternate(b, t.api("capped"), t.api("gift"))
	write(b, against("redeem_capped", "redemptions/s", turns[0], turns[1], "stated", atLeast(0), "32 clients; a coupon without caps"))
}
