package starter_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

// open are the routes that need no key.
var open = map[string]bool{"/healthz": true, "/readyz": true}

func TestOpenAPI_IsValidAndAsksForAKeyEverywhereButInTheOpen(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.key = ""
	spec, err := openapi3.NewLoader().LoadFromData(s.ok("GET", "/openapi.json", nil).body)
	require.NoError(t, err)
	require.NoError(t, spec.Validate(t.Context()))
	routes := 0
	for path, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			routes++
			require.NotEmpty(t, operation.Summary, "%s %s", method, path)
			if open[path] {
				continue
			}
			require.NotNil(t, operation.Security, "%s %s", method, path)
			require.Len(t, *operation.Security, 1, "%s %s", method, path)
			filled := strings.NewReplacer("{name}", "x", "{id}", "x", "{code}", "x").Replace(path)
			answer := s.do(method, filled, map[string]any{})
			require.Equal(t, http.StatusUnauthorized, answer.status, "%s %s", method, path)
			require.Equal(t, "missing_key", answer.code(t))
		}
	}
	require.Greater(t, routes, 45)
}

func TestAuth_TellsUnknownRevokedAndInsufficientKeysApart(t *testing.T) {
	t.Parallel()
	s := serve(t, store.ScopeRead)
	s.ok("GET", "/v1/campaigns", nil)
	require.Equal(t, "missing_scope", s.do("POST", "/v1/campaigns/x/pause", nil).code(t))
	require.Equal(t, "missing_scope", s.do("GET", "/v1/keys", nil).code(t))

	key := s.key
	s.key = key[:len(key)-1] + "!"
	require.Equal(t, "unknown_key", s.do("GET", "/v1/campaigns", nil).code(t))
	s.key = "scrip_"
	answer := s.do("GET", "/v1/campaigns", nil)
	require.Equal(t, "unknown_key", answer.code(t))
	require.Contains(t, answer.header.Get("WWW-Authenticate"), "Bearer")

	keys, err := s.store.Keys(t.Context())
	require.NoError(t, err)
	_, err = s.store.RevokeKey(t.Context(), keys[0].Prefix)
	require.NoError(t, err)
	s.key = key
	require.Equal(t, "revoked_key", s.do("GET", "/v1/campaigns", nil).code(t))
}

func TestKeys_AreShownOnceAlsoToARetry(t *testing.T) {
	t.Parallel()
	s := serve(t)
	body := map[string]any{"name": "till", "scopes": []string{"codes"}}
	var made struct{ ID, Secret, Prefix string }
	s.ok("POST", "/v1/keys", body, "Idempotency-Key", "k1").into(t, &made)
	require.True(t, strings.HasPrefix(made.Secret, made.Prefix))
	require.Equal(t, "shown_once", s.do("POST", "/v1/keys", body, "Idempotency-Key", "k1").code(t))
	listed := string(s.ok("GET", "/v1/keys", nil).body)
	require.Contains(t, listed, made.ID)
	require.NotContains(t, listed, made.Secret)
	var kept int
	require.NoError(t, s.store.Pool.QueryRow(t.Context(), `SELECT count(*) FROM idempotency_key WHERE position(convert_to($1, 'UTF8') in answer) > 0`, made.Secret).Scan(&kept))
	require.Zero(t, kept)
	s.ok("POST", "/v1/keys/"+made.ID+"/revoke", nil)
	s.key = made.Secret
	require.Equal(t, "revoked_key", s.do("GET", "/v1/codes/x/validate", nil).code(t))
}

