package twilio_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/twilio"
)

const (
	account = "AC0123456789abcdef0123456789abcdef"
	service = "MG0123456789abcdef0123456789abcdef"
	apiKey  = "SK0123456789abcdef0123456789abcdef"
	token   = "12345"
	secret  = "anApiSecret"
	anna    = "+4915112345678"
)

func settings(extra string) string {
	return "account_sid: " + account + "\nauth_token: \"" + token + "\"\napi_key: " + apiKey + "\napi_secret: " + secret + "\nmessaging_service: " + service + "\n" + extra
}

func connect(t *testing.T, extra string) any {
	t.Helper()
	made, err := twilio.New(conformance.Settings("sms", settings(extra), nil))
	require.NoError(t, err)
	return made
}

func channel(t *testing.T, extra string) integrations.Channel {
	return connect(t, extra).(integrations.Channel)
}

func message() integrations.Message {
	return integrations.Message{ID: "msg_1", To: anna, Text: "Your code: TEN-4711", StatusURL: "https://scrip.example.com/hooks/sms/status?m=msg_1"}
}

func accept(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"sid": "SM1", "status": "accepted", "error_code": null}`)
}

func TestSender_KeepsTheContract(t *testing.T) {
	t.Parallel()
	conformance.Channel(t, conformance.Sends{
		New:     func(t *testing.T, base string) integrations.Channel { return channel(t, "base_url: "+base) },
		Accept:  accept,
		Message: message(),
		Secrets: []string{secret, anna, "TEN-4711"},
	})
}

// captured sends a message and gives the request the SDK made.
func captured(t *testing.T, base string, m integrations.Message) (*http.Request, []byte) {
	t.Helper()
	var request *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request = r
		body, _ = io.ReadAll(r.Body)
		accept(w, r)
	}))
	t.Cleanup(server.Close)
	sent, err := channel(t, "base_url: "+server.URL+base).Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, "SM1", sent.VendorID)
	return request, body
}

func TestSend_CarriesServiceTextAndStatusAddress(t *testing.T) {
	t.Parallel()
	request, body := captured(t, "/sandbox", message())
	require.Equal(t, "/sandbox/2010-04-01/Accounts/"+account+"/Messages.json", request.URL.Path)
	user, password, _ := request.BasicAuth()
	require.Equal(t, apiKey+":"+secret, user+":"+password)
	require.Empty(t, request.Header.Get("Idempotency-Key"))
	form, err := url.ParseQuery(string(body))
	require.NoError(t, err)
	require.Equal(t, url.Values{"To": {anna}, "Body": {"Your code: TEN-4711"}, "MessagingServiceSid": {service},
		"StatusCallback": {"https://scrip.example.com/hooks/sms/status?m=msg_1"}}, form)
}

func TestSend_MatchesTwiliosDescription(t *testing.T) {
	t.Parallel()
	document, err := openapi3.NewLoader().LoadFromData(conformance.Contract(t, "twilio/twilio_api_v2010.messages.json"))
	require.NoError(t, err)
	router, err := gorillamux.NewRouter(document)
	require.NoError(t, err)
	template := message()
	template.Text, template.TemplateID, template.Data = "", "HX0123456789abcdef0123456789abcdef", map[string]any{"1": "TEN-4711"}
	for name, m := range map[string]integrations.Message{"text": message(), "template": template} {
		t.Run(name, func(t *testing.T) {
			request, body := captured(t, "", m)
			described, err := http.NewRequest(request.Method, "https://api.twilio.com"+request.URL.Path, bytes.NewReader(body))
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

func TestSend_ClassesTwiliosOwnCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status, code int
		class        integrations.Class
	}{
		{400, 21610, integrations.Suppressed}, {400, 21211, integrations.Invalid}, {400, 21614, integrations.Invalid},
		{400, 21612, integrations.Invalid}, {429, 20429, integrations.RateLimited}, {401, 20003, integrations.Auth},
		{400, 30001, integrations.RateLimited}, {400, 99999, integrations.Invalid}, {500, 20500, integrations.Unknown},
		{500, 21610, integrations.Unknown},
	} {
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				fmt.Fprintf(w, `{"code": %d, "message": "about %s", "status": %d}`, c.code, anna, c.status)
			}))
			t.Cleanup(server.Close)
			_, err := channel(t, "base_url: "+server.URL).Send(t.Context(), message())
			var failure *integrations.Error
			require.ErrorAs(t, err, &failure)
			require.Equal(t, c.class, failure.Class)
			require.Equal(t, fmt.Sprint(c.code), failure.Code)
			require.Equal(t, "about "+anna, failure.Detail)
			conformance.Discreet(t, err, anna)
		})
	}
}

func TestSend_IsAcceptedByTheStatusLineAlone(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"sid": "S`)
	}))
	t.Cleanup(server.Close)
	sent, err := channel(t, "base_url: "+server.URL).Send(t.Context(), message())
	require.NoError(t, err)
	require.Empty(t, sent.VendorID)
}

