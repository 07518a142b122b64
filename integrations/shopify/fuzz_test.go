package shopify_test

import (
	"crypto/hmac"
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/shopify"
)

// FuzzReceive: no body is accepted but under the signature that the shop's secret
// makes of it, whatever the headers say, and what is accepted has a key that fits.
func FuzzReceive(f *testing.F) {
	made, err := shopify.New(conformance.Settings("shop", "shop: example.myshopify.com\nclient_secret: "+clientSecret+"\n", nil))
	require.NoError(f, err)
	receive := made.(integrations.Source)
	body := []byte(`{"id":1}`)
	right := base64.StdEncoding.EncodeToString(hash(body))
	f.Add("orders/paid", "orders/paid", "", right, "", "event-1", "2026-11-21T09:00:00Z", body, false)
	f.Add("orders/create", "Order", "create", "", right, "", "x", body, true)
	f.Add("orders/create", "Order", "create", right, "AAAA", "", "x", []byte(`{"id":2}`), false)
	f.Fuzz(func(t *testing.T, pinned, topic, action, classic, own, id, at string, body []byte, signs bool) {
		if signs {
			classic = base64.StdEncoding.EncodeToString(hash(body))
		}
		r := integrations.Request{Topic: pinned, Body: body, Header: http.Header{
			"X-Shopify-Hmac-Sha256": {classic}, "Shopify-Hmac-Sha256": {own}, "X-Shopify-Topic": {topic}, "Shopify-Topic": {topic},
			"Shopify-Action": {action}, "X-Shopify-Shop-Domain": {"example.myshopify.com"}, "Shopify-Shop-Domain": {"example.myshopify.com"},
			"X-Shopify-Event-Id": {id}, "X-Shopify-Triggered-At": {at},
		}}
		receipt, err := receive.Receive(r)
		if err != nil {
			require.Empty(t, receipt)
			return
		}
		given := classic
		if own != "" {
			given = own
		}
		signature, err := base64.StdEncoding.DecodeString(given)
		require.NoError(t, err)
		require.True(t, hmac.Equal(signature, hash(body)), "an unsigned body was accepted")
		require.Equal(t, pinned, receipt.Topic)
		require.NotEmpty(t, receipt.Key)
		require.LessOrEqual(t, len(receipt.Key), len(pinned)+1+100)
		again, err := receive.Receive(r)
		require.NoError(t, err)
		require.Equal(t, receipt, again)
	})
}

// FuzzNormalise: what is understood is a batch that the dispatcher can rely on, and
// the same each time.
func FuzzNormalise(f *testing.F) {
	f.Add("checkouts/update", fixture(f, "checkout.json"))
	f.Add("orders/paid", fixture(f, "order.json"))
	f.Add("orders/updated", fixture(f, "order.json"))
	f.Add("orders/cancelled", []byte(`{"id":1,"cancelled_at":"2026-01-01T00:00:00Z","discount_codes":[{"code":"A","amount":"1e9"}]}`))
	f.Add("refunds/create", []byte(`{"order_id":1,"transactions":[{"amount":"1.00","kind":"refund","status":"success","currency":"EUR"}]}`))
	f.Add("customers/update", []byte(`{"id":1,"email":"anna@example.com","tags":"a, b","email_marketing_consent":{"state":"subscribed","consent_updated_at":"2026-01-01T00:00:00Z"}}`))
	f.Add("customers_email_marketing_consent/update", []byte(`{"customer_id":1,"email_address":"a@example.com","email_marketing_consent":{"state":"subscribed"}}`))
	f.Add("customers/redact", []byte(`{"customer":{"id":1}}`))
	webhooks := &shopify.Webhooks{}
	f.Fuzz(func(t *testing.T, topic string, body []byte) {
		d := integrations.Delivery{Connection: "shop", Topic: topic, Body: body, ReceivedAt: time.Unix(1, 0)}
		batch, err := integrations.Normalise(webhooks, d)
		if err != nil {
			require.NotContains(t, err.Error(), "panic")
			return
		}
		conformance.Batch(t, batch)
		again, err := integrations.Normalise(webhooks, d)
		require.NoError(t, err)
		require.Equal(t, batch, again)
	})
}
