package sendgrid_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/sendgrid"
)

const apiKey = "SG.an-api-key"

func settings(extra string) string {
	return "api_key: " + apiKey + "\nfrom: shop@example.com\nfrom_name: Example Shop\nreply_to: help@example.com\nasm_group: 4711\n" + extra
}

func channel(t *testing.T, extra string) integrations.Channel {
	t.Helper()
	made, err := sendgrid.New(conformance.Settings("email", settings(extra), nil))
	require.NoError(t, err)
	return made.(integrations.Channel)
}

func message() integrations.Message {
	return integrations.Message{
		ID: "msg_1", To: "anna@example.com", Subject: "Ten percent for you", Text: "TEN-4711", HTML: "<p>TEN-4711</p>",
		Marketing: true, UnsubscribeURL: "https://scrip.example.com/u/token",
	}
}

func accept(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Message-Id", "14c5d75ce93.dfd.64b469")
	w.WriteHeader(http.StatusAccepted)
}

func TestMailer_KeepsTheContract(t *testing.T) {
	t.Parallel()
	conformance.Channel(t, conformance.Sends{
		New:     func(t *testing.T, base string) integrations.Channel { return channel(t, "base_url: "+base) },
		Accept:  accept,
		Message: message(),
		Secrets: []string{apiKey, "anna@example.com", "TEN-4711"},
	})
}

// captured sends a message and gives the request the SDK made.
func captured(t *testing.T, m integrations.Message) (*http.Request, []byte) {
	t.Helper()
	var request *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request = r
		body, _ = io.ReadAll(r.Body)
		accept(w, r)
	}))
	t.Cleanup(server.Close)
	sent, err := channel(t, "base_url: "+server.URL).Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, "14c5d75ce93.dfd.64b469", sent.VendorID)
	return request, body
}

func TestSend_CarriesIdUnsubscribeHeadersAndGroup(t *testing.T) {
	t.Parallel()
	request, body := captured(t, message())
	require.Equal(t, "Bearer "+apiKey, request.Header.Get("Authorization"))
	require.Empty(t, request.Header.Get("Idempotency-Key"))
	require.JSONEq(t, `{
		"from": {"email": "shop@example.com", "name": "Example Shop"}, "reply_to": {"email": "help@example.com"},
		"asm": {"group_id": 4711},
		"personalizations": [{
			"to": [{"email": "anna@example.com"}], "subject": "Ten percent for you",
			"custom_args": {"scrip_message": "msg_1"},
			"headers": {"List-Unsubscribe": "<https://scrip.example.com/u/token>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}}],
		"content": [{"type": "text/plain", "value": "TEN-4711"}, {"type": "text/html", "value": "<p>TEN-4711</p>"}]}`, string(body))
}

func TestSend_LeavesUnsubscribingOutOfTransactionalMail(t *testing.T) {
	t.Parallel()
	m := message()
	m.Marketing = false
	_, body := captured(t, m)
	require.NotContains(t, string(body), "List-Unsubscribe")
	require.NotContains(t, string(body), "asm")
}

func TestSend_UsesATemplateKeptAtSendGrid(t *testing.T) {
	t.Parallel()
	_, body := captured(t, integrations.Message{ID: "msg_1", To: "anna@example.com", TemplateID: "d-1", Data: map[string]any{"code": "TEN-4711"}})
	require.JSONEq(t, `{"from": {"email": "shop@example.com", "name": "Example Shop"}, "reply_to": {"email": "help@example.com"},
		"template_id": "d-1",
		"personalizations": [{"to": [{"email": "anna@example.com"}], "custom_args": {"scrip_message": "msg_1"},
			"dynamic_template_data": {"code": "TEN-4711"}}]}`, string(body))
}