func TestProblems_AreTheSameShapeEverywhere(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, check := range []struct {
		method, path string
		body         any
		status       int
		code         string
	}{
		{"GET", "/v1/nothing", nil, 404, "no_such_route"},
		{"GET", "/nothing", nil, 404, "no_such_route"},
		{"GET", "/hooks", nil, 404, "no_such_route"},
		{"DELETE", "/v1/campaigns", nil, 405, "wrong_method"},
		{"GET", "/v1/campaigns/x/pause", nil, 405, "wrong_method"},
		{"POST", "/healthz", nil, 405, "wrong_method"},
		{"POST", "/v1/inbox/replay", map[string]any{"ids": []int{4711}}, 404, "nothing_to_replay"},
		{"POST", "/v1/events", map[string]any{"type": "order.paid", "contact": map[string]any{"email": "no address"}}, 422, "invalid_event"},
		{"GET", "/v1/campaigns/missing", nil, 404, "not_found"},
		{"GET", "/v1/campaigns?limit=0", nil, 422, "invalid_request"},
		{"GET", "/v1/campaigns?limit=1000", nil, 422, "invalid_request"},
		{"GET", "/v1/campaigns?colour=red", nil, 422, "invalid_request"},
		{"GET", "/v1/campaigns?cursor=*", nil, 422, "bad_cursor"},
		{"GET", "/v1/audit?cursor=eHl6", nil, 422, "bad_cursor"},
		{"POST", "/v1/keys", map[string]any{"name": "", "scopes": []string{"everything"}}, 422, "invalid_request"},
		{"POST", "/v1/events", map[string]any{"typ": "order.paid"}, 422, "invalid_event"},
		{"POST", "/v1/inbox/replay", map[string]any{}, 422, "invalid_request"},
		{"POST", "/v1/coupons/missing/assign", map[string]any{}, 404, "not_found"},
		{"POST", "/v1/contacts/ct_none/erase", nil, 404, "not_found"},
		{"GET", "/v1/contacts?q=nobody@example.com", nil, 404, "not_found"},
		{"GET", "/v1/journeys/jn_none", nil, 404, "not_found"},
		{"POST", "/v1/unknown/ms_none/resolve", map[string]any{"verdict": "accepted"}, 404, "not_found"},
		{"GET", "/v1/why?contact=ct_none", nil, 404, "not_found"},
		{"GET", "/v1/campaigns/%00", nil, 422, "invalid_value"},
	} {
		answer := s.do(check.method, check.path, check.body)
		require.Equal(t, check.status, answer.status, "%s %s: %s", check.method, check.path, answer.body)
		require.Equal(t, check.code, answer.code(t), "%s %s", check.method, check.path)
		require.NotEmpty(t, answer.header.Get("X-Request-Id"))
		require.Equal(t, "application/problem+json", answer.header.Get("Content-Type"), "%s %s", check.method, check.path)
	}
	broken := s.do("POST", "/v1/keys", json.RawMessage(`{}`), "Content-Type", "application/x-strange")
	require.Equal(t, "unsupported_media_type", broken.code(t))
}

func TestProblems_SayWhatIsMissingAndWhereToLook(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for path, sentence := range map[string]string{
		"/v1/campaigns/x":    "scrip campaign list",
		"/v1/journeys/x":     "scrip journey list",
		"/v1/messages/x":     "scrip message list",
		"/v1/coupons/x":      "scrip codes list",
		"/v1/contacts/x":     "no contact",
		"/v1/why?contact=ct": "no contact",
	} {
		require.Contains(t, string(s.do("GET", path, nil).body), sentence, path)
	}
	require.Equal(t, "GET, HEAD", s.do("PUT", "/v1/campaigns", nil).header.Get("Allow"))
}

func TestProblems_NeverRepeatWhatWasSent(t *testing.T) {
	t.Parallel()
	s := serve(t)
	answer := s.do("POST", "/v1/contacts/x/consent", map[string]any{"channel": "anna@example.com", "state": "granted"})
	require.Equal(t, "invalid_request", answer.code(t))
	require.NotContains(t, string(answer.body), "anna@example.com")
}

