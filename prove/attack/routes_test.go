package attack_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

// route is what is expected of one route of the API. Its request is a good one: with
// the right key it does what it says.
type route struct {
	scope   string // "" for the open ones
	path    string // filled in; "" is the route's own
	body    string // JSON, unless kind says otherwise
	kind    string
	changes bool // something in the database, with the right key
	fails   int  // the status with the right key, where it isn't 2xx
}

// fixture are the things that routes are about.
type fixture struct{ contact, journey, message, code, key string }

// routes are all that the API has, by method and pattern. A route that isn't here
// fails the tests, until somebody has thought about who may attack it and how.
func routes(f fixture) map[string]route {
	return map[string]route{
		"GET /healthz": {}, "GET /readyz": {},
		"POST /v1/apply":                    {scope: store.ScopeWrite, body: `{"files": {"coupons/new.yaml": "coupon: new\ndiscount: {percentage: 5}\ncodes: {shared: NEW5}\n"}}`, changes: true},
		"GET /v1/audit":                     {scope: store.ScopeAdmin},
		"GET /v1/campaigns":                 {scope: store.ScopeRead},
		"GET /v1/campaigns/{name}":          {scope: store.ScopeRead, path: "/v1/campaigns/welcome"},
		"POST /v1/campaigns/{name}/pause":   {scope: store.ScopeWrite, path: "/v1/campaigns/welcome/pause", changes: true},
		"POST /v1/campaigns/{name}/resume":  {scope: store.ScopeWrite, path: "/v1/campaigns/welcome/resume", changes: true},
		"POST /v1/campaigns/{name}/drain":   {scope: store.ScopeWrite, path: "/v1/campaigns/welcome/drain", changes: true},
		"POST /v1/campaigns/{name}/stop":    {scope: store.ScopeWrite, path: "/v1/campaigns/welcome/stop", changes: true},
		"POST /v1/campaigns/{name}/start":   {scope: store.ScopeWrite, path: "/v1/campaigns/welcome/start", body: `{"contact": "` + f.contact + `"}`, changes: true},
		"GET /v1/codes/{code}":              {scope: store.ScopeRead, path: "/v1/codes/" + f.code},
		"GET /v1/codes/{code}/validate":     {scope: store.ScopeCodes, path: "/v1/codes/" + f.code + "/validate"},
		"POST /v1/codes/{code}/hold":        {scope: store.ScopeCodes, path: "/v1/codes/" + f.code + "/hold", body: `{"reference": "cart-0"}`, changes: true},
		"POST /v1/codes/{code}/release":     {scope: store.ScopeCodes, path: "/v1/codes/" + f.code + "/release", body: `{"reference": "cart-0"}`, changes: true},
		"POST /v1/codes/{code}/redeem":      {scope: store.ScopeCodes, path: "/v1/codes/" + f.code + "/redeem", body: `{"order": {"id": "1001"}}`, changes: true},
		"POST /v1/codes/{code}/rollback":    {scope: store.ScopeCodes, path: "/v1/codes/" + f.code + "/rollback", body: `{"order": "1000"}`},
		"POST /v1/codes/{code}/withdraw":    {scope: store.ScopeWrite, path: "/v1/codes/A2/withdraw", changes: true},
		"GET /v1/connections":               {scope: store.ScopeRead},
		"POST /v1/connections/check":        {scope: store.ScopeRead},
		"GET /v1/contacts":                  {scope: store.ScopeRead, path: "/v1/contacts?q=anna@example.com"},
		"POST /v1/contacts/import":          {scope: store.ScopeWrite, kind: "text/csv", body: "email\nbert@example.com\n", changes: true},
		"GET /v1/contacts/{id}":             {scope: store.ScopeRead, path: "/v1/contacts/" + f.contact},
		"POST /v1/contacts/{id}/consent":    {scope: store.ScopeWrite, path: "/v1/contacts/" + f.contact + "/consent", body: `{"channel": "email", "state": "granted"}`, changes: true},
		"POST /v1/contacts/{id}/erase":      {scope: store.ScopeAdmin, path: "/v1/contacts/" + f.contact + "/erase", changes: true},
		"GET /v1/contacts/{id}/export":      {scope: store.ScopeAdmin, path: "/v1/contacts/" + f.contact + "/export", changes: true},
		"GET /v1/coupons":                   {scope: store.ScopeRead},
		"GET /v1/coupons/{name}":            {scope: store.ScopeRead, path: "/v1/coupons/ten"},
		"GET /v1/coupons/{name}/stats":      {scope: store.ScopeRead, path: "/v1/coupons/ten/stats"},
		"POST /v1/coupons/{name}/assign":    {scope: store.ScopeCodes, path: "/v1/coupons/ten/assign", body: `{"email": "carl@example.com"}`, changes: true},
		"POST /v1/coupons/{name}/codes":     {scope: store.ScopeWrite, path: "/v1/coupons/ten/codes", kind: "text/plain", body: "B1\nB2\n", changes: true},
		"POST /v1/doctor":                   {scope: store.ScopeRead},
		"POST /v1/events":                   {scope: store.ScopeEvents, body: `{"type": "order.paid", "contact": {"email": "anna@example.com"}}`, changes: true},
		"GET /v1/inbox/failed":              {scope: store.ScopeRead},
		"POST /v1/inbox/replay":             {scope: store.ScopeWrite, body: `{"all": true}`, changes: true},
		"GET /v1/journeys":                  {scope: store.ScopeRead},
		"GET /v1/journeys/{id}":             {scope: store.ScopeRead, path: "/v1/journeys/" + f.journey},
		"POST /v1/journeys/{id}/signal":     {scope: store.ScopeWrite, path: "/v1/journeys/" + f.journey + "/signal", body: `{"signal": "redeemed"}`, changes: true},
		"POST /v1/journeys/{id}/cancel":     {scope: store.ScopeWrite, path: "/v1/journeys/" + f.journey + "/cancel", changes: true},
		"GET /v1/keys":                      {scope: store.ScopeAdmin},
		"POST /v1/keys":                     {scope: store.ScopeAdmin, body: `{"name": "mine", "scopes": ["admin"]}`, changes: true},
		"POST /v1/keys/{id}/revoke":         {scope: store.ScopeAdmin, path: "/v1/keys/" + f.key + "/revoke", changes: true},
		"GET /v1/kill-switch":               {scope: store.ScopeRead},
		"PUT /v1/kill-switch":               {scope: store.ScopeAdmin, body: `{"on": true}`, changes: true},
		"GET /v1/messages":                  {scope: store.ScopeRead},
		"GET /v1/messages/{id}":             {scope: store.ScopeRead, path: "/v1/messages/" + f.message},
		"POST /v1/messages/{id}/resend":     {scope: store.ScopeWrite, path: "/v1/messages/" + f.message + "/resend", changes: true},
		"POST /v1/send-test":                {scope: store.ScopeWrite, body: `{"template": "hello", "channel": "email", "to": "me@example.com"}`, changes: true},
		"GET /v1/templates":                 {scope: store.ScopeRead},
		"POST /v1/templates/{name}/preview": {scope: store.ScopeRead, path: "/v1/templates/hello/preview", body: `{}`},
		"GET /v1/unknown":                   {scope: store.ScopeRead},
		"POST /v1/unknown/{id}/resolve":     {scope: store.ScopeWrite, path: "/v1/unknown/" + f.message + "/resolve", body: `{"verdict": "give_up"}`, changes: true},
		"GET /v1/why":                       {scope: store.ScopeRead, path: "/v1/why?contact=" + f.contact},
	}
}

