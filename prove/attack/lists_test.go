package attack_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/proof"
)

// nasty are values of query parameters as they are sent.
var nasty = []string{"", "'", "''", "%27%20OR%201=1--", "%27;DROP%20TABLE%20journey;--", "%22", "\\", "%25", "_", "$1", "%00", "a%00b", "%ff", "%c3%28", "%ed%a0%80", "%0d%0aX-Evil:%201",
	"-1", "0", "1e9", "9223372036854775807", "9223372036854775808", "-9223372036854775809", strings.Repeat("9", 399), strings.Repeat("a", 30_000), "NaN", "true", "null", "[]", "{}", "%3Cscript%3E",
	"%F0%9F%92%A9", "2026-02-30", "0000-00-00", "99999-01-01", "1&limit=2&limit=3", "%zz", "%"}

// cursors are forged ones, in the form in which the API gives them.
func cursors(given ...string) []string {
	encode := func(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }
	all := []string{"*", "AA", encode("'"), encode("' OR ''='"), encode("a\x00b"), encode("\xff"), encode("-5"), encode("0"), encode("-9223372036854775808"), encode("9223372036854775807"),
		encode("99999999999999999999"), encode("1e5"), encode("0x10"), encode("zzzz"), encode("jn_"), encode("jn_zzzzzzzzzzzz"), encode("%"), encode(strings.Repeat("z", 200)), encode(strings.Repeat("z", 201)),
		strings.Repeat("A", 400), strings.Repeat("A", 401), base64.StdEncoding.EncodeToString([]byte("ab")), encode("ten") + "=", encode("ten") + "%0a"}
	for _, one := range given {
		all = append(all, one, one[:len(one)-1], one[:1], one+"A", strings.ToLower(one))
	}
	return all
}

func TestLists_NoParameterReachesTheDatabaseAsAnythingButAValue(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	f := at.furnish()
	given := at.crowd(f)
	spec, tried, parameters := at.spec(), 0, 0
	for _, a := range at.described(f) {
		method, path, _ := strings.Cut(a.name, " ")
		for _, parameter := range spec.Paths.Value(path).GetOperation(method).Parameters {
			if parameter.Value.In != "query" {
				continue
			}
			parameters++
			values := nasty
			if parameter.Value.Name == "cursor" {
				values = append(cursors(given...), nasty...)
			}
			for _, nasty := range values {
				c := a.call
				c.key = at.admin
				address, query, _ := strings.Cut(c.path, "?")
				kept := []string{parameter.Value.Name + "=" + nasty}
				for _, pair := range strings.Split(query, "&") {
					if pair != "" && !strings.HasPrefix(pair, parameter.Value.Name+"=") {
						kept = append(kept, pair)
					}
				}
				c.path = address + "?" + strings.Join(kept, "&")
				got := at.do(c)
				tried++
				what := fmt.Sprintf("%s with %s=%.60s", a.name, parameter.Value.Name, nasty)
				if path != "/readyz" { // where 503 is what it is asked for
					require.Less(t, got.status, 500, "%s: %s", what, got.body)
				}
				require.Empty(t, got.header.Get("X-Evil"), what)
				noLeak(t, what, got)
				if got.status >= 400 && got.status < 500 {
					require.Contains(t, []int{400, 404, 409, 414, 422, 429, 431}, got.status, "%s: %s", what, got.body)
				}
			}
		}
	}
	require.Greater(t, parameters, 40)
	require.NotContains(t, at.log.text(), "request failed")
	require.NotContains(t, at.log.text(), "panic")
	proof.Found(t, proof.Finding{Tried: fmt.Sprintf("hostile values and cursors in %d query parameters", parameters), Times: tried, Found: "an answer in the 2xx or 4xx each time, nothing told of the inside"})
}

