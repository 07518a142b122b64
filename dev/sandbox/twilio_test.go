package sandbox_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// toSandbox sends the SDK's requests, which it addresses to api.twilio.com, to
// the sandbox.
type toSandbox struct{ base *url.URL }

func (s toSandbox) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = s.base.Scheme, s.base.Host, ""
	r.URL.Path = "/sandbox/api/twilio" + r.URL.Path
	return http.DefaultTransport.RoundTrip(r)
}

func (h *harness) twilio() *api.ApiService {
	base, err := url.Parse(h.base)
	require.NoError(h.t, err)
	c := &client.Client{
		Credentials: client.NewCredentials(h.secrets.TwilioAccountSID, h.secrets.TwilioAuthToken),
		HTTPClient:  &http.Client{Transport: toSandbox{base}},
	}
	c.SetAccountSid(h.secrets.TwilioAccountSID)
	return api.NewApiServiceWithClient(c)
}

func (h *harness) sms(to string) *api.CreateMessageParams {
	return new(api.CreateMessageParams).SetTo(to).SetFrom(h.secrets.TwilioFrom).SetBody("Your code: TEA-7").
		SetStatusCallback(h.base + "/hooks/sms/status?m=msg_1")
}

func TestTwilio_TakesWhatTheSDKSendsAndReportsItSigned(t *testing.T) {
	t.Parallel()
	h := setup(t)
	sent, err := h.twilio().CreateMessage(h.sms("+4915123456789"))
	require.NoError(t, err)
	require.Equal(t, "queued", *sent.Status)

	validator := client.NewRequestValidator(h.secrets.TwilioAuthToken)
	var statuses []string
	for _, hook := range h.got() {
		form, err := url.ParseQuery(string(hook.body))
		require.NoError(t, err)
		require.Equal(t, *sent.Sid, form.Get("MessageSid"))
		require.Equal(t, h.base+"/hooks/sms/status?m=msg_1", hook.url)
		params := map[string]string{}
		for k := range form {
			params[k] = form.Get(k)
		}
		require.True(t, validator.Validate(hook.url, params, hook.header.Get("X-Twilio-Signature")))
		statuses = append(statuses, form.Get("MessageStatus"))
	}
	require.Equal(t, []string{"queued", "sent", "delivered"}, statuses)

	got, err := h.twilio().FetchMessage(*sent.Sid, nil)
	require.NoError(t, err)
	require.Equal(t, "delivered", *got.Status)
}

func TestTwilio_ListsMessagesByNumberAndDate(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, to := range []string{"+4915123456789", "+4915123456789", "+4915199999999"} {
		_, err := h.twilio().CreateMessage(h.sms(to))
		require.NoError(t, err)
	}
	h.Settle()
	list := func(p *api.ListMessageParams) int {
		page, err := h.twilio().ListMessage(p)
		require.NoError(t, err)
		return len(page)
	}
	to := func() *api.ListMessageParams { return new(api.ListMessageParams).SetTo("+4915123456789") }
	require.Equal(t, 2, list(to()))
	require.Equal(t, 2, list(to().SetDateSentAfter(time.Now().Add(-time.Hour))))
	require.Equal(t, 0, list(to().SetDateSentAfter(time.Now().Add(time.Hour))))
	require.Equal(t, 0, list(to().SetDateSentBefore(time.Now().Add(-time.Hour))))
	require.Equal(t, 3, list(new(api.ListMessageParams).SetPageSize(1)), "over several pages")
}

func TestTwilio_GivesMagicNumbersTheirFate(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for to, code := range map[string]int{"+1555521610": 21610, "+1555521614": 21614, "0151 2345": 21211, "+1555520429": 20429} {
		_, err := h.twilio().CreateMessage(h.sms(to))
		var refused *client.TwilioRestError
		require.True(t, errors.As(err, &refused), to)
		require.Equal(t, code, refused.Code, to)
	}
	require.Empty(t, h.Messages())

	_, err := h.twilio().CreateMessage(h.sms("+1555530003"))
	require.NoError(t, err)
	hooks := h.got()
	require.Contains(t, string(hooks[len(hooks)-1].body), "ErrorCode=30003")
	require.Contains(t, string(hooks[len(hooks)-1].body), "MessageStatus=undelivered")
}

func TestPhone_StopUnsubscribesUntilStart(t *testing.T) {
	t.Parallel()
	h := setup(t)
	const number = "+4915123456789"
	_, err := h.twilio().CreateMessage(h.sms(number))
	require.NoError(t, err)
	before := len(h.got())

	page := h.press(h.visitor(), "/sandbox/phone/reply", url.Values{"number": {number}, "text": {"stop"}})
	require.Contains(t, page, "unsubscribed")
	hooks := h.got()
	require.Len(t, hooks, before+1)
	inbound := hooks[before]
	require.Equal(t, h.base+"/hooks/sms/inbound", inbound.url)
	form, err := url.ParseQuery(string(inbound.body))
	require.NoError(t, err)
	require.Equal(t, number, form.Get("From"))
	require.Equal(t, "STOP", form.Get("OptOutType"))

	_, err = h.twilio().CreateMessage(h.sms(number))
	require.ErrorContains(t, err, "21610")
	h.press(h.visitor(), "/sandbox/phone/reply", url.Values{"number": {number}, "text": {"START"}})
	_, err = h.twilio().CreateMessage(h.sms(number))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(h.open(h.visitor(), "/sandbox/phone"), "Reply STOP"))
}