func TestSend_MatchesSendGridsDescription(t *testing.T) {
	t.Parallel()
	data := conformance.Contract(t, "sendgrid/tsg_mail_v3.json")
	document, err := openapi3.NewLoader().LoadFromData(data)
	require.NoError(t, err)
	router, err := gorillamux.NewRouter(document)
	require.NoError(t, err)
	transactional := message()
	transactional.Marketing = false
	for name, m := range map[string]integrations.Message{
		"own": message(), "transactional": transactional,
		"template": {ID: "msg_1", To: "anna@example.com", TemplateID: "d-1", Data: map[string]any{"code": "TEN-4711", "n": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			request, body := captured(t, m)
			address := "https://api.sendgrid.com" + request.URL.Path
			described, err := http.NewRequest(request.Method, address, bytes.NewReader(body))
			require.NoError(t, err)
			described.Header = request.Header
			route, params, err := router.FindRoute(described)
			require.NoError(t, err)
			require.NoError(t, openapi3filter.ValidateRequest(t.Context(), &openapi3filter.RequestValidationInput{
				Request: described, Route: route, PathParams: params,
				Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
			}))
		})
	}
}

func TestSend_RefusesWhatCantBeSentWithoutCalling(t *testing.T) {
	t.Parallel()
	for code, change := range map[string]func(*integrations.Message){
		"no_address":           func(m *integrations.Message) { m.To = "" },
		"no_message_id":        func(m *integrations.Message) { m.ID = "" },
		"no_content":           func(m *integrations.Message) { m.Text, m.HTML = "", "" },
		"subject_not_one_line": func(m *integrations.Message) { m.Subject = "a\r\nBcc: b@example.com" },
		"data_not_json":        func(m *integrations.Message) { m.TemplateID, m.Data = "d-1", map[string]any{"f": func() {}} },
	} {
		m := message()
		change(&m)
		_, err := channel(t, "base_url: http://127.0.0.1:1").Send(t.Context(), m)
		var failure *integrations.Error
		require.ErrorAs(t, err, &failure)
		require.Equal(t, integrations.Invalid, failure.Class)
		require.Equal(t, code, failure.Code)
	}
}

func TestSend_WaitsUntilTheRateLimitIsReset(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10))
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	_, err := channel(t, "base_url: "+server.URL).Send(t.Context(), message())
	var failure *integrations.Error
	require.ErrorAs(t, err, &failure)
	require.InDelta(t, time.Minute, failure.RetryAfter, float64(2*time.Second))
}

func TestSend_RetriesOnlyWhatIsKnownNotToHaveBeenTaken(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(server.Close)
	_, err := channel(t, "base_url: "+server.URL).Send(t.Context(), message())
	require.Equal(t, integrations.Unknown, integrations.ClassOf(err))
	_, err = channel(t, "retry_on: [503]\nbase_url: "+server.URL).Send(t.Context(), message())
	require.Equal(t, integrations.Retry, integrations.ClassOf(err))
}

func TestCheck_DemandsTheScopeToSend(t *testing.T) {
	t.Parallel()
	for scopes, class := range map[string]string{`{"scopes":["mail.send"]}`: "", `{"scopes":["mail.batch.read"]}`: "auth"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.URL.Path == "/v3/scopes" {
				_, _ = io.WriteString(w, scopes)
			}
		}))
		t.Cleanup(server.Close)
		err := channel(t, "base_url: "+server.URL).(integrations.Checker).Check(t.Context())
		if class == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "mail.send")
		require.Equal(t, class, integrations.ClassOf(err).String())
	}
}

func TestNew_NamesEveryProblem(t *testing.T) {
	t.Parallel()
	conformance.Config(t, sendgrid.Descriptor, "from: Shop <shop@example.com>\nregion: mars\nwebhook_public_key: x\nbase_url: ftp://x\nretry_on: [400]\nmax_age: -1s\n",
		"api_key", "from", "region", "webhook_public_key", "base_url", "retry_on", "max_age")
	_, err := sendgrid.New(conformance.Settings("email", settings("api_kee: x"), nil))
	require.ErrorContains(t, err, "api_kee")
}

type webhook struct {
	source integrations.Source
	key    *ecdsa.PrivateKey
	public string
	at     time.Time
}

func newWebhook(t *testing.T, extra string) webhook {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	public := base64.StdEncoding.EncodeToString(der)
	return webhook{source(t, public, extra), key, public, time.Now()}
}