func TestIdempotency_TheSameRequestIsDoneOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.apply()
	s.ok("POST", "/v1/coupons/ten/codes", "A1\nA2\nA3\n")
	first := s.ok("POST", "/v1/coupons/ten/assign", map[string]any{}, "Idempotency-Key", "order-1")
	again := s.ok("POST", "/v1/coupons/ten/assign", map[string]any{}, "Idempotency-Key", "order-1")
	require.Equal(t, first.status, again.status)
	require.JSONEq(t, string(first.body), string(again.body))
	require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	require.Equal(t, "idempotency_key_reused", s.do("POST", "/v1/coupons/ten/assign", map[string]any{"valid_for": "1d"}, "Idempotency-Key", "order-1").code(t))
	other := s.ok("POST", "/v1/coupons/ten/assign", map[string]any{}, "Idempotency-Key", "order-2")
	require.NotEqual(t, string(first.body), string(other.body))

	refused := s.do("POST", "/v1/coupons/missing/assign", map[string]any{}, "Idempotency-Key", "order-3")
	require.Equal(t, "not_found", refused.code(t))
	require.Equal(t, "not_found", s.do("POST", "/v1/coupons/missing/assign", map[string]any{}, "Idempotency-Key", "order-3").code(t))
	require.Equal(t, "bad_idempotency_key", s.do("POST", "/v1/coupons/ten/assign", map[string]any{}, "Idempotency-Key", strings.Repeat("x", 201)).code(t))
}

func TestIdempotency_TheDeedAndItsAnswerAreOneTransaction(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.apply()
	s.ok("POST", "/v1/contacts/import?source=crm", "email\nanna@example.com\n", "Content-Type", "text/csv")
	var found struct{ Contact string }
	s.ok("GET", "/v1/contacts?q=anna@example.com", nil).into(t, &found)
	_, err := s.store.Pool.Exec(t.Context(), `INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, state)
		SELECT 'jn_once', id, version_no, $1, '', 1, 'running' FROM campaign LIMIT 1`, found.Contact)
	require.NoError(t, err)
	var campaign string
	require.NoError(t, s.store.Pool.QueryRow(t.Context(), `SELECT name FROM campaign LIMIT 1`).Scan(&campaign))
	for key, deed := range map[string]struct {
		path string
		body map[string]any
		row  string
	}{
		"signal": {"/v1/journeys/jn_once/signal", map[string]any{"signal": "skip"}, `outbox WHERE name = 'skip'`},
		"cancel": {"/v1/journeys/jn_once/cancel", nil, `outbox WHERE name = 'exit'`},
		"start":  {"/v1/campaigns/" + campaign + "/start", map[string]any{"contact": found.Contact}, `delivery`},
	} {
		first := s.ok("POST", deed.path, deed.body, "Idempotency-Key", key)
		var together bool
		require.NoError(t, s.store.Pool.QueryRow(t.Context(), `SELECT (SELECT xmin FROM idempotency_key WHERE key = $1) = (SELECT max(xmin::text)::xid FROM `+deed.row+`)`, key).Scan(&together))
		require.True(t, together, "%s: a process that dies in between would do it again", key)
		again := s.ok("POST", deed.path, deed.body, "Idempotency-Key", key)
		require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
		require.Equal(t, first.status, again.status)
		require.JSONEq(t, string(first.body), string(again.body))
		var rows int
		require.NoError(t, s.store.Pool.QueryRow(t.Context(), `SELECT count(*) FROM `+deed.row).Scan(&rows))
		require.Equal(t, 1, rows, key)
	}
}

func TestHealth_IsOpenAndSaysWhatIsAway(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.key = ""
	s.ok("GET", "/healthz", nil)
	var ready struct{ Status string }
	s.ok("GET", "/readyz", nil).into(t, &ready)
	require.Equal(t, "degraded", ready.Status, "Temporal isn't configured here")
	require.Equal(t, http.StatusServiceUnavailable, s.do("GET", "/readyz?all=true", nil).status)
	require.Contains(t, string(s.ok("GET", "/metrics", nil).body), "scrip_inbox_lag_seconds 0")
	page := string(s.ok("GET", "/docs", nil).body)
	require.Contains(t, page, "/v1/codes/{code}/redeem")
	require.NotContains(t, page, "//cdn")
}
