package starter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/postgres/pgtest"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
)

var migrated = pgtest.Template{Prepare: func(ctx context.Context, url string) error {
	s, err := store.Open(ctx, url, 2)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Migrate(ctx)
}}

// served is one API with a database of its own.
type served struct {
	*testing.T
	store *store.Store
	url   string
	key   string // of the scope that the test asked for
}

// serve starts an API; its key has the scopes, admin without any.
func serve(t *testing.T, scopes ...string) *served {
	t.Helper()
	if len(scopes) == 0 {
		scopes = []string{store.ScopeAdmin}
	}
	s, err := store.Open(t.Context(), migrated.URL(t), 8)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, config.File), []byte("time_zone: Europe/Berlin\n"), 0o600))
	settings, err := config.Load(dir, func(string) string { return "" })
	require.NoError(t, err)
	connections, err := settings.Open(time.Now)
	require.NoError(t, err)
	metrics := starter.NewMetrics()
	inbox := starter.NewInbox(s, starter.NewInboxMetrics(metrics.Registry))
	t.Cleanup(inbox.Close)
	server := httptest.NewServer(starter.New(starter.Deps{Store: s, Config: settings, Connections: connections, Inbox: inbox,
		Log: slog.New(slog.DiscardHandler), Metrics: metrics, Version: "test"}))
	t.Cleanup(server.Close)
	_, key, err := s.NewKey(t.Context(), "test", scopes)
	require.NoError(t, err)
	return &served{t, s, server.URL, key}
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) into(t *testing.T, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(r.body, v), "%s", r.body)
}

// code is the stable code of a problem.
func (r reply) code(t *testing.T) string {
	t.Helper()
	require.Equal(t, "application/problem+json", r.header.Get("Content-Type"), "%d %s", r.status, r.body)
	var p starter.Problem
	r.into(t, &p)
	require.Equal(t, r.status, p.Status)
	require.NotEmpty(t, p.Detail)
	return p.Code
}

func (s *served) do(method, path string, body any, headers ...string) reply {
	s.Helper()
	var reader io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case string:
		reader, kind = bytes.NewReader([]byte(b)), "text/plain"
	default:
		encoded, err := json.Marshal(b)
		require.NoError(s, err)
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(s.Context(), method, s.url+path, reader)
	require.NoError(s, err)
	if s.key != "" {
		request.Header.Set("Authorization", "Bearer "+s.key)
	}
	if body != nil {
		request.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(s, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(s, err)
	return reply{response.StatusCode, response.Header, answer}
}

// ok does a request that has to work.
func (s *served) ok(method, path string, body any, headers ...string) reply {
	s.Helper()
	r := s.do(method, path, body, headers...)
	require.Less(s, r.status, 300, "%s %s: %s", method, path, r.body)
	return r
}

const welcome = `campaign: welcome
trigger:
  event: contact.opted_in
entry: once
steps:
  - send: {email: hello, coupon: ten}
`

const ten = `coupon: ten
discount: {percentage: 10}
codes: {list: true}
`

// project is a folder as it is applied.
func project() map[string]string {
	return map[string]string{
		"campaigns/welcome.yaml":    welcome,
		"coupons/ten.yaml":          ten,
		"coupons/all.yaml":          "coupon: all\ndiscount: {percentage: 5}\ncodes: {shared: ALL5, max_uses: 3}\n",
		"templates/hello/email.txt": "Hello {{ contact.first_name | default: \"there\" }}: {{ code }}",
		"templates/hello/email.html": "---\nsubject: \"Hello\"\nlayout: none\n---\n<p>Hello {{ contact.first_name | default: \"there\" }}: {{ code }}" +
			"</p>{% if unsubscribe_url != \"\" %}<a href=\"{{ unsubscribe_url }}\">Unsubscribe</a>{% endif %}",
	}
}

func (s *served) apply() {
	s.Helper()
	s.ok("POST", "/v1/apply", map[string]any{"files": project()})
}
