package attack_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

func TestKeys_NoRouteDoesAnythingForAKeyThatMustNot(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	f := at.furnish()
	all := at.described(f)
	revoked := at.key(store.ScopeAdmin)
	kept := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	require.Equal(t, http.StatusOK, at.do(call{method: "GET", path: "/v1/keys", key: revoked, client: kept}).status)
	found, err := at.store.Authenticate(t.Context(), revoked)
	require.NoError(t, err)
	_, err = at.store.RevokeKey(t.Context(), found.ID)
	require.NoError(t, err)
	scoped := map[string]string{}
	for _, scope := range store.Scopes {
		scoped[scope] = at.key(scope)
	}
	half := len(at.admin) - 16
	wrong := at.admin[:half] + strings.Map(func(r rune) rune {
		if r == 'a' {
			return 'b'
		}
		return 'a'
	}, at.admin[half:])

	before, tried := at.everything(), 0
	for _, a := range all {
		if a.scope == "" {
			continue
		}
		refused := func(what string, c call, status int, code string) {
			tried++
			got := at.do(c)
			require.Equal(t, status, got.status, "%s with %s: %s", a.name, what, got.body)
			require.Equal(t, code, got.code(), "%s with %s", a.name, what)
			require.Equal(t, "application/problem+json", got.header.Get("Content-Type"))
			noLeak(t, a.name, got)
		}
		c := a.call
		refused("no key", c, http.StatusUnauthorized, "missing_key")
		for _, header := range []string{"Basic c2NyaXA6c2NyaXA=", "Bearer", "Bearer ", "bearer " + at.admin, at.admin, "Token " + at.admin} {
			c.header = a.call.header.Clone()
			c.header.Set("Authorization", header)
			refused(header[:min(len(header), 12)], c, http.StatusUnauthorized, "missing_key")
		}
		c.header = a.call.header
		for _, key := range []string{"x", "scrip_", wrong, at.admin + "a", at.admin[:len(at.admin)-1], strings.ToUpper(at.admin), "' OR 1=1 --",
			"scrip_\xff\xfe", "scrip_aaaaaaa\xc3\xa9" + at.admin[16:], "%" + at.admin[1:], at.admin[:14] + "%" + at.admin[15:], strings.Repeat("k", 60_000)} {
			c.key = key
			refused("the key "+key[:min(len(key), 30)], c, http.StatusUnauthorized, "unknown_key")
		}
		c.key, c.client = revoked, kept
		refused("a revoked key on a connection that it opened", c, http.StatusUnauthorized, "revoked_key")
		c.client = nil
		refused("a revoked key", c, http.StatusUnauthorized, "revoked_key")
		for scope, key := range scoped {
			if scope != a.scope && scope != store.ScopeAdmin {
				c.key = key
				refused("the scope "+scope, c, http.StatusForbidden, "missing_scope")
			}
		}
		// A key in any other place is none.
		c.key, c.header = "", a.call.header.Clone()
		c.header.Set("Cookie", "Authorization=Bearer "+at.admin)
		c.header.Set("X-Api-Key", at.admin)
		refused("a key in other headers", c, http.StatusUnauthorized, "missing_key")
	}
	require.Equal(t, before, at.everything(), "what was refused left something behind")

	// The same requests are good ones: who may, gets what they ask for.
	slices.SortStableFunc(all, func(a, b attacked) int { return late(a.name) - late(b.name) })
	for _, a := range all {
		c, before := a.call, at.everything()
		if a.scope != "" {
			c.key = scoped[a.scope]
		}
		if strings.HasPrefix(a.name, "POST /v1/unknown") {
			at.exec(`UPDATE message SET state = 'parked', attempt = 1`) // it was settled a moment ago
			before = at.everything()
		}
		got := at.do(c)
		require.Less(t, got.status, 300, "%s with its scope: %s", a.name, got.body)
		if a.changes {
			require.NotEqual(t, before, at.everything(), "%s changed nothing, so that nothing was proved", a.name)
		}
	}
	proof.Found(t, proof.Finding{Tried: "requests with no, a malformed, wrong, revoked or insufficient key", Times: tried,
		Found: "all refused by 401 or 403, no row of any table changed"})
}

// late orders what ends things after what needs them.
func late(name string) int {
	for rank, word := range []string{"/redeem", "/rollback", "/withdraw", "/cancel", "/stop", "/erase", "/revoke", "kill-switch"} {
		if strings.Contains(name, word) {
			return rank + 1
		}
	}
	return 0
}

// key makes a key with one scope.
func (at *target) key(scope string) string {
	at.Helper()
	_, secret, err := at.store.NewKey(at.Context(), scope, []string{scope})
	require.NoError(at, err)
	return secret
}

