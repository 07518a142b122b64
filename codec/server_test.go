package codec_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"scrip.dev/scrip/codec"
)

const ui = "http://127.0.0.1:8233"

// request asks a server; headers are name, value, name, value …
func request(t *testing.T, o codec.ServerOptions, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	codec.Server(o).ServeHTTP(w, r)
	return w
}

func TestServer_SpeaksAsTemporalsRemoteCodecs(t *testing.T) {
	t.Parallel()
	c := codec.New(key(t, "2026", secret()))
	server := httptest.NewServer(codec.Server(codec.ServerOptions{Codec: c, Token: "let-me-in"}))
	defer server.Close()
	remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{Endpoint: server.URL, ModifyRequest: func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer let-me-in")
		return nil
	}})
	in := payload(t, "text")
	encrypted := one(t, remote.Encode, in)
	require.NotContains(t, encrypted.String(), "text")
	require.Equal(t, in.Data, one(t, remote.Decode, encrypted).Data)

	_, err := remote.Decode([]*commonpb.Payload{one(t, codec.New(key(t, "gone", secret())).Encode, in)})
	require.ErrorContains(t, err, `the key "gone"`)
}

func TestServer_AsksForTheToken(t *testing.T) {
	t.Parallel()
	o := codec.ServerOptions{Codec: codec.New(key(t, "2026", secret())), Token: "let-me-in"}
	for _, given := range []string{"", "let-me-in", "Bearer ", "Bearer let-me", "Basic let-me-in"} {
		require.Equal(t, http.StatusUnauthorized, request(t, o, "POST", "/decode", `{}`, "Authorization", given).Code, given)
	}
	require.Equal(t, http.StatusOK, request(t, o, "POST", "/decode", `{}`, "Authorization", "Bearer let-me-in").Code)
	o.Token = ""
	require.Equal(t, http.StatusOK, request(t, o, "POST", "/decode", `{}`).Code)
}

func TestServer_AnswersNoPageButTheUIs(t *testing.T) {
	t.Parallel()
	o := codec.ServerOptions{Codec: codec.New(key(t, "2026", secret())), Token: "let-me-in", Origins: []string{ui}}
	for _, origin := range []string{"http://evil.example", ui + "/", ui + ".evil.example", "http://localhost:8233", "null"} {
		for _, method := range []string{"OPTIONS", "POST"} {
			w := request(t, o, method, "/decode", `{}`, "Origin", origin, "Authorization", "Bearer let-me-in")
			require.Equal(t, http.StatusForbidden, w.Code, origin)
			require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"), origin)
		}
	}
	preflight := request(t, o, "OPTIONS", "/decode", "", "Origin", ui, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type,x-namespace")
	require.Equal(t, http.StatusNoContent, preflight.Code, "a preflight carries no token")
	require.Equal(t, ui, preflight.Header().Get("Access-Control-Allow-Origin"))
	require.Contains(t, preflight.Header().Get("Access-Control-Allow-Headers"), "X-Namespace")
	answer := request(t, o, "POST", "/decode", `{}`, "Origin", ui, "Authorization", "Bearer let-me-in")
	require.Equal(t, http.StatusOK, answer.Code)
	require.Equal(t, ui, answer.Header().Get("Access-Control-Allow-Origin"))
	require.Equal(t, "no-store", answer.Header().Get("Cache-Control"))
}

func TestServer_BoundsWhatItReadsAndServesNothingElse(t *testing.T) {
	t.Parallel()
	o := codec.ServerOptions{Codec: codec.New(key(t, "2026", secret()))}
	huge := `{"payloads":[{"data":"` + strings.Repeat("A", 9<<20) + `"}]}`
	require.Equal(t, http.StatusBadRequest, request(t, o, "POST", "/decode", huge).Code)
	require.Equal(t, http.StatusBadRequest, request(t, o, "POST", "/decode", `no JSON`).Code)
	require.Equal(t, http.StatusMethodNotAllowed, request(t, o, "GET", "/decode", ``).Code)
	require.Equal(t, http.StatusNotFound, request(t, o, "POST", "/x/decode", `{}`).Code)
}