func source(t *testing.T, public, extra string) integrations.Source {
	t.Helper()
	made, err := sendgrid.New(conformance.Settings("email", settings("webhook_public_key: "+public+"\n"+extra), nil))
	require.NoError(t, err)
	return made.(integrations.Source)
}

func (w webhook) sign(_ string, body []byte) integrations.Request {
	timestamp := strconv.FormatInt(w.at.Unix(), 10)
	sum := sha256.Sum256(append([]byte(timestamp), body...))
	signature, err := ecdsa.SignASN1(rand.Reader, w.key, sum[:])
	if err != nil {
		panic(err)
	}
	return integrations.Request{Method: http.MethodPost, At: w.at, Body: body, Header: http.Header{
		"X-Twilio-Email-Event-Webhook-Signature": {base64.StdEncoding.EncodeToString(signature)},
		"X-Twilio-Email-Event-Webhook-Timestamp": {timestamp},
	}}
}

const events = `[
  {"event":"processed","email":"anna@example.com","timestamp":1766310000,"sg_event_id":"e1","sg_message_id":"abc.recvd-5f54-1.0","scrip_message":"msg_1"},
  {"event":"delivered","email":"anna@example.com","timestamp":1766310001,"sg_event_id":"e2","sg_message_id":"abc.recvd-5f54-1.0","scrip_message":"msg_1"},
  {"event":"delivered","email":"anna@example.com","timestamp":1766310001,"sg_event_id":"e2","sg_message_id":"abc.recvd-5f54-1.0","scrip_message":"msg_1"},
  {"event":"bounce","type":"bounce","status":"5.1.1","reason":"550 anna@example.com unknown","email":"anna@example.com","timestamp":1766310002,"sg_event_id":"e3","scrip_message":"msg_2"},
  {"event":"bounce","type":"blocked","status":"4.7.1","email":"anna@example.com","timestamp":1766310003,"sg_event_id":"e4","scrip_message":"msg_3"},
  {"event":"dropped","reason":"Bounced Address","email":"anna@example.com","timestamp":1766310004,"sg_event_id":"e5","scrip_message":"msg_4"},
  {"event":"dropped","reason":"Recipient List over Package Quota","email":"anna@example.com","timestamp":1766310005,"sg_event_id":"e6","scrip_message":"msg_5"},
  {"event":"spamreport","email":"anna@example.com","timestamp":1766310006,"sg_event_id":"e7","scrip_message":"msg_1"},
  {"event":"group_unsubscribe","email":"anna@example.com","timestamp":1766310007,"sg_event_id":"e8","scrip_message":"msg_1"},
  {"event":"dropped","reason":"Unsubscribed Address","email":"anna@example.com","timestamp":1766310009,"sg_event_id":"e10","scrip_message":"msg_6"},
  {"event":"something_new","email":"anna@example.com","timestamp":1766310008,"sg_event_id":"e9"},
  {"event":"delivered","email":"ben@example.com","timestamp":1766310010,"sg_event_id":"e11","sg_message_id":"another-systems.1"},
  {"event":"bounce","status":"5.1.1","email":"anna@example.com","timestamp":1766310011,"sg_event_id":"e12","sg_message_id":"another-systems.2"}
]` + "\r\n"

func TestEvents_KeepTheContract(t *testing.T) {
	t.Parallel()
	w := newWebhook(t, "")
	conformance.Source(t, conformance.Webhooks{
		Source: w.source, Sign: w.sign, Body: []byte(events), Malformed: []byte(`[{"event":`),
		Signature: []string{"X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp"},
		Secrets:   []string{apiKey},
	})
}

