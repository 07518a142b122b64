package shopify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/shopify"
)

const clientSecret = "shpss_a-client-secret"

func receiver(t *testing.T, shop, secret string) integrations.Source {
	t.Helper()
	made, err := shopify.New(conformance.Settings("shop", "shop: "+shop+"\nclient_secret: "+secret+"\n", nil))
	require.NoError(t, err)
	_, issues := made.(integrations.Issuer)
	require.False(t, issues, "without access to the shop there is nothing to issue with")
	return made.(integrations.Source)
}

func source(t *testing.T) integrations.Source {
	return receiver(t, "example.myshopify.com", clientSecret)
}

func hash(body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(clientSecret))
	mac.Write(body)
	return mac.Sum(nil)
}

func sign(topic string, body []byte) integrations.Request {
	return integrations.Request{Method: http.MethodPost, Topic: topic, Body: body, At: time.Now(), Header: http.Header{
		"X-Shopify-Hmac-Sha256":  {base64.StdEncoding.EncodeToString(hash(body))},
		"X-Shopify-Topic":        {topic},
		"X-Shopify-Shop-Domain":  {"example.myshopify.com"},
		"X-Shopify-Webhook-Id":   {"delivery-1"},
		"X-Shopify-Event-Id":     {"event-1"},
		"X-Shopify-Triggered-At": {"2026-11-21T09:00:00.123456789Z"},
	}}
}

// signEvent has the headers of webhooks about events, which come beside the others.
func signEvent(topic, action string, body []byte) integrations.Request {
	r := sign("orders/create", body)
	for name, value := range map[string]string{
		"shopify-hmac-sha256": base64.StdEncoding.EncodeToString(hash(body)), "shopify-topic": topic, "shopify-action": action,
		"shopify-shop-domain": "example.myshopify.com", "shopify-triggered-at": "2026-11-21T09:00:00Z",
	} {
		r.Header.Set(name, value)
	}
	r.Header.Del("X-Shopify-Event-Id")
	return r
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return body
}

func TestWebhooks_KeepTheContract(t *testing.T) {
	t.Parallel()
	conformance.Source(t, conformance.Webhooks{
		Source: source(t), Sign: sign, Signature: []string{"X-Shopify-Hmac-Sha256"},
		Topic: "orders/paid", Body: fixture(t, "order.json"), Malformed: []byte(`{"id":`),
		Secrets: []string{clientSecret},
	})
}

func TestReceive_KeysByTopicAndEvent(t *testing.T) {
	t.Parallel()
	r := sign("orders/paid", []byte(`{}`))
	receipt, err := source(t).Receive(r)
	require.NoError(t, err)
	require.Equal(t, "orders/paid:event-1", receipt.Key)
	require.Equal(t, "orders/paid", receipt.Topic)
	require.True(t, receipt.SentAt.Equal(time.Date(2026, 11, 21, 9, 0, 0, 123456789, time.UTC)))
	r.Header.Del("X-Shopify-Event-Id")
	receipt, err = source(t).Receive(r)
	require.NoError(t, err)
	require.Equal(t, "orders/paid:delivery-1", receipt.Key)
}

func TestReceive_PinsTheTopicToTheAddress(t *testing.T) {
	t.Parallel()
	// The signature covers neither: a captured checkout sent to the orders' address.
	r := sign("checkouts/update", []byte(`{}`))
	r.Topic = "orders/paid"
	_, err := source(t).Receive(r)
	require.ErrorIs(t, err, integrations.ErrTopic)
	r.Topic = ""
	_, err = source(t).Receive(r)
	require.ErrorIs(t, err, integrations.ErrTopic)
	r.Header.Del("X-Shopify-Topic")
	_, err = source(t).Receive(r)
	require.ErrorIs(t, err, integrations.ErrTopic)
}

func TestReceive_RefusesOtherShops(t *testing.T) {
	t.Parallel()
	r := sign("orders/paid", []byte(`{}`))
	r.Header.Set("X-Shopify-Shop-Domain", "other.myshopify.com")
	_, err := source(t).Receive(r)
	require.ErrorIs(t, err, integrations.ErrAccount)
}

func TestReceive_RefusesTheSignatureInHex(t *testing.T) {
	t.Parallel()
	r := sign("orders/paid", []byte(`{}`))
	r.Header.Set("X-Shopify-Hmac-Sha256", hex.EncodeToString(hash(r.Body)))
	_, err := source(t).Receive(r)
	require.ErrorIs(t, err, integrations.ErrSignature)
}

func TestReceive_PrefersTheHeadersOfEvents(t *testing.T) {
	t.Parallel()
	body := []byte(`{"action":"create"}`)
	r := signEvent("Order", "create", body)
	r.Topic = "orders/create"
	receipt, err := source(t).Receive(r)
	require.NoError(t, err)
	require.Equal(t, "orders/create:delivery-1", receipt.Key, "events have no event id of their own")

	wrong := signEvent("Order", "update", body)
	wrong.Topic = "orders/create"
	_, err = source(t).Receive(wrong)
	require.ErrorIs(t, err, integrations.ErrTopic, "the older header agrees, but the newer one counts")

	forged := signEvent("Order", "create", body)
	forged.Topic = "orders/create"
	forged.Header.Set("shopify-hmac-sha256", "AAAA")
	_, err = source(t).Receive(forged)
	require.ErrorIs(t, err, integrations.ErrSignature, "the older signature is right, but the newer one counts")
}

func TestReceive_PassesTheVendorsSignatureVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		Name, Secret, Body string
		Headers            map[string]string
		Valid              bool
	}
	require.NoError(t, json.Unmarshal(conformance.Samples(t, "shopify/signature_vectors.json"), &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		r := integrations.Request{Topic: "products/create", Body: []byte(v.Body), Header: http.Header{}}
		for key, value := range v.Headers {
			r.Header.Set(key, value)
		}
		_, err := receiver(t, "shop1.myshopify.io", v.Secret).Receive(r)
		require.Equal(t, v.Valid, err == nil, "%s: %v", v.Name, err)
	}
}

func TestNew_NamesEveryProblem(t *testing.T) {
	t.Parallel()
	conformance.Config(t, shopify.Descriptor, "shop: www.example.com\naccess_token: a\nclient_id: b\napi_version: 2026-08\nbase_url: x\nretry_on: [200]\n",
		"shop", "client_secret", "access_token", "api_version", "base_url", "retry_on")
}