type listing struct {
	SID     string `json:"sid"`
	To      string `json:"to"`
	Body    string `json:"body"`
	Created string `json:"date_created"`
}

func find(t *testing.T, m integrations.Message, since time.Time, listed ...listing) (integrations.Sent, bool, error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Query().Get("To") != anna {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"messages": append([]listing{}, listed...)})
	}))
	t.Cleanup(server.Close)
	return channel(t, "base_url: "+server.URL).(integrations.Finder).Find(t.Context(), m, since)
}

func TestFind_TellsWhatIsCertain(t *testing.T) {
	t.Parallel()
	since := time.Now().Add(-10 * time.Minute)
	at := func(d time.Duration) string { return since.Add(d).UTC().Format(time.RFC1123Z) }
	template := message()
	template.Text, template.TemplateID = "", "HX1"
	for name, c := range map[string]struct {
		message integrations.Message
		listed  []listing
		found   string
		failure string
	}{
		"the same text since":          {message(), []listing{{"SM2", anna, "Your code: TEN-4711", at(time.Second)}}, "SM2", ""},
		"smart encoding changed signs": {message(), []listing{{"SM2", anna, "Your code:  TEN\u20134711", at(time.Second)}}, "SM2", ""},
		"nothing":                      {message(), nil, "", ""},
		"another text":                 {message(), []listing{{"SM2", anna, "Hello", at(time.Second)}}, "", ""},
		"the same text long before":    {message(), []listing{{"SM2", anna, "Your code: TEN-4711", at(-time.Hour)}}, "", ""},
		"another number":               {message(), []listing{{"SM2", "+4915100000000", "Your code: TEN-4711", at(0)}}, "", ""},
		"template, nothing":            {template, nil, "", ""},
		"template, something":          {template, []listing{{"SM2", anna, "whatever", at(time.Second)}}, "", "ambiguous"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent, found, err := find(t, c.message, since, c.listed...)
			if c.failure != "" {
				require.ErrorContains(t, err, c.failure)
				require.Equal(t, integrations.Unknown, integrations.ClassOf(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.found != "", found)
			require.Equal(t, c.found, sent.VendorID)
		})
	}
}

func TestFind_TakesNothingElseForAList(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"messages": null}`, `{"sid": "SM1", "to": "` + anna + `"}`, `<!doctype html>`, `[]`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		t.Cleanup(server.Close)
		_, found, err := channel(t, "base_url: "+server.URL).(integrations.Finder).Find(t.Context(), message(), time.Now().Add(-time.Hour))
		require.Error(t, err, body)
		require.False(t, found)
		require.Equal(t, integrations.Unknown, integrations.ClassOf(err), body)
	}
}

func TestSend_OnlyACreatedMessageIsAccepted(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html>Welcome")
	}))
	t.Cleanup(server.Close)
	_, err := channel(t, "base_url: "+server.URL).Send(t.Context(), message())
	require.Equal(t, integrations.Unknown, integrations.ClassOf(err))
}

func TestFind_DoesNotLookTooEarly(t *testing.T) {
	t.Parallel()
	m := message()
	m.Deadline = time.Now()
	_, found, err := find(t, m, time.Now().Add(-time.Minute))
	var failure *integrations.Error
	require.ErrorAs(t, err, &failure)
	require.False(t, found)
	require.Equal(t, integrations.Retry, failure.Class)
	require.InDelta(t, 30*time.Second, failure.RetryAfter, float64(time.Second))
}

func TestCheck_ReadsTheAccount(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"messages": []}`)
	}))
	t.Cleanup(server.Close)
	checker := connect(t, "base_url: "+server.URL).(integrations.Checker)
	require.NoError(t, checker.Check(t.Context()))
	status = http.StatusUnauthorized
	require.Equal(t, integrations.Auth, integrations.ClassOf(checker.Check(t.Context())))
}

func TestNew_NamesEveryProblem(t *testing.T) {
	t.Parallel()
	conformance.Config(t, twilio.Descriptor, "account_sid: AC1\napi_key: SK1\nfrom: a\nmessaging_service: b\n",
		"account_sid", "auth_token", "api_key", "api_secret", "messaging_service", "messaging_service")
}