// others are the addresses that the API's description doesn't have.
var others = []string{"GET /{$}", "GET /docs", "GET /openapi.json", "GET /metrics", "GET /u/{token}", "POST /u/{token}",
	"/hooks/{connection}", "/hooks/{connection}/{topic...}", "GET /healthz", "GET /readyz"}

// attacked is one route with its expectation.
type attacked struct {
	name string // "GET /v1/keys"
	call call
	route
}

// described are the routes that the running server itself tells of, each with its
// expectation: in both directions none is left over.
func (at *target) described(f fixture) []attacked {
	at.Helper()
	spec := at.spec()
	expected := routes(f)
	var all []attacked
	for path, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			name := method + " " + path
			want, known := expected[name]
			require.True(at, known, "%s is new: say in routes what is expected of it, so that it is attacked too", name)
			delete(expected, name)
			scope := ""
			if operation.Security != nil {
				for _, requirement := range *operation.Security {
					for _, scopes := range requirement {
						scope = strings.Join(scopes, ",")
					}
				}
			}
			require.Equal(at, want.scope, scope, "%s asks for another scope than it should", name)
			if want.path == "" {
				want.path = path
			}
			c := call{method: method, path: want.path, body: want.body, header: http.Header{}}
			if want.kind != "" {
				c.header.Set("Content-Type", want.kind)
			}
			all = append(all, attacked{name, c, want})
		}
	}
	require.Empty(at, expected, "these routes are expected and not there")
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all
}

