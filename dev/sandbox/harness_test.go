package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
)

// hook is one webhook that Scrip's side got.
type hook struct {
	url    string // as it was called
	header http.Header
	body   []byte
}

// harness is a sandbox beside a Scrip that takes every webhook.
type harness struct {
	*sandbox.Sandbox
	t       *testing.T
	base    string // address under which both are
	secrets sandbox.Secrets

	mu     sync.Mutex
	hooks  []hook
	answer func(n int) int // status for the n-th webhook
}

func setup(t *testing.T, change ...func(*sandbox.Options)) *harness {
	t.Helper()
	h := &harness{t: t, answer: func(int) int { return http.StatusOK }}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	h.base = server.URL
	mux.HandleFunc("POST /hooks/", h.take)

	dir := t.TempDir()
	secrets, err := sandbox.LoadSecrets(dir)
	require.NoError(t, err)
	h.secrets = secrets
	o := sandbox.Options{
		PublicURL: server.URL, Secrets: secrets, Dir: dir, Delay: -1,
		HookURL: func(connection, topic string) string {
			return strings.TrimSuffix(server.URL+"/hooks/"+connection+"/"+topic, "/")
		},
	}
	for _, c := range change {
		c(&o)
	}
	h.Sandbox, err = sandbox.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.Close() })
	mux.Handle("/sandbox", h.Sandbox)
	mux.Handle("/sandbox/", h.Sandbox)
	return h
}

func (h *harness) take(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hooks = append(h.hooks, hook{h.base + r.URL.RequestURI(), r.Header, body})
	w.WriteHeader(h.answer(len(h.hooks)))
}

// got waits until the sandbox has nothing more to say and gives what it said.
func (h *harness) got() []hook {
	h.Settle()
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]hook(nil), h.hooks...)
}

// graphql calls the Admin API and gives its data.
func (h *harness) graphql(query string, variables map[string]any) map[string]any {
	h.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	require.NoError(h.t, err)
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.base+"/sandbox/api/shopify/admin/api/2026-07/graphql.json", bytes.NewReader(body))
	require.NoError(h.t, err)
	req.Header.Set("X-Shopify-Access-Token", h.secrets.ShopifyAccessToken)
	res, err := http.DefaultClient.Do(req)
	require.NoError(h.t, err)
	defer res.Body.Close()
	var out struct {
		Data   map[string]any `json:"data"`
		Errors []any          `json:"errors"`
	}
	require.NoError(h.t, json.NewDecoder(res.Body).Decode(&out))
	require.Empty(h.t, out.Errors)
	return out.Data
}

// visitor is a browser in the shop.
func (h *harness) visitor() *http.Client {
	return &http.Client{Jar: &jar{}}
}

// jar keeps the shop's one cookie.
type jar struct {
	mu      sync.Mutex
	cookies map[string]*http.Cookie
}

func (j *jar) SetCookies(_ *url.URL, list []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cookies == nil {
		j.cookies = map[string]*http.Cookie{}
	}
	for _, c := range list {
		j.cookies[c.Name] = c
	}
}

func (j *jar) Cookies(*url.URL) []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []*http.Cookie
	for _, c := range j.cookies {
		list = append(list, c)
	}
	return list
}

// press submits a form and gives the page that follows.
func (h *harness) press(c *http.Client, path string, form url.Values) string {
	h.t.Helper()
	res, err := c.PostForm(h.base+path, form)
	require.NoError(h.t, err)
	return h.page(res)
}

func (h *harness) open(c *http.Client, path string) string {
	h.t.Helper()
	res, err := c.Get(h.base + path)
	require.NoError(h.t, err)
	return h.page(res)
}

func (h *harness) page(res *http.Response) string {
	h.t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(h.t, err)
	require.Equal(h.t, http.StatusOK, res.StatusCode, string(body))
	return string(body)
}

func object(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal(body, &v))
	return v
}
