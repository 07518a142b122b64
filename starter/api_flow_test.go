package starter_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

func TestApply_TellsTheDifferenceAndThenMakesIt(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var plan struct {
		Applied bool
		Changes []store.Change
	}
	s.ok("POST", "/v1/apply", map[string]any{"files": project(), "dry_run": true}).into(t, &plan)
	require.False(t, plan.Applied)
	require.Len(t, plan.Changes, 4)
	for _, change := range plan.Changes {
		require.Equal(t, store.ApplyCreate, change.Action, "%s", change.Name)
	}
	require.Equal(t, "not_found", s.do("GET", "/v1/campaigns/welcome", nil).code(t), "a dry run changes nothing")

	s.apply()
	s.ok("POST", "/v1/apply", map[string]any{"files": project()}).into(t, &plan)
	for _, change := range plan.Changes {
		require.Equal(t, store.ApplyUnchanged, change.Action, "%s", change.Name)
	}

	changed := project()
	changed["campaigns/welcome.yaml"] = strings.Replace(welcome, "steps:", "lifetime: 60d\nsteps:", 1)
	s.ok("POST", "/v1/apply", map[string]any{"files": changed}).into(t, &plan)
	require.Equal(t, 2, s.campaign("welcome").Version)
	s.apply()
	require.Equal(t, 1, s.campaign("welcome").Version, "a document that was applied before is that version again")

	delete(changed, "campaigns/welcome.yaml")
	s.ok("POST", "/v1/apply", map[string]any{"files": changed}).into(t, &plan)
	require.Equal(t, "running", s.campaign("welcome").State)
	s.ok("POST", "/v1/apply", map[string]any{"files": changed, "prune": true})
	require.Equal(t, "draining", s.campaign("welcome").State)
}

func (s *served) campaign(name string) (c store.CampaignDetail) {
	s.Helper()
	s.ok("GET", "/v1/campaigns/"+name, nil).into(s.T, &c)
	return c
}

func TestApply_RefusesAFolderWithMistakesAsAWhole(t *testing.T) {
	t.Parallel()
	s := serve(t)
	files := project()
	files["campaigns/other.yaml"] = "campaign: other\ntrigger: manual\nsteps:\n  - send: {email: missing}\n"
	answer := s.do("POST", "/v1/apply", map[string]any{"files": files})
	require.Equal(t, "invalid_project", answer.code(t))
	require.Contains(t, string(answer.body), "campaigns/other.yaml:4")
	require.Equal(t, "not_found", s.do("GET", "/v1/campaigns/welcome", nil).code(t))
}

func TestApply_SaysThatOthersUseWhatHasToBeChanged(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.apply()
	files := project()
	files["coupons/ten.yaml"] = strings.Replace(ten, "10", "20", 1)
	holder, err := s.store.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = holder.Exec(t.Context(), `SELECT FROM coupon WHERE name = 'ten' FOR UPDATE`)
	require.NoError(t, err)
	answer := s.do("POST", "/v1/apply", map[string]any{"files": files})
	require.Equal(t, http.StatusServiceUnavailable, answer.status)
	require.Equal(t, "busy", answer.code(t))
	require.Equal(t, "5", answer.header.Get("Retry-After"))
	require.NoError(t, holder.Rollback(t.Context()))
	s.ok("POST", "/v1/apply", map[string]any{"files": files})
}

func TestCampaigns_ArePausedResumedAndStoppedWithATrace(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.apply()
	for verb, state := range map[string]string{"pause": "paused", "resume": "running", "drain": "draining", "stop": "stopped"} {
		s.ok("POST", "/v1/campaigns/welcome/"+verb, nil)
		require.Equal(t, state, s.campaign("welcome").State)
		require.Contains(t, string(s.ok("GET", "/v1/audit", nil).body), "campaign."+state)
	}
}

func TestLists_ComeInPartsWithoutGapsOrRepetitions(t *testing.T) {
	t.Parallel()
	s := serve(t)
	files := project()
	for i := range 5 {
		files[fmt.Sprintf("coupons/c%d.yaml", i)] = fmt.Sprintf("coupon: c%d\ndiscount: {percentage: 5}\ncodes: {list: true}\n", i)
	}
	s.ok("POST", "/v1/apply", map[string]any{"files": files})
	var names []string
	cursor := ""
	for {
		var part struct {
			Items []store.CouponSummary
			Next  string
		}
		s.ok("GET", "/v1/coupons?limit=2&cursor="+cursor, nil).into(t, &part)
		require.LessOrEqual(t, len(part.Items), 2)
		for _, coupon := range part.Items {
			names = append(names, coupon.Name)
		}
		if cursor = part.Next; cursor == "" {
			break
		}
	}
	require.Equal(t, []string{"all", "c0", "c1", "c2", "c3", "c4", "ten"}, names)
}

func TestEvents_AreTakenOnceAndAsAWhole(t *testing.T) {
	t.Parallel()
	s := serve(t, store.ScopeEvents)
	one := map[string]any{"type": "order.paid", "id": "A-1", "contact": map[string]any{"email": "anna@example.com", "external_id": "17"}}
	var sent struct{ Accepted, Duplicates int }
	s.ok("POST", "/v1/events", one).into(t, &sent)
	require.Equal(t, 1, sent.Accepted)
	s.ok("POST", "/v1/events", []any{one, map[string]any{"type": "order.paid", "id": "A-2"}}).into(t, &sent)
	require.Equal(t, 1, sent.Accepted)
	require.Equal(t, 1, sent.Duplicates)
	require.Equal(t, "invalid_event", s.do("POST", "/v1/events", []any{one, map[string]any{"type": "no"}}).code(t))
	_, waiting, err := s.store.QueueLag(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, waiting)
}

