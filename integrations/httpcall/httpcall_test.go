package httpcall_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/httpcall"
)

const bearer = "Bearer a-token"

func caller(t *testing.T, text string) integrations.Caller {
	t.Helper()
	made, err := httpcall.New(conformance.Settings("api", text, nil))
	require.NoError(t, err)
	conformance.Discreet(t, made, "a-token")
	return made.(integrations.Caller)
}

func serve(t *testing.T, handler http.HandlerFunc) integrations.Caller {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return caller(t, "base_url: "+server.URL+"/v1/\nallow_private: true\nheaders: {Authorization: "+bearer+"}")
}

func TestCall_SendsJSONBelowTheBaseAddress(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var sent []byte
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		sent, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, `{"points": 7, "list": [1, "x"]}`)
	})
	answer, err := c.Call(t.Context(), "post", "/loyalty/a%2Fb?x=1", map[string]any{"code": "TEN-1"})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"points": 7.0, "list": []any{1.0, "x"}}, answer)
	require.Equal(t, "/v1/loyalty/a%2Fb?x=1", got.RequestURI)
	require.Equal(t, http.MethodPost, got.Method)
	require.Equal(t, bearer, got.Header.Get("Authorization"))
	require.JSONEq(t, `{"code": "TEN-1"}`, string(sent))
}

func TestCall_GivesNothingForWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/text") {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "done")
		}
	})
	for _, path := range []string{"/text", "/empty"} {
		answer, err := c.Call(t.Context(), "POST", path, nil)
		require.NoError(t, err)
		require.Nil(t, answer)
	}
}

func TestCall_NeverLeavesTheBaseAddress(t *testing.T) {
	t.Parallel()
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("called") })
	for _, path := range []string{"https://evil.example.com/", "//evil.example.com/", "../admin", "/a/../../admin", "/a/%2e%2e/%2e%2e/admin", "mailto:a@b.c", "/a\x00b", ":"} {
		_, err := c.Call(t.Context(), "GET", path, nil)
		require.Equal(t, integrations.Invalid, integrations.ClassOf(err), "%q", path)
		require.NotContains(t, err.Error(), "evil")
	}
	_, err := c.Call(t.Context(), "CONNECT", "/", nil)
	require.Equal(t, integrations.Invalid, integrations.ClassOf(err))
	_, err = c.Call(t.Context(), "POST", "/", func() {})
	require.Equal(t, integrations.Invalid, integrations.ClassOf(err))
}

func TestCall_ClassesEveryStatus(t *testing.T) {
	t.Parallel()
	status := 300
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "about anna@example.com")
	})
	for ; status < 600; status++ {
		want := integrations.ClassOfStatus(status, false)
		_, err := c.Call(t.Context(), "POST", "/", nil)
		require.Equal(t, want, integrations.ClassOf(err), "status %d", status)
		conformance.Discreet(t, err, "a-token", "anna@example.com")
		if want == integrations.Unknown {
			want = integrations.Retry
		}
		_, err = c.Call(t.Context(), "GET", "/", nil)
		require.Equal(t, want, integrations.ClassOf(err), "reading has no effect, status %d", status)
	}
}

func TestCall_CapsAnswers(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `"`+strings.Repeat("x", 300<<10)+`"`)
	})
	_, err := c.Call(t.Context(), "POST", "/", nil)
	require.ErrorContains(t, err, "answer_too_large")
	require.Equal(t, integrations.Unknown, integrations.ClassOf(err))
}

func TestCall_RefusesPrivateAddressesUnlessAllowed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	t.Cleanup(server.Close)
	_, err := caller(t, "base_url: "+server.URL).Call(t.Context(), "GET", "/", nil)
	require.Equal(t, integrations.Invalid, integrations.ClassOf(err))
	require.ErrorContains(t, err, "private_address")
}

func TestCall_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := c.Call(ctx, "POST", "/", nil)
	require.Equal(t, integrations.Unknown, integrations.ClassOf(err))
}

func TestNew_NamesEveryProblem(t *testing.T) {
	t.Parallel()
	conformance.Config(t, httpcall.Descriptor, "headers: {\"a b\": c, Host: x}\ntimeout: 1m\nretry_on: [429]\n",
		"base_url", "headers.a b", "headers.Host", "timeout", "retry_on")
	conformance.Config(t, httpcall.Descriptor, "base_url: https://user:pass@example.com", "base_url")
}
