package attack_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const script = `<script>alert("anna")</script>`

// safe fails where a page could be framed, sniffed, scripted, or tells its address
// to where its links lead.
func safe(t *testing.T, page string, r reply) {
	t.Helper()
	require.Equal(t, "nosniff", r.header.Get("X-Content-Type-Options"), page)
	require.Contains(t, []string{"no-referrer", "same-origin"}, r.header.Get("Referrer-Policy"), page)
	policy := r.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src", page)
	require.Contains(t, policy, "frame-ancestors", page)
	require.NotContains(t, policy, "script-src 'unsafe", page)
	require.NotContains(t, r.body, script, "%s: what a contact wrote is run", page)
}

func TestPages_ShowWhatContactsWroteAsText(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{sandbox: true})
	f := at.furnish()
	token, err := at.store.UnsubscribeToken(t.Context(), f.contact, "email")
	require.NoError(t, err)
	at.exec(`UPDATE contact SET first_name = $1, last_name = $1`, script)
	odd, err := at.store.UnsubscribeToken(t.Context(), f.contact, script[:20])
	require.NoError(t, err)
	query := "?notice=" + "%3Cscript%3Ealert(%22anna%22)%3C/script%3E&problem=%3Cscript%3Ealert(%22anna%22)%3C/script%3E&number=%3Cscript%3Ealert(%22anna%22)%3C/script%3E&code=%3Cscript%3Ealert(%22anna%22)%3C/script%3E"
	for _, page := range []string{"/docs", "/u/" + token, "/u/" + odd, "/u/nonsense", "/u/%3Cscript%3E", "/sandbox", "/sandbox/", "/sandbox/inbox", "/sandbox/inbox/none", "/sandbox/inbox/%3Cscript%3E", "/sandbox/phone", "/sandbox/shop"} {
		for _, address := range []string{page, page + query} {
			got := at.do(call{method: "GET", path: address})
			safe(t, address, got)
			if got.status < 400 && got.status != http.StatusFound && got.status != http.StatusSeeOther {
				require.Contains(t, got.header.Get("Content-Type"), "text/html", address)
			}
		}
	}
	posted := at.do(call{method: "POST", path: "/u/" + token, body: "List-Unsubscribe=One-Click", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}})
	require.Equal(t, http.StatusOK, posted.status)
	safe(t, "the answer to unsubscribing", posted)
	require.Equal(t, "no-store", posted.header.Get("Cache-Control"), "a page whose address is a token is kept nowhere")
	for _, answer := range []call{{method: "GET", path: "/v1/contacts/" + f.contact, key: at.admin}, {method: "GET", path: "/nowhere"}, {method: "GET", path: "/metrics"}} {
		got := at.do(answer)
		safe(t, answer.path, reply{got.status, got.header, ""})
		require.NotContains(t, got.header.Get("Content-Type"), "html")
	}
}

func TestPages_NoMethodDoesMoreThanItSays(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{sandbox: true})
	f := at.furnish()
	paths := map[string]bool{"/": true, "/docs": true, "/openapi.json": true, "/metrics": true, "/u/x": true, "/hooks/shop/orders/paid": true, "/sandbox": true, "/sandbox/shop": true, "/nowhere": true}
	for _, a := range at.described(f) {
		paths[strings.Split(a.call.path, "?")[0]] = true
	}
	before := at.everything()
	for path := range paths {
		for _, method := range []string{"TRACE", "OPTIONS", "PROPFIND", "PATCH", "DELETE"} {
			got := at.do(call{method: method, path: path, key: at.admin, header: http.Header{"X-Secret-Of-Mine": {"echo-me"}}})
			require.Contains(t, []int{http.StatusMethodNotAllowed, http.StatusNotFound}, got.status, "%s %s: %s", method, path, got.body)
			require.NotContains(t, got.body, "echo-me", "%s %s tells the request's headers", method, path)
			require.Empty(t, got.header.Get("Access-Control-Allow-Origin"), "%s %s", method, path)
		}
		head := at.do(call{method: "HEAD", path: path, key: at.admin})
		require.Less(t, head.status, 500, path)
		require.Empty(t, head.body)
	}
	after := at.everything()
	delete(before, "audit")
	delete(after, "audit") // to look at an export is noted, by HEAD too
	require.Equal(t, before, after, "HEAD or another method changed something")
	metrics := at.do(call{method: "GET", path: "/metrics"}).body
	require.NotContains(t, metrics, "PROPFIND", "a made-up method makes a series of its own")
}

// Scrip writes no CSV: exports are JSON, in which a cell is no formula. Whoever adds
// the first export as CSV has to neutralise cells that begin with = + - @, a tab or
// a line break, and to prove it here.
func TestExports_AreNoSpreadsheets(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	f := at.furnish()
	for path, item := range at.spec().Paths.Map() {
		for method, operation := range item.Operations() {
			for status, answer := range operation.Responses.Map() {
				for kind := range answer.Value.Content {
					require.Contains(t, []string{"application/json", "application/problem+json"}, kind, "%s %s answers %s with it", method, path, status)
				}
			}
		}
	}
	at.exec(`UPDATE contact SET first_name = '=HYPERLINK("http://evil.example","x")'`)
	got := at.ok("GET", "/v1/contacts/"+f.contact+"/export", "")
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.NoError(t, filepath.WalkDir("../..", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		require.NotContains(t, string(text), "csv.NewWriter", path)
		return err
	}))
}