func TestUnsubscribe_AsksOnGetAndActsOnPost(t *testing.T) {
	t.Parallel()
	s := serve(t)
	id, err := s.store.ResolveContact(t.Context(), s.store.Pool, store.ConnectionAPI, event.Person{
		Identities: []event.Identity{{Kind: event.Email, Value: "anna@example.com"}}, Consents: []event.Consent{{Channel: "email", State: event.Granted}}}, now())
	require.NoError(t, err)
	token, err := s.store.UnsubscribeToken(t.Context(), id, "email")
	require.NoError(t, err)
	s.key = ""
	consent := func() string {
		contact, err := s.store.Contact(t.Context(), s.store.Pool, id)
		require.NoError(t, err)
		return contact.Consents["email"].State
	}
	page := s.ok("GET", "/u/"+token, nil)
	require.Contains(t, string(page.body), `<form method="post">`)
	require.NotContains(t, string(page.body), "anna")
	require.Equal(t, event.Granted, consent(), "mail scanners follow links")
	require.Equal(t, http.StatusNotFound, s.do("POST", "/u/"+token[:len(token)-2]+"AA", nil).status)
	require.Equal(t, event.Granted, consent())
	for range 2 {
		s.ok("POST", "/u/"+token, "List-Unsubscribe=One-Click")
		require.Equal(t, event.Denied, consent())
	}
	_, waiting, err := s.store.QueueLag(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, waiting, "the campaigns are told once")
}

func TestContacts_AreImportedFoundShownAndErased(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.apply()
	s.ok("POST", "/v1/contacts/import?source=crm", "email,first_name\nanna@example.com,Anna\n", "Content-Type", "text/csv")
	var found struct{ Contact string }
	s.ok("GET", "/v1/contacts?q=ANNA@example.com", nil).into(t, &found)
	require.Contains(t, string(s.ok("GET", "/v1/contacts/"+found.Contact, nil).body), `"first_name":"Anna"`)
	s.ok("POST", "/v1/contacts/"+found.Contact+"/consent", map[string]any{"channel": "email", "state": "granted"})
	require.Contains(t, string(s.ok("GET", "/v1/why?contact="+found.Contact+"&campaign=welcome", nil).body), "never entered")
	require.Contains(t, string(s.ok("GET", "/v1/contacts/"+found.Contact+"/export", nil).body), "anna@example.com")
	s.ok("POST", "/v1/contacts/"+found.Contact+"/erase", nil)
	require.NotContains(t, string(s.ok("GET", "/v1/contacts/"+found.Contact, nil).body), "anna@example.com")
	require.Equal(t, "contact_erased", s.do("POST", "/v1/contacts/"+found.Contact+"/consent", map[string]any{"channel": "email", "state": "granted"}).code(t))
}

func TestTemplates_ArePreviewedWithSamplesAndOwnTexts(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.apply()
	var seen struct{ Subject, HTML, Text string }
	s.ok("POST", "/v1/templates/hello/preview", map[string]any{}).into(t, &seen)
	require.Equal(t, "Hello", seen.Subject)
	require.Contains(t, seen.Text, "Anna: SAMPLE-2345")
	s.ok("POST", "/v1/templates/hello/preview", map[string]any{"channel": "sms", "files": map[string]string{"sms.txt": "Hi {{ trigger.item }}"}}).into(t, &seen)
	require.Equal(t, "Hi [trigger.item]", seen.Text)
	wrong := s.do("POST", "/v1/templates/hello/preview", map[string]any{"files": map[string]string{"sms.txt": "{% if %}"}})
	require.Equal(t, "invalid_template", wrong.code(t))
	for _, test := range []map[string]any{
		{"template": "hello", "to": "anna@example.com"},
		{"template": "hello", "to": "anna@example.com", "channel": "email", "variables": map[string]any{"trigger": map[string]any{"total": 80}}},
	} {
		require.Equal(t, "no_connection", s.do("POST", "/v1/send-test", test).code(t))
	}
}

func TestSignals_TakeAnIdAndALabelAndNothingElse(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, payload := range []map[string]any{{"order": "1001", "email": "anna@example.com"}, {"order": "anna@example.com"}, {"outcome": "told by Anna"}} {
		answer := s.do("POST", "/v1/journeys/jn_1/signal", map[string]any{"signal": "redeemed", "payload": payload})
		require.Equal(t, "invalid_request", answer.code(t))
		require.NotContains(t, string(answer.body), "nna")
	}
	require.Equal(t, "not_found", s.do("POST", "/v1/journeys/jn_1/signal", map[string]any{"signal": "redeemed", "payload": map[string]any{"order": "#1001"}}).code(t))
}

func TestKillSwitch_HoldsAndLetsGo(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, on := range []bool{true, false} {
		s.ok("PUT", "/v1/kill-switch", map[string]any{"on": on})
		var state struct{ On bool }
		s.ok("GET", "/v1/kill-switch", nil).into(t, &state)
		require.Equal(t, on, state.On)
	}
}

func now() time.Time { return time.Now().UTC() }