func TestKeys_AnotherKeysIdempotencyKeyIsNone(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	at.furnish()
	first, second := at.key(store.ScopeCodes), at.key(store.ScopeCodes)
	assign := func(key, idempotency, body string) reply {
		return at.do(call{method: "POST", path: "/v1/coupons/ten/assign", key: key, body: body, header: http.Header{"Idempotency-Key": {idempotency}}})
	}
	mine := assign(first, "order-1", `{}`)
	theirs := assign(second, "order-1", `{}`)
	require.Equal(t, http.StatusCreated, theirs.status, theirs.body)
	require.Empty(t, theirs.header.Get("Idempotent-Replayed"))
	require.NotEqual(t, mine.field(t, "code"), theirs.field(t, "code"), "another key got the first one's code")

	// Nor is the body's own key, of which the codes themselves hang.
	again := assign(second, "order-2", `{"key": "order-1"}`)
	require.NotEqual(t, mine.field(t, "code"), again.field(t, "code"))
	for _, trick := range []string{"order-1/", "/order-1", "../order-1", "' OR ''='", "api:x/ten/order-1", strings.Repeat("x", 200)} {
		got := assign(second, trick, `{"email": "dora@example.com"}`)
		require.Contains(t, []int{http.StatusCreated, http.StatusConflict}, got.status, got.body)
		require.NotContains(t, got.body, mine.field(t, "code"))
	}
	for _, unstorable := range []string{"\xff\xfe", "\xc3\x28"} {
		got := assign(second, unstorable, `{}`)
		require.Equal(t, http.StatusUnprocessableEntity, got.status, got.body)
		noLeak(t, "an idempotency key that is no text", got)
	}
}

func TestIDs_OfOtherThingsAndPathTricksLeadNowhere(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	f := at.furnish()
	all := at.described(f)
	tricks := []string{"..", ".", "%2e%2e", "..%2f..%2fkeys", "%2e%2e%2fkeys", "%00", f.code + "%00", "%ff%fe", "%0d%0aX-Evil:%201", "'", "'%20OR%20''='", "%25", "_%25",
		"%F0%9F%92%A9", strings.Repeat("a", 5000), "a%2Fb", "a%5Cb", ";x=1", "{name}", "-1", "0", "9223372036854775808", "null", "true", "%20", "jn_", f.contact, f.journey, f.message, f.key, "ten", "welcome"}
	names := map[string][]string{"/v1/campaigns/": {"welcome"}, "/v1/coupons/": {"ten"}, "/v1/codes/": {f.code, "A2"}, "/v1/contacts/": {f.contact},
		"/v1/journeys/": {f.journey}, "/v1/messages/": {f.message}, "/v1/unknown/": {f.message}, "/v1/keys/": {f.key}, "/v1/templates/": {"hello"}}
	before, tried := at.everything(), 0
	for _, a := range all {
		prefix := a.call.path[:strings.LastIndex(strings.SplitN(a.name+"{", "{", 2)[0], "/")+1-len(a.call.method)-1]
		own, has := names[prefix]
		if !strings.Contains(a.name, "{") {
			continue
		}
		require.True(t, has, "%s: what does its path name?", a.name)
		rest := strings.SplitN(a.name, "}", 2)[1]
		for _, trick := range tricks {
			if slices.Contains(own, trick) {
				continue
			}
			c := a.call
			c.path, c.key = prefix+trick+rest, at.admin
			got := at.do(c)
			tried++
			noLeak(t, a.name+" of "+trick, got)
			require.Less(t, got.status, 500, "%s of %s: %s", a.name, trick, got.body)
			require.Empty(t, got.header.Get("X-Evil"))
			if got.status >= 300 && got.status < 400 {
				require.True(t, strings.HasPrefix(got.header.Get("Location"), "/v1"), "%s of %s leads to %s", a.name, trick, got.header.Get("Location"))
				continue
			}
			// Codes are text of anybody's choice: the answer is that there is none.
			if strings.HasSuffix(a.name, "/validate") && got.status == http.StatusOK {
				require.Contains(t, got.body, `"valid":false`, "%s of %s", a.name, trick)
				continue
			}
			if strings.HasSuffix(a.name, "/rollback") && got.status == http.StatusOK {
				require.Contains(t, got.body, `"redemptions":[]`)
				continue
			}
			if strings.HasSuffix(a.name, "/preview") || strings.HasSuffix(a.name, "/revoke") && trick == "scrip_" {
				require.NotEqual(t, http.StatusOK, got.status, "%s of %s", a.name, trick)
			}
			require.Contains(t, []int{400, 404, 405, 422, 429}, got.status, "%s of %s: %s", a.name, trick, got.body)
		}
	}
	require.Equal(t, before, at.everything(), "a trick changed something")
	require.Greater(t, tried, 500)
	require.NotContains(t, at.log.text(), "panic")
}