func TestEvents_TellWhatBecameOfEachMessage(t *testing.T) {
	t.Parallel()
	w := newWebhook(t, "")
	batch, err := w.source.Normalise(integrations.Delivery{Connection: "email", Body: []byte(events), ReceivedAt: w.at})
	require.NoError(t, err)
	at := func(s int64) time.Time { return time.Unix(1766310000+s, 0).UTC() }
	gone := func(e event.Evidence) event.Evidence {
		e.Suppress, e.Address = event.ChannelEmail, "anna@example.com"
		return e
	}
	require.Equal(t, []event.Evidence{
		{MessageID: "msg_1", VendorID: "abc", Status: event.StatusAccepted, At: at(0)},
		{MessageID: "msg_1", VendorID: "abc", Status: event.StatusDelivered, At: at(1)},
		gone(event.Evidence{MessageID: "msg_2", Status: event.StatusBounced, Reason: "bounce 5.1.1", At: at(2)}),
		{MessageID: "msg_3", Status: event.StatusFailed, Reason: "blocked 4.7.1", At: at(3)},
		gone(event.Evidence{MessageID: "msg_4", Status: event.StatusBounced, Reason: "bounced_address", At: at(4)}),
		{MessageID: "msg_5", Status: event.StatusFailed, Reason: "dropped", At: at(5)},
		gone(event.Evidence{MessageID: "msg_1", Status: event.StatusComplained, At: at(6)}),
		gone(event.Evidence{MessageID: "msg_1", Status: event.StatusUnsubscribed, At: at(7)}),
		gone(event.Evidence{MessageID: "msg_6", Status: event.StatusUnsubscribed, Reason: "unsubscribed_address", At: at(9)}),
		gone(event.Evidence{Status: event.StatusBounced, Reason: "5.1.1", At: at(11)}),
	}, batch.Evidence)
	require.Len(t, batch.Events, 1)
	require.Equal(t, event.ContactOptedOut, batch.Events[0].Type)
	require.Equal(t, event.Denied, batch.Events[0].Person.Consents[0].State)
	require.Equal(t, "anna@example.com", batch.Events[0].Person.Identities[0].Value)
}

func TestEvents_AreTakenLateUnlessMaxAgeSaysOtherwise(t *testing.T) {
	t.Parallel()
	late := func(w webhook) error {
		r := w.sign("", []byte(events))
		r.At = w.at.Add(20 * time.Hour)
		_, err := w.source.Receive(r)
		return err
	}
	require.NoError(t, late(newWebhook(t, "")))
	require.ErrorContains(t, late(newWebhook(t, "max_age: 5m")), "max_age")
}

func TestEvents_PassTheVendorsSignatureVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		Name    string
		Key     string `json:"publicKeyBase64DER"`
		Body    string
		Headers map[string]string
		Valid   bool
	}
	require.NoError(t, json.Unmarshal(conformance.Samples(t, "sendgrid/signature_vectors.json"), &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		passed := 0
		// The vendors' tests end the body with a line break, which is signed too.
		for _, body := range []string{v.Body, v.Body + "\r\n"} {
			r := integrations.Request{Header: http.Header{}, Body: []byte(body)}
			for key, value := range v.Headers {
				r.Header.Set(key, value)
			}
			// They are some years old; one has no time at all.
			seconds, _ := strconv.ParseInt(r.Header.Get("X-Twilio-Email-Event-Webhook-Timestamp"), 10, 64)
			r.At = time.Unix(seconds, 0)
			if _, err := source(t, v.Key, "").Receive(r); err == nil {
				passed++
			}
		}
		if v.Valid {
			require.Equal(t, 1, passed, v.Name)
		} else {
			require.Zero(t, passed, v.Name)
		}
	}
}

func TestEvents_ReadTheVendorsExample(t *testing.T) {
	t.Parallel()
	body := conformance.Samples(t, "sendgrid/events_batch.body.json")
	source := newWebhook(t, "").source
	batch, err := source.Normalise(integrations.Delivery{Body: body, ReceivedAt: time.Now()})
	require.NoError(t, err)
	require.Empty(t, batch.Evidence, "of another system's mail")
	ours := bytes.ReplaceAll(body, []byte(`"sg_message_id"`), []byte(`"scrip_message":"msg_1","sg_message_id"`))
	batch, err = source.Normalise(integrations.Delivery{Body: ours, ReceivedAt: time.Now()})
	require.NoError(t, err)
	require.Len(t, batch.Evidence, 5)
	for i, status := range []string{"accepted", "deferred", "delivered", "opened", "clicked"} {
		require.Equal(t, status, batch.Evidence[i].Status)
		require.Equal(t, "14c5d75ce93.dfd.64b469", batch.Evidence[i].VendorID)
	}
}
