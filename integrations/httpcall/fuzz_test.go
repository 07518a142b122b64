package httpcall

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzBelow: a path that is written with values from outside leads below the base
// address and to its host, or nowhere.
func FuzzBelow(f *testing.F) {
	for _, s := range []string{
		"/a/b?x=1", "../admin", "//evil.example.com", "/a/%2e%2e/%2e%2e", "https://evil.example.com", `\\evil.example.com\a`, "/a%2Fb/", "/%2F%2E%2E", "@evil.example.com", ":443", "?a=b#c", "/a/..;/b", "/\u2025/",
	} {
		f.Add(s)
	}
	base, err := url.Parse("https://api.example.com/v1/shop")
	require.NoError(f, err)
	api := &API{cfg: &Config{}, base: base}
	f.Fuzz(func(t *testing.T, target string) {
		address, ok := api.below(target)
		if !ok {
			return
		}
		// What is sent is what net/http reads of the text.
		request, err := http.NewRequest(http.MethodGet, address.String(), nil)
		if err != nil {
			return
		}
		require.Equal(t, "https", request.URL.Scheme)
		require.Equal(t, "api.example.com", request.URL.Host)
		require.Nil(t, request.URL.User)
		sent := request.URL.EscapedPath()
		require.True(t, sent == "/v1/shop" || strings.HasPrefix(sent, "/v1/shop/"), "%q", sent)
		plain, err := url.PathUnescape(sent)
		require.NoError(t, err)
		for _, part := range strings.Split(plain, "/") {
			require.NotEqual(t, "..", part, "%q", sent)
		}
	})
}

// FuzzDecode: an answer is JSON or nothing.
func FuzzDecode(f *testing.F) {
	f.Add("application/json; charset=utf-8", []byte(`{"a":[1,null]}`))
	f.Add("application/problem+json", []byte(`{"a":`))
	f.Add("text/html", []byte(`<p>`))
	f.Add(";;=", []byte{0xff})
	api := &API{cfg: &Config{}}
	f.Fuzz(func(t *testing.T, media string, body []byte) {
		answer, err := api.decode(http.MethodGet, http.Header{"Content-Type": {media}}, body)
		if err != nil {
			require.Nil(t, answer)
		}
		if len(body) > 8 && err != nil {
			require.NotContains(t, err.Error(), string(body), "an answer may hold anything")
		}
	})
}
