package starter

import (
	"context"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
)

// FuzzCursor: a cursor is one that a list gave, or is refused.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "Y2FydC0xMA", "MTc", "====", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk", "Y2FydC0xMB"} {
		f.Add(s, 50)
	}
	f.Fuzz(func(t *testing.T, cursor string, limit int) {
		limit = max(1, min(limit, 200))
		page, err := PageQuery{Limit: limit, Cursor: cursor}.page()
		if err != nil {
			require.Empty(t, page.After)
			return
		}
		require.Equal(t, limit+1, page.Limit)
		if cursor == "" {
			return
		}
		require.Regexp(t, cursorKey, page.After)
		rows := make([]string, limit+1)
		rows[limit-1] = page.After
		given := paged(PageQuery{Limit: limit}, rows, func(s string) string { return s })
		again, err := PageQuery{Limit: limit, Cursor: given.Next}.page()
		require.NoError(t, err)
		require.Equal(t, page, again)
		if n, err := numericCursor(page.After); err == nil {
			require.LessOrEqual(t, len(page.After), 200, "%d", n)
		}
	})
}

// FuzzMoney: an amount of a body is one that can be printed, and the same when it is
// read again.
func FuzzMoney(f *testing.F) {
	for _, s := range []string{"49.90", "", "-1", "1e100", "1e10000", "1e999999999", "1e-999999999", "0.0000001", "+5", "1E5", "00012345678901234567"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := money(text).decimal()
		if err != nil {
			return
		}
		require.False(t, d.IsNegative())
		require.LessOrEqual(t, len(d.String()), 40, "%q", text)
		again, err := money(d.String()).decimal()
		require.NoError(t, err)
		require.True(t, d.Equal(again))
	})
}

// FuzzTraceparent: a header from outside becomes a span's place that is stored and
// read as the same, or none.
func FuzzTraceparent(f *testing.F) {
	for _, s := range []string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", "\x00", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		stored := Traceparent(WithTraceparent(context.Background(), header))
		if stored == "" {
			return
		}
		require.Len(t, stored, 55)
		require.Equal(t, stored, Traceparent(WithTraceparent(context.Background(), stored)))
	})
}

// FuzzIncoming: what is stored of a webhook's headers and address fits into Postgres,
// and the address that is checked is always the project's own.
func FuzzIncoming(f *testing.F) {
	f.Add("/hooks/sms/status?m=1", "sms:SM1", "status", "msg_1")
	f.Add("/hooks/a/%2e%2e/%zz", strings.Repeat("k", 300), "\x00", "\xff")
	f.Add("//evil.example.com/hooks/a?%", "", "", "")
	public, err := url.Parse("https://scrip.example.com/base/")
	require.NoError(f, err)
	hooks := &Hooks{PublicURL: public}
	f.Fuzz(func(t *testing.T, target, key, topic, meta string) {
		parsed, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := httptest.NewRequest("POST", "/", nil)
		r.URL = parsed
		r.Host = "evil.example.com"
		address := hooks.publicURL(r)
		require.Equal(t, "https", address.Scheme)
		require.Equal(t, "scrip.example.com", address.Host)
		require.True(t, strings.HasPrefix(address.String(), "https://scrip.example.com/base"), "%q", address)
		receipt := integrations.Receipt{Topic: topic, Key: key, Meta: map[string]string{meta: meta}}
		in := incoming("a", nil, receipt, integrations.Request{}, r)
		require.LessOrEqual(t, len(in.Key), maxKey)
		for _, text := range []string{in.Key, in.Topic, in.Meta[integrations.Storable(meta)]} {
			require.Equal(t, integrations.Storable(text), text)
		}
		require.Equal(t, in, incoming("a", nil, receipt, integrations.Request{}, r))
	})
}
