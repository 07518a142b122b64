package generic_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/generic"
)

// signature is Standard Webhooks' v1, made here without its library.
func signature(id, timestamp string, body []byte) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signing, "whsec_"))
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// FuzzReceive: no body is accepted but under the secret's signature over id, time and
// body, or with the secret itself in its header.
func FuzzReceive(f *testing.F) {
	bySignature, err := generic.New(conformance.Settings("own", "secret: "+signing, nil))
	require.NoError(f, err)
	byHeader, err := generic.New(conformance.Settings("own", "secret: "+shared+"\nheader: X-Scrip-Secret", nil))
	require.NoError(f, err)
	f.Add("evt_1", "1600112492", "", "", []byte(body), true)
	f.Add("evt_1", "1600112492", "v1,AAAA v1a,x", shared, []byte(`{}`), false)
	f.Add("", "0x10", "v2,", "", []byte(`[`), true)
	f.Fuzz(func(t *testing.T, id, timestamp, given, secret string, body []byte, signs bool) {
		right := signature(id, timestamp, body)
		if signs {
			given = right
		}
		r := integrations.Request{Body: body, At: time.Unix(1600112492, 0), Header: http.Header{
			"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {given}, "X-Scrip-Secret": {secret}}}
		receipt, err := bySignature.(integrations.Source).Receive(r)
		if err != nil {
			require.Empty(t, receipt)
		} else {
			require.Contains(t, strings.Fields(given), right, "an unsigned body was accepted")
			require.LessOrEqual(t, len(receipt.Key), 128)
		}
		receipt, err = byHeader.(integrations.Source).Receive(r)
		if err != nil {
			require.Empty(t, receipt)
		} else {
			require.Equal(t, shared, secret, "a body without the secret was accepted")
			require.NotEmpty(t, receipt.Key)
		}
	})
}

// FuzzNormalise: what is understood is a batch that the dispatcher can rely on, and
// the same each time.
func FuzzNormalise(f *testing.F) {
	f.Add([]byte(body))
	f.Add([]byte(`[{"type":"order.paid","order":{"id":"1"}},{"type":"code.redeemed","code":"a","fields":{"":{"\u0000":[]}}}]`))
	s := &generic.Webhook{}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := integrations.Delivery{Connection: "own", Body: body, ReceivedAt: time.Unix(1, 0)}
		batch, err := integrations.Normalise(s, d)
		if err != nil {
			require.NotContains(t, err.Error(), "panic")
			return
		}
		conformance.Batch(t, batch)
		again, err := integrations.Normalise(s, d)
		require.NoError(t, err)
		require.Equal(t, batch, again)
	})
}
