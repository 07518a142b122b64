package starter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
)

// FuzzBodies: whatever is sent to the routes of a checkout, to apply and as the token
// of an unsubscribe link, under whatever Idempotency-Key, is answered with JSON or a
// page; a mistake is the caller's, says nothing of the inside and changes nothing.
func FuzzBodies(f *testing.F) {
	s, err := store.Open(f.Context(), migrated.URL(f), 8)
	require.NoError(f, err)
	f.Cleanup(s.Close)
	settings, err := config.Load(f.TempDir(), func(string) string { return "" })
	require.NoError(f, err)
	connections, err := settings.Open(time.Now)
	require.NoError(f, err)
	metrics := starter.NewMetrics()
	inbox := starter.NewInbox(s, starter.NewInboxMetrics(metrics.Registry))
	f.Cleanup(inbox.Close)
	handler := starter.New(starter.Deps{Store: s, Config: settings, Connections: connections, Inbox: inbox, Log: slog.New(slog.DiscardHandler), Metrics: metrics, Version: "test"})
	_, key, err := s.NewKey(f.Context(), "test", []string{store.ScopeAdmin})
	require.NoError(f, err)
	send := func(method, path, idempotency string, body []byte) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(context.Background(), method, "/", bytes.NewReader(body))
		r.URL = &url.URL{Path: path, RawPath: url.PathEscape(path)}
		if decoded, err := url.PathUnescape(path); err == nil {
			r.URL = &url.URL{Path: decoded, RawPath: path}
		}
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		if idempotency != "" {
			r.Header["Idempotency-Key"] = []string{idempotency}
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	made := send("POST", "/v1/apply", "", []byte(`{"files": {"coupons/all.yaml": "coupon: all\ndiscount: {percentage: 5}\ncodes: {shared: ALL5}\n"}}`))
	require.Equal(f, http.StatusOK, made.Code, made.Body.String())

	routes := []string{"/v1/codes/ALL5/redeem", "/v1/codes/ALL5/hold", "/v1/codes/ALL5/release", "/v1/codes/ALL5/rollback", "/v1/coupons/all/assign", "/v1/apply", "/u/"}
	for i := range routes {
		for _, body := range []string{`{"order": {"id": "1", "total": "49.90"}}`, `{"order": {"id": "\u0000", "total": "1e999999999"}, "email": "\u0000"}`, `{"reference": "cart", "for": "-9999999h"}`, `{"reference": "\ud800"}`, `{"order": "1"}`,
			`{"files": {"coupons/a.yaml": "coupon: a\n"}, "dry_run": true}`, `{"files": {"../../x": "", "": ""}, "dry_run": true}`, `{"contact": "ct_1", "email": "a@example.com", "key": "\u0000"}`, "null", "[]", "", "{", "\xff", `{"dry_run": true}`} {
			f.Add(i, []byte(body), "")
			f.Add(i, []byte(body), "key-\xff")
		}
	}
	f.Fuzz(func(t *testing.T, which int, body []byte, idempotency string) {
		route := routes[((which%len(routes))+len(routes))%len(routes)]
		if route == "/u/" {
			got := send("GET", "/u/"+url.PathEscape(string(body)), "", nil)
			require.Contains(t, []int{http.StatusNotFound, http.StatusTemporaryRedirect, http.StatusMovedPermanently}, got.Code, "an invented link works: %q", body)
			return
		}
		if strings.HasSuffix(route, "/apply") && !strings.Contains(string(body), "dry_run") {
			return // it would become the project
		}
		got := send("POST", route, idempotency, body)
		require.Less(t, got.Code, 500, "%s of %q under %q: %s", route, body, idempotency, got.Body)
		require.True(t, json.Valid(got.Body.Bytes()), "%s", got.Body)
		if got.Code < 400 {
			return
		}
		var p starter.Problem
		require.NoError(t, json.Unmarshal(got.Body.Bytes(), &p))
		require.NotEmpty(t, p.Code)
		require.NotEmpty(t, p.Detail)
		for _, inside := range []string{"SQLSTATE", "pgx", "invalid byte sequence", "goroutine", "scrip.dev/", "panic"} {
			require.NotContains(t, got.Body.String(), inside)
		}
	})
}