// crowd adds rows that filters tell apart, and gives the lists' own cursors.
func (at *target) crowd(f fixture) (given []string) {
	at.Helper()
	at.exec(`INSERT INTO contact (id) VALUES ('ct_other')`)
	at.exec(`INSERT INTO campaign (name, version_no) VALUES ('other', 1)`)
	at.exec(`INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT c.id, 1, v.source, v.plan_format, v.sha256 FROM campaign_version v, campaign c WHERE c.name = 'other'`)
	at.exec(`INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, state, outcome, ended_at)
		SELECT 'jn_' || lpad(n::text, 20, '0'), c.id, 1, CASE WHEN n % 3 = 0 THEN 'ct_other' ELSE $1 END, convert_to(n::text, 'UTF8'), 1,
			CASE WHEN n % 4 = 0 THEN 'ended' ELSE 'running' END, CASE WHEN n % 4 = 0 THEN 'completed' END, CASE WHEN n % 4 = 0 THEN now() END
		FROM generate_series(2, 60) n JOIN campaign c ON c.name = CASE WHEN n % 2 = 0 THEN 'other' ELSE 'welcome' END`, f.contact)
	at.exec(`INSERT INTO message (id, send_key, journey_id, step, contact_id, channel, kind, connection, state, attempt, reason)
		SELECT 'ms_' || lpad(n::text, 20, '0'), n::text, 'jn_' || lpad(n::text, 20, '0'), 's', CASE WHEN n % 3 = 0 THEN 'ct_other' ELSE $1 END,
			CASE WHEN n % 2 = 0 THEN 'email' ELSE 'sms' END, 'marketing', 'mail', CASE WHEN n % 5 = 0 THEN 'skipped' WHEN n % 7 = 0 THEN 'unknown' ELSE 'accepted' END, 1, 'no_consent'
		FROM generate_series(2, 60) n`, f.contact)
	for _, list := range []string{"/v1/journeys", "/v1/messages", "/v1/unknown", "/v1/audit", "/v1/campaigns", "/v1/coupons"} {
		var page struct{ Next string }
		require.NoError(at, json.Unmarshal([]byte(at.ok("GET", list+"?limit=1", "").body), &page))
		require.NotEmpty(at, page.Next, list)
		given = append(given, page.Next)
	}
	return given
}

func TestLists_NoCursorLeadsOutOfItsFilter(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	f := at.furnish()
	given := cursors(at.crowd(f)...)
	rows := 0
	for list, filters := range map[string][]url.Values{
		"/v1/journeys": {{"campaign": {"other"}}, {"contact": {"ct_other"}}, {"state": {"ended"}}, {"outcome": {"completed"}}, {"campaign": {"welcome"}, "contact": {"ct_other"}}},
		"/v1/messages": {{"contact": {"ct_other"}}, {"journey": {f.journey}}, {"state": {"skipped"}}, {"channel": {"sms"}}, {"channel": {"email"}, "state": {"unknown"}}},
	} {
		for _, filter := range filters {
			seen := at.within(list, filter, "")
			require.NotEmpty(t, seen, "%s %v: nothing to tell apart", list, filter)
			for _, cursor := range given {
				rows += len(at.within(list, filter, cursor))
			}
		}
	}
	// What is settled is not among the unsettled, whatever the cursor.
	for _, cursor := range given {
		for _, state := range at.states(cursor) {
			require.Contains(t, []string{"unknown", "parked"}, state)
		}
	}
	require.Positive(t, rows, "no cursor was taken at all")
}

// within asks for a part of a list and gives its ids; each row fits the filter.
func (at *target) within(list string, filter url.Values, cursor string) []string {
	at.Helper()
	got := at.do(call{method: "GET", path: list + "?limit=200&cursor=" + cursor + "&" + filter.Encode(), key: at.admin})
	if got.status != http.StatusOK {
		require.Contains(at, []string{"bad_cursor", "invalid_request", "invalid_value"}, got.code(), got.body)
		return nil
	}
	var page struct{ Items []map[string]any }
	require.NoError(at, json.Unmarshal([]byte(got.body), &page))
	var ids []string
	for _, item := range page.Items {
		for name, want := range filter {
			require.Equal(at, want[0], item[name], "%s: a row of another filter", list)
		}
		ids = append(ids, item["id"].(string))
	}
	return ids
}

func (at *target) states(cursor string) []string {
	at.Helper()
	got := at.do(call{method: "GET", path: "/v1/unknown?limit=200&cursor=" + cursor, key: at.admin})
	var page struct{ Items []struct{ State string } }
	require.NoError(at, json.Unmarshal([]byte(got.body), &page))
	var states []string
	for _, item := range page.Items {
		states = append(states, item.State)
	}
	return states
}
