package sendgrid_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/sendgrid"
)

// FuzzReceive: no body is accepted but under a signature of SendGrid's key over the
// timestamp and that body.
func FuzzReceive(f *testing.F) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(f, err)
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	require.NoError(f, err)
	made, err := sendgrid.New(conformance.Settings("email", settings("webhook_public_key: "+base64.StdEncoding.EncodeToString(public)), nil))
	require.NoError(f, err)
	source := made.(integrations.Source)
	f.Add("", "1600112492", []byte(`[{"event":"open"}]`), true)
	f.Add("MEUCIQ==", "1600112492", []byte(`[]`), false)
	f.Add("", "99999999999999999999", []byte(`{}`), true)
	f.Add("x", "-1", []byte("\xff"), true)
	f.Fuzz(func(t *testing.T, signature, timestamp string, body []byte, signs bool) {
		sum := sha256.Sum256(append([]byte(timestamp), body...))
		if signs {
			der, err := ecdsa.SignASN1(rand.Reader, private, sum[:])
			require.NoError(t, err)
			signature = base64.StdEncoding.EncodeToString(der)
		}
		receipt, err := source.Receive(integrations.Request{Body: body, At: time.Unix(1600112492, 0), Header: http.Header{
			"X-Twilio-Email-Event-Webhook-Signature": {signature}, "X-Twilio-Email-Event-Webhook-Timestamp": {timestamp}}})
		if err != nil {
			require.Empty(t, receipt)
			return
		}
		der, err := base64.StdEncoding.DecodeString(signature)
		require.NoError(t, err)
		require.True(t, ecdsa.VerifyASN1(&private.PublicKey, sum[:], der), "an unsigned body was accepted")
		require.Len(t, receipt.Key, 64)
	})
}

// FuzzNormalise: what is understood is a batch that the dispatcher can rely on, and
// the same each time.
func FuzzNormalise(f *testing.F) {
	f.Add([]byte(events))
	f.Add([]byte(`{"event":"bounce","email":"a@example.com","timestamp":1e99,"type":"blocked","status":"5.0.0"}`))
	f.Add([]byte(`[{"event":"dropped","reason":"Invalid","email":"a","sg_message_id":".recvd.filter"},{"event":"group_resubscribe","email":"a"}]`))
	source := &sendgrid.Events{}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := integrations.Delivery{Body: body, ReceivedAt: time.Unix(1, 0)}
		batch, err := integrations.Normalise(source, d)
		if err != nil {
			require.NotContains(t, err.Error(), "panic")
			return
		}
		conformance.Batch(t, batch)
		again, err := integrations.Normalise(source, d)
		require.NoError(t, err)
		require.Equal(t, batch, again)
	})
}

// FuzzPublicKey: a key that can't be read is a problem of the connection's
// settings, which repeats nothing of it.
func FuzzPublicKey(f *testing.F) {
	f.Add("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, key string) {
		decode := func(into any) error {
			*into.(*sendgrid.Config) = sendgrid.Config{Region: "global", APIKey: apiKey, From: "shop@example.com", WebhookPublicKey: key}
			return nil
		}
		made, err := sendgrid.New(integrations.Settings{Name: "email", Decode: decode, Now: time.Now, HTTP: http.DefaultClient})
		if err != nil {
			var problems integrations.Problems
			require.ErrorAs(t, err, &problems)
			return
		}
		_, receives := made.(integrations.Source)
		require.Equal(t, key != "", receives)
	})
}
