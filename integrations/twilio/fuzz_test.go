package twilio_test

import (
	"bytes"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/twilio"
)

// FuzzReceive: a form is accepted as it was signed, and not after its body, its
// address or its signature was changed; an invented signature never.
func FuzzReceive(f *testing.F) {
	made, err := twilio.New(conformance.Settings("sms", "account_sid: "+account+"\nauth_token: "+token+"\nfrom: \"+15005550006\"\n", nil))
	require.NoError(f, err)
	source := made.(integrations.Source)
	f.Add("status", "m=msg_1", "MessageSid=SM1&MessageStatus=sent&AccountSid="+account, "", "x=1")
	f.Add("inbound", "", "MessageSid=SM1&Body=STOP&AccountSid="+account, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "")
	f.Add("inbound", "bodySHA256=00", "{}", "", "a=b&a=b")
	f.Add("status", "%zz", "MessageSid=%zz", "", "&")
	f.Fuzz(func(t *testing.T, topic, query, form, invented, added string) {
		address, err := url.Parse("https://scrip.example.com/hooks/sms/" + url.PathEscape(topic) + "?" + query)
		if err != nil {
			return
		}
		unsigned := integrations.Request{URL: address, Topic: topic, Body: []byte(form), Header: http.Header{"X-Twilio-Signature": {invented}}}
		_, err = source.Receive(unsigned)
		require.Error(t, err, "an unsigned form was accepted")

		signed := unsigned
		signed.Header = http.Header{"X-Twilio-Signature": {signature(address, form)}}
		receipt, err := source.Receive(signed)
		if err != nil {
			require.Empty(t, receipt)
			return
		}
		require.LessOrEqual(t, len(receipt.Key), 7+1+64+1+4*32)

		altered := signed
		altered.Body = []byte(form + "&" + added)
		before, _ := url.ParseQuery(form)
		after, _ := url.ParseQuery(string(altered.Body))
		if _, err := source.Receive(altered); err == nil {
			require.True(t, bytes.Equal(spelled(before), spelled(after)), "an altered form was accepted")
		}
	})
}

// FuzzNormalise: what is understood is a batch that the dispatcher can rely on, and
// the same each time.
func FuzzNormalise(f *testing.F) {
	f.Add("status", "MessageSid=SM1&MessageStatus=failed&ErrorCode=30005&To=%2B49")
	f.Add("status", "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=21610&To=whatsapp:%2B49")
	f.Add("inbound", "MessageSid=SM1&Body=STOP&From=%2B49&FromCountry=de")
	f.Add("inbound", "MessageSid=SM1&Body=hello&From=whatsapp:%2B49&NumMedia=99999999999999999999&OptOutType=HELP")
	webhooks := &twilio.Webhooks{}
	f.Fuzz(func(t *testing.T, topic, form string) {
		d := integrations.Delivery{Topic: topic, Body: []byte(form), ReceivedAt: time.Unix(1, 0)}
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