func (at *target) spec() *openapi3.T {
	at.Helper()
	spec, err := openapi3.NewLoader().LoadFromData([]byte(at.do(call{method: "GET", path: "/openapi.json"}).body))
	require.NoError(at, err)
	return spec
}

// furnish makes the things that routes are about.
func (at *target) furnish() fixture {
	at.Helper()
	at.ok("POST", "/v1/apply", `{"files": {
		"campaigns/welcome.yaml": "campaign: welcome\ntrigger: manual\nentry: once\nsteps:\n  - send: {email: hello, coupon: ten}\n",
		"coupons/ten.yaml": "coupon: ten\ndiscount: {percentage: 10}\ncodes: {list: true}\n",
		"coupons/all.yaml": "coupon: all\ndiscount: {percentage: 5}\ncodes: {shared: ALL5}\n",
		"templates/hello/email.txt": "Hello {{ contact.first_name }}: {{ code }}",
		"templates/hello/email.html": "---\nsubject: \"Hello\"\nlayout: none\n---\n<p>Hello {{ contact.first_name }}: {{ code }}</p>{% if unsubscribe_url != \"\" %}<a href=\"{{ unsubscribe_url }}\">Unsubscribe</a>{% endif %}"}}`)
	at.ok("POST", "/v1/coupons/ten/codes", "A1\nA2\nA3\nA4\nA5\nA6\n", "Content-Type", "text/plain")
	given := at.ok("POST", "/v1/coupons/ten/assign", `{"email": "anna@example.com"}`)
	f := fixture{contact: given.field(at, "contact"), code: given.field(at, "code"), journey: "jn_00000000000000000001", message: "ms_00000000000000000001"}
	at.ok("POST", "/v1/codes/"+f.code+"/hold", `{"reference": "cart-0"}`)
	at.exec(`INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, state, parked_step, parked_reason)
		SELECT $1, id, 1, $2, 'x', 1, 'parked', 'hello', 'unknown_outcome' FROM campaign`, f.journey, f.contact)
	at.exec(`INSERT INTO message (id, send_key, journey_id, step, contact_id, channel, kind, connection, address, state, attempt)
		VALUES ($1, 'a', $2, 'hello', $3, 'email', 'marketing', 'mail', 'anna@example.com', 'parked', 1)`, f.message, f.journey, f.contact)
	_, err := at.store.Accept(at.Context(), []store.Incoming{{Connection: "own", Topic: "x", Key: "dead", Body: []byte("{}")}})
	require.NoError(at, err)
	at.exec(`WITH gone AS (DELETE FROM delivery_queue RETURNING delivery_id, received_at)
		INSERT INTO dead_letter (delivery_id, received_at, connection, topic, reason) SELECT delivery_id, received_at, 'own', 'x', 'test' FROM gone`)
	key, _, err := at.store.NewKey(at.Context(), "victim", []string{store.ScopeRead})
	require.NoError(at, err)
	f.key = key.ID
	return f
}

func TestRoutes_AreAllKnownToTheAttackers(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	require.Greater(t, len(at.described(fixture{})), 50)

	// The addresses beside the API stand in the program's text alone.
	pattern := regexp.MustCompile(`mux\.Handle(?:Func)?\("([^"]+)"|"(/hooks/[^"]+)": h\b`)
	sources, err := filepath.Glob("../../starter/*.go")
	require.NoError(t, err)
	found := map[string]bool{}
	for _, file := range sources {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range pattern.FindAllStringSubmatch(string(text), -1) {
			name := match[1] + match[2]
			found[name] = true
			require.True(t, slices.Contains(others, name), "%s is new in %s: attack it too", name, filepath.Base(file))
		}
	}
	require.Len(t, found, len(others), fmt.Sprint(found))
}
