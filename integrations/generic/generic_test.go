package generic_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/generic"
)

const (
	signing = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	shared  = "0123456789abcdef0123456789abcdef"
	body    = `{"type": "order.paid", "contact": {"email": "anna@example.com", "external_id": "17"}, "order": {"id": "A-1001"}}`
)

func source(t *testing.T, text string) integrations.Source {
	t.Helper()
	made, err := generic.New(conformance.Settings("own-shop", text, nil))
	require.NoError(t, err)
	return made.(integrations.Source)
}

func signed(t *testing.T, at time.Time) func(string, []byte) integrations.Request {
	return func(topic string, body []byte) integrations.Request {
		signer, err := standardwebhooks.NewWebhook(signing)
		require.NoError(t, err)
		signature, err := signer.Sign("evt_1", at, body)
		require.NoError(t, err)
		r := integrations.Request{Method: http.MethodPost, Topic: topic, Body: body, At: at, Header: http.Header{}}
		r.Header.Set("webhook-id", "evt_1")
		r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		r.Header.Set("webhook-signature", signature)
		return r
	}
}

func withHeader(topic string, body []byte) integrations.Request {
	return integrations.Request{Method: http.MethodPost, Topic: topic, Body: body, At: time.Now(), Header: http.Header{"X-Scrip-Secret": {shared}}}
}

func TestSigned_KeepsTheContract(t *testing.T) {
	t.Parallel()
	conformance.Source(t, conformance.Webhooks{
		Source: source(t, "secret: "+signing), Sign: signed(t, time.Now()), Body: []byte(body), Malformed: []byte(`{"type":`),
		Signature: []string{"Webhook-Signature", "Webhook-Id", "Webhook-Timestamp"}, Secrets: []string{signing[6:]},
	})
}

func TestSecretHeader_KeepsTheContract(t *testing.T) {
	t.Parallel()
	conformance.Source(t, conformance.Webhooks{
		Source: source(t, "header: x-scrip-secret\nsecret: "+shared), Sign: withHeader, Body: []byte(body), Malformed: []byte(`{"type":`),
		Signature: []string{"X-Scrip-Secret"}, Secrets: []string{shared},
	})
}

func TestReceive_RefusesTimestampsFiveMinutesOff(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for off, want := range map[time.Duration]error{
		0: nil, 4 * time.Minute: nil, -4 * time.Minute: nil, 6 * time.Minute: integrations.ErrStale, -6 * time.Minute: integrations.ErrStale,
	} {
		r := signed(t, now)("", []byte(body))
		r.At = now.Add(off)
		_, err := source(t, "secret: "+signing).Receive(r)
		if want == nil {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, want)
	}
}

func TestReceive_KeysUnsignedWebhooksByIdOrBody(t *testing.T) {
	t.Parallel()
	s := source(t, "header: x-scrip-secret\nsecret: "+shared)
	key := func(id, body string) string {
		r := withHeader("", []byte(body))
		r.Header.Set("webhook-id", id)
		receipt, err := s.Receive(r)
		require.NoError(t, err)
		return receipt.Key
	}
	require.Equal(t, "evt_1", key("evt_1", body))
	require.Equal(t, key("", body), key("", body))
	require.NotEqual(t, key("", body), key("", "{}"))
}

func TestNormalise_ReadsTheShapeOfTheAPI(t *testing.T) {
	t.Parallel()
	d := integrations.Delivery{Connection: "own-shop", ReceivedAt: time.Unix(1, 0).UTC(),
		Body: []byte(`[` + body + `, {"type": "code.redeemed", "code": "TEN-1"}]`)}
	batch, err := integrations.Normalise(source(t, "secret: "+signing), d)
	require.NoError(t, err)
	conformance.Batch(t, batch)
	require.Equal(t, []string{"code.redeemed", "order.paid"}, []string{batch.Events[0].Type, batch.Events[1].Type})
	require.Equal(t, event.Identity{Kind: event.External, Realm: "own-shop", Value: "17"}, batch.Events[1].Person.Identities[1])
	require.Equal(t, d.ReceivedAt, batch.Events[1].OccurredAt)

	d.Body = []byte(`{"type": "order.paid", "contakt": {}}`)
	_, err = integrations.Normalise(source(t, "secret: "+signing), d)
	require.ErrorContains(t, err, `did you mean "contact"?`)
}

func TestReceive_PassesTheSpecificationsVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		Name, Secret, Body, Expect string
		Headers                    map[string]string
		Clock                      int64 `json:"clock_unix"`
	}
	require.NoError(t, json.Unmarshal(conformance.Samples(t, "standard-webhooks/signature_vectors.json"), &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		r := integrations.Request{Body: []byte(v.Body), At: time.Unix(v.Clock, 0), Header: http.Header{}}
		for key, value := range v.Headers {
			r.Header.Set(key, value)
		}
		_, err := source(t, "secret: "+v.Secret).Receive(r)
		require.Equal(t, v.Expect == "accept", err == nil, "%s: %v", v.Name, err)
	}
}

func TestNew_NamesEveryProblem(t *testing.T) {
	t.Parallel()
	conformance.Config(t, generic.Descriptor, "{}", "secret")
	conformance.Config(t, generic.Descriptor, "secret: whsec_short", "secret")
	conformance.Config(t, generic.Descriptor, "secret: short\nheader: \"a b\"", "secret", "header")
}
