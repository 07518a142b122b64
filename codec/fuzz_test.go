package codec_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/proto"

	"scrip.dev/scrip/codec"
)

const fuzzSecret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// FuzzDecode: what wasn't encrypted with a key of ours is an UnreadableError or left
// as it is, and what was is given back.
func FuzzDecode(f *testing.F) {
	f.Add("binary/encrypted", "2026", []byte("0123456789012345678901234567890123456789"), false)
	f.Add("json/plain", "", []byte(`{"order":"1001"}`), true)
	f.Add("binary/encrypted", "\xff", []byte{}, true)
	f.Add("", "2026", []byte("\x0a\x00"), false)
	c := codec.New(key(f, "2026", fuzzSecret))
	f.Fuzz(func(t *testing.T, encoding, id string, data []byte, ours bool) {
		in := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte(encoding), "encryption-key-id": []byte(id)}, Data: data}
		if ours {
			encrypted, err := c.Encode([]*commonpb.Payload{in})
			require.NoError(t, err)
			out, err := c.Decode(encrypted)
			require.NoError(t, err)
			require.True(t, proto.Equal(in, out[0]), "%v became %v", in, out[0])
			// One bit more or less is another payload.
			sealed := encrypted[0].Data
			sealed[len(data)%len(sealed)] ^= 1
			in = encrypted[0]
		}
		out, err := c.Decode([]*commonpb.Payload{in})
		if err != nil {
			var unreadable *codec.UnreadableError
			require.ErrorAs(t, err, &unreadable)
			return
		}
		require.NotEqual(t, "binary/encrypted", string(in.Metadata["encoding"]), "what nobody encrypted was decrypted")
		require.Same(t, in, out[0])
	})
}

// FuzzNewKey: a key is made of an id and 32 bytes in base64, or the error says what is
// wrong and repeats nothing of the secret.
func FuzzNewKey(f *testing.F) {
	f.Add("2026", fuzzSecret)
	f.Add("a:b", "c2hvcnQ=")
	f.Add("-", fuzzSecret+"\n")
	f.Add(strings.Repeat("a", 41), "not base64!")
	f.Fuzz(func(t *testing.T, id, secret string) {
		k, err := codec.NewKey(id, secret)
		raw, decoded := base64.StdEncoding.DecodeString(secret)
		require.Equal(t, codec.ValidID(id) && decoded == nil && len(raw) == 32, err == nil)
		if err != nil {
			if len(secret) > 10 && !strings.Contains("is not base64; make a key with: openssl rand -base64 32", secret) {
				require.NotContains(t, err.Error(), secret)
			}
			return
		}
		require.False(t, strings.ContainsAny(id, ":, \x00\n"), "an id that can't stand in SCRIP_PAYLOAD_KEYS")
		c := codec.New(k)
		out, err := c.Encode([]*commonpb.Payload{{Data: []byte("x")}})
		require.NoError(t, err)
		_, err = c.Decode(out)
		require.NoError(t, err)
	})
}

// FuzzServer: whatever is sent to /decode and /encode is answered, with JSON or a
// refusal; without the token with a refusal only; and what comes out of /encode is
// decrypted again.
func FuzzServer(f *testing.F) {
	server := codec.Server(codec.ServerOptions{Codec: codec.New(key(f, "2026", fuzzSecret)), Token: "token", Origins: []string{"http://127.0.0.1:8233"}})
	for _, body := range []string{`{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"e30="}]}`, `{"payloads":[{"metadata":{"encoding":"YmluYXJ5L2VuY3J5cHRlZA=="},"data":"AAAA"}]}`,
		`{"payloads":[null]}`, `[]`, `{"payloads":1}`, "", "\xff", `{"payloads":[{}]}`, strings.Repeat("[", 10_000)} {
		f.Add([]byte(body), "/decode", "Bearer token", "")
		f.Add([]byte(body), "/encode", "Bearer token", "http://127.0.0.1:8233")
		f.Add([]byte(body), "/decode", "token", "http://evil.example")
	}
	f.Fuzz(func(t *testing.T, body []byte, path, authorization, origin string) {
		send := func(path string, body []byte) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
			r.URL.Path = path
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", authorization)
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			return w
		}
		got := send(path, body)
		require.Less(t, got.Code, 500, got.Body.String())
		allowed := got.Header().Get("Access-Control-Allow-Origin")
		require.Contains(t, []string{"", "http://127.0.0.1:8233"}, allowed)
		if got.Code != http.StatusOK {
			return
		}
		require.Equal(t, "Bearer token", authorization, "decrypted for somebody without the token")
		require.Contains(t, []string{"", "http://127.0.0.1:8233"}, origin, "decrypted for another page")
		require.True(t, json.Valid(got.Body.Bytes()), got.Body.String())
		if path == "/encode" {
			require.Equal(t, http.StatusOK, send("/decode", got.Body.Bytes()).Code, "what was encrypted is not decrypted")
		}
	})
}
