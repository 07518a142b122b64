package twilio_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
)

// request signs a form the way Twilio does, over the sorted parameters.
func request(topic, query, form string) integrations.Request {
	address, err := url.Parse("https://scrip.example.com/hooks/sms/" + topic + query)
	if err != nil {
		panic(err)
	}
	return integrations.Request{Method: http.MethodPost, URL: address, Topic: topic, Body: []byte(form), At: time.Now(), Header: http.Header{
		"Content-Type":       {"application/x-www-form-urlencoded"},
		"X-Twilio-Signature": {signature(address, form)},
	}}
}

func signature(address *url.URL, form string) string {
	params, _ := url.ParseQuery(form)
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(address.String()))
	mac.Write(spelled(params))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// spelled is a form as Twilio signs it: keys and values in order, each value of a
// key once.
func spelled(params url.Values) []byte {
	var out []byte
	for _, key := range slices.Sorted(maps.Keys(params)) {
		for _, value := range slices.Compact(slices.Sorted(slices.Values(params[key]))) {
			out = append(append(out, key...), value...)
		}
	}
	return out
}

func TestWebhooks_KeepTheContract(t *testing.T) {
	t.Parallel()
	for topic, form := range map[string]string{
		"status":  "MessageSid=SM1&MessageStatus=delivered&AccountSid=" + account + "&To=%2B4915112345678",
		"inbound": "MessageSid=SM1&Body=STOP&AccountSid=" + account + "&From=%2B4915112345678",
	} {
		conformance.Source(t, conformance.Webhooks{
			Source:    connect(t, "").(integrations.Source),
			Sign:      func(topic string, body []byte) integrations.Request { return request(topic, "?m=msg_1", string(body)) },
			Signature: []string{"X-Twilio-Signature"},
			Topic:     topic, Body: []byte(form), Malformed: []byte("MessageSid=%zz"),
			Secrets: []string{secret},
		})
	}
}

func normalise(t *testing.T, topic, query, form string) event.Batch {
	t.Helper()
	source := connect(t, "").(integrations.Source)
	r := request(topic, query, "AccountSid="+account+"&MessageSid=SM1&"+form)
	receipt, err := source.Receive(r)
	require.NoError(t, err)
	batch, err := integrations.Normalise(source, integrations.Delivery{Connection: "sms", Topic: receipt.Topic,
		Meta: receipt.Meta, Body: r.Body, ReceivedAt: time.Unix(1, 0)})
	require.NoError(t, err)
	conformance.Batch(t, batch)
	return batch
}

func TestStatus_IsEvidenceAboutTheMessageInTheAddress(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]event.Evidence{
		"MessageStatus=sent":                                            {Status: event.StatusAccepted},
		"MessageStatus=delivered":                                       {Status: event.StatusDelivered},
		"MessageStatus=read":                                            {Status: event.StatusOpened},
		"MessageStatus=undelivered&ErrorCode=30003":                     {Status: event.StatusFailed, Reason: "30003"},
		"MessageStatus=undelivered&ErrorCode=30005&To=%2B4915112345678": {Status: event.StatusBounced, Reason: "30005", Suppress: "sms", Address: anna},
		"MessageStatus=failed&ErrorCode=21610&To=%2B4915112345678":      {Status: event.StatusUnsubscribed, Reason: "21610", Suppress: "sms", Address: anna},
	} {
		want.MessageID, want.VendorID, want.At = "msg_1", "SM1", time.Unix(1, 0)
		batch := normalise(t, "status", "?m=msg_1", form)
		require.Equal(t, []event.Evidence{want}, batch.Evidence, form)
		require.Empty(t, batch.Events)
	}
	require.Empty(t, normalise(t, "status", "", "MessageStatus=something_new"))
}

func TestReceive_KeysAStatusByMessageAndStatus(t *testing.T) {
	t.Parallel()
	source := connect(t, "").(integrations.Source)
	key := func(status string) string {
		receipt, err := source.Receive(request("status", "?m=msg_1", "AccountSid="+account+"&MessageSid=SM1&MessageStatus="+status))
		require.NoError(t, err)
		return receipt.Key
	}
	require.NotEqual(t, key("sent"), key("delivered"))
	require.Equal(t, "status:SM1:sent", key("sent"))
}

func TestReceive_RefusesOtherAccountsAndTopics(t *testing.T) {
	t.Parallel()
	source := connect(t, "").(integrations.Source)
	_, err := source.Receive(request("status", "", "AccountSid=AC9&MessageSid=SM1"))
	require.ErrorIs(t, err, integrations.ErrAccount)
	_, err = source.Receive(request("else", "", "AccountSid="+account+"&MessageSid=SM1"))
	require.ErrorContains(t, err, "/status or /inbound")
}

func TestInbound_TurnsStopAndStartIntoConsent(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]string{
		"Body=STOP":                     event.ContactOptedOut,
		"Body=+stop.+":                  event.ContactOptedOut,
		"Body=Unsubscribe":              event.ContactOptedOut,
		"Body=ARRET&OptOutType=STOP":    event.ContactOptedOut,
		"Body=start":                    event.ContactOptedIn,
		"Body=please+stop+writing":      "message.received",
		"Body=HELP&OptOutType=HELP":     "message.received",
		"Body=Is+it+valid%3F&NumMedia=": "message.received",
	} {
		batch := normalise(t, "inbound", "", form+"&From=%2B4915112345678&FromCountry=DE")
		require.Len(t, batch.Events, 1, form)
		e := batch.Events[0]
		require.Equal(t, want, e.Type, form)
		require.Equal(t, []event.Identity{{Kind: event.Phone, Value: anna}}, e.Person.Identities)
		require.Equal(t, "DE", e.Person.Country)
		switch want {
		case event.ContactOptedOut:
			require.Equal(t, event.Denied, e.Person.Consents[0].State)
			require.Equal(t, "sms", batch.Evidence[0].Suppress)
			require.Equal(t, anna, batch.Evidence[0].Address)
		case event.ContactOptedIn:
			require.Equal(t, event.Granted, e.Person.Consents[0].State)
			require.Empty(t, batch.Evidence)
		default:
			require.NotEmpty(t, e.Fields["text"])
			require.Empty(t, e.Person.Consents)
		}
	}
}

func TestRespond_AnswersWithNoInstructions(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	connect(t, "").(integrations.Responder).Respond(w, integrations.Request{})
	require.Equal(t, `<?xml version="1.0" encoding="UTF-8"?><Response/>`, w.Body.String())
	require.Contains(t, w.Header().Get("Content-Type"), "text/xml")
}

func TestWebhooks_ReadTheDocumentedRequests(t *testing.T) {
	t.Parallel()
	for file, topic := range map[string]string{"inbound_stop.json": "inbound", "status_delivered.json": "status"} {
		var sample struct {
			URL, Form string
			Headers   map[string]string
		}
		require.NoError(t, json.Unmarshal(conformance.Samples(t, "twilio/"+file), &sample))
		address, err := url.Parse(sample.URL)
		require.NoError(t, err)
		r := integrations.Request{URL: address, Topic: topic, Body: []byte(sample.Form), Header: http.Header{}}
		for key, value := range sample.Headers {
			r.Header.Set(key, value)
		}
		_, err = connect(t, "").(integrations.Source).Receive(r)
		require.NoError(t, err, file)
	}
}
