package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

// people is a store with helpers for contacts.
type people struct {
	*testing.T
	*store.Store
}

func newPeople(t *testing.T) *people {
	t.Helper()
	s, err := store.Open(t.Context(), migrated.URL(t), 4)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return &people{t, s}
}

var noon = time.Date(2026, 9, 21, 12, 0, 0, 0, time.UTC)

func person(ids ...string) event.Person {
	p := event.Person{}
	for _, id := range ids {
		kind, value, _ := strings.Cut(id, ":")
		p.Identities = append(p.Identities, event.Identity{Kind: kind, Value: value})
	}
	return p
}

func (p *people) resolve(who event.Person, at time.Time) string {
	p.Helper()
	id, err := p.ResolveContact(p.Context(), p.Pool, "shop", who, at)
	require.NoError(p, err)
	return id
}

func (p *people) contact(id string) *store.Contact {
	p.Helper()
	c, err := p.Contact(p.Context(), p.Pool, id)
	require.NoError(p, err)
	return c
}

func (p *people) exec(sql string, args ...any) {
	p.Helper()
	_, err := p.Pool.Exec(p.Context(), sql, args...)
	require.NoError(p, err)
}

// inside puts a contact into a campaign.
func (p *people) inside(source, contactID, key string) string {
	p.Helper()
	name, _, _ := strings.Cut(strings.TrimPrefix(source, "campaign: "), "\n")
	sum := sha256.Sum256([]byte(source))
	p.exec(`INSERT INTO campaign (name, version_no) VALUES ($1, 1) ON CONFLICT DO NOTHING`, name)
	p.exec(`INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 1, $2, 1, $3 FROM campaign WHERE name = $1
		ON CONFLICT DO NOTHING`, name, source, sum[:])
	var campaignID int64
	require.NoError(p, p.Pool.QueryRow(p.Context(), `SELECT id FROM campaign WHERE name = $1`, name).Scan(&campaignID))
	e := &store.StoredEvent{ID: store.NewID(store.EventID), DeliveryID: time.Now().UnixNano(), ReceivedAt: noon, Connection: "shop", Type: "x.y",
		ContactID: contactID, OccurredAt: noon, Fields: map[string]any{"text": "private", "total": 5}}
	require.NoError(p, p.InsertEvent(p.Context(), p.Pool, e))
	id, err := p.Enter(p.Context(), p.Pool, store.Entry{CampaignID: campaignID, Version: 1, ContactID: contactID, Key: store.EntryKey(key), EventID: e.ID, Matches: [][]byte{}})
	require.NoError(p, err)
	return id
}

const welcome = "campaign: welcome\ntrigger: {event: x.y}\nentry: once\nsteps: [{wait: 1h}]\n"

func TestResolve_FindsOnePersonByAnyAddressHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	who := person("email:Anna@Example.com", "phone:0151 23456789", "external:17")
	who.Country = "DE"
	id := p.resolve(who, noon)
	require.Equal(t, id, p.resolve(person("email: anna@example.COM"), noon))
	require.Equal(t, id, p.resolve(person("phone:+4915123456789"), noon))
	require.Equal(t, id, p.resolve(person("external:17"), noon))
	other := person("external:17")
	other.Identities[0].Realm = "another-shop"
	require.NotEqual(t, id, p.resolve(other, noon))
	require.Empty(t, p.resolve(person("email:not an address", "phone:12"), noon))
	require.Equal(t, []string{"+4915123456789"}, p.contact(id).Phones)
	require.Equal(t, "Europe/Berlin", p.contact(id).Location(time.UTC).String())
}

func TestResolve_LetsTheNewestWordWinNotTheNewestArrival(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	say := func(name, state string, at time.Time) string {
		who := person("email:anna@example.com")
		who.FirstName, who.Consents = name, []event.Consent{{Channel: event.ChannelEmail, State: state}}
		return p.resolve(who, at)
	}
	say("Anna", event.Denied, noon)
	id := say("Anne", event.Granted, noon.Add(-time.Hour))
	require.Equal(t, "Anna", p.contact(id).FirstName)
	require.Equal(t, event.Denied, p.contact(id).Consents[event.ChannelEmail].State)
	say("Anne", event.Granted, noon.Add(time.Hour))
	require.Equal(t, "Anne", p.contact(id).FirstName)
	require.Equal(t, event.Granted, p.contact(id).Consents[event.ChannelEmail].State)
}

func TestMerge_KeepsOnePersonWithTheStricterConsentAndOneJourney(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	granted, denied := person("email:anna@example.com"), person("phone:+4915123456789")
	granted.Consents = []event.Consent{{Channel: event.ChannelSMS, State: event.Granted}}
	denied.Consents = []event.Consent{{Channel: event.ChannelSMS, State: event.Denied, At: noon.Add(-time.Hour)}}
	denied.Tags = []string{"gold"}
	a, b := p.resolve(granted, noon), p.resolve(denied, noon)
	require.NotEqual(t, a, b)
	first, second := p.inside(welcome, a, "once"), p.inside(welcome, b, "once")
	parallel := strings.Replace(welcome, "welcome\n", "visits\n", 1)
	parallel = strings.Replace(parallel, "entry: once", "entry: {key: event.text, while_inside: parallel}", 1)
	p.inside(parallel, a, "1")
	p.inside(parallel, b, "2")

	require.Equal(t, a, p.resolve(person("email:anna@example.com", "phone:+4915123456789"), noon))
	merged := p.contact(b)
	require.Equal(t, a, merged.ID)
	require.Equal(t, []string{"gold"}, merged.Tags)
	require.Equal(t, event.Denied, merged.Consents[event.ChannelSMS].State)
	require.Len(t, merged.Phones, 1)
	var journey, lane string
	var payload map[string]string
	require.NoError(t, p.Pool.QueryRow(t.Context(), `SELECT journey_id, contact_id, payload FROM outbox WHERE name = 'exit'`).Scan(&journey, &lane, &payload))
	require.Equal(t, second, journey)
	require.NotEqual(t, first, journey)
	require.Equal(t, a, lane)
	require.Equal(t, campaign.OutcomeMerged, payload["outcome"])

	// A third record of the same person points straight at the winner.
	c := p.resolve(person("external:9"), noon)
	require.Equal(t, a, p.resolve(person("external:9", "phone:+4915123456789"), noon))
	require.Equal(t, a, p.contact(c).ID)
	require.ElementsMatch(t, []string{b, c}, p.contact(a).Merged)
}

func TestErase_ForgetsThePersonAndKeepsTheAddressClosed(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	who := person("email:anna@example.com")
	who.FirstName, who.Attributes = "Anna", map[string]any{"birthday": "1990-01-01"}
	id := p.resolve(who, noon)
	journey := p.inside(welcome, id, "once")
	require.NoError(t, p.Suppress(t.Context(), p.Pool, event.ChannelEmail, "anna@example.com", "complaint", true, "shop", noon))
	accepted, err := p.Accept(t.Context(), []store.Incoming{{Connection: "shop", Topic: "t", Key: "1", Body: []byte("anna@example.com")}})
	require.NoError(t, err)
	p.exec(`UPDATE event SET (delivery_id, received_at) = (SELECT id, received_at FROM delivery WHERE id = $1)`, accepted[0].DeliveryID)
	failed, err := p.Accept(t.Context(), []store.Incoming{{Connection: "shop", Topic: "t", Key: "2", Body: []byte(`{"email": "anna@example.com", "broken": true}`)}})
	require.NoError(t, err)
	p.exec(`INSERT INTO dead_letter (delivery_id, received_at, connection, topic, reason) SELECT id, received_at, connection, topic, 'broken' FROM delivery WHERE id = $1`, failed[0].DeliveryID)
	p.exec(`INSERT INTO message (id, send_key, step, channel, kind, connection, state, address) VALUES ('ms_t', 'test:1', 'test', 'email', 'internal', 'email', 'accepted', 'Anna@example.com')`)

	for range 2 {
		require.NoError(t, p.EraseContact(t.Context(), p.Pool, id, "cli"))
	}
	var left int
	require.NoError(t, p.Pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM identity) + (SELECT count(*) FROM delivery WHERE body IS NOT NULL)
		+ (SELECT count(*) FROM message WHERE address <> '')
		+ (SELECT count(*) FROM contact WHERE first_name <> '' OR attributes <> '{}') + (SELECT count(*) FROM event WHERE fields ? 'text')`).Scan(&left))
	require.Zero(t, left)
	var signalled string
	require.NoError(t, p.Pool.QueryRow(t.Context(), `SELECT journey_id FROM outbox WHERE name = 'exit' AND payload ->> 'outcome' = 'erased'`).Scan(&signalled))
	require.Equal(t, journey, signalled)
	_, hard, closed, err := p.Suppressed(t.Context(), p.Pool, event.ChannelEmail, "anna@example.com")
	require.NoError(t, err)
	require.True(t, closed && hard)
	require.NotEqual(t, id, p.resolve(person("email:anna@example.com"), noon), "who comes back is somebody new")
}

func TestSuppress_IsLiftedByANewConsentUnlessItIsHard(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	ctx := t.Context()
	require.NoError(t, p.Suppress(ctx, p.Pool, event.ChannelEmail, "soft@example.com", "unsubscribed", false, "shop", noon))
	require.NoError(t, p.Suppress(ctx, p.Pool, event.ChannelEmail, "hard@example.com", "complaint", true, "shop", noon))
	require.NoError(t, p.Suppress(ctx, p.Pool, event.ChannelEmail, "hard@example.com", "unsubscribed", false, "shop", noon))
	for address, want := range map[string]bool{"soft@example.com": false, "hard@example.com": true} {
		who := person("email:" + address)
		who.Consents = []event.Consent{{Channel: event.ChannelEmail, State: event.Granted}}
		id := p.resolve(who, noon.Add(time.Hour))
		_, _, closed, err := p.Suppressed(ctx, p.Pool, event.ChannelEmail, strings.ToUpper(address))
		require.NoError(t, err)
		require.Equal(t, want, closed)
		need := campaign.Need{Func: "reachable", Args: []string{}}
		answers, err := p.Answers(ctx, p.Pool, id, []campaign.Need{need}, noon)
		require.NoError(t, err)
		require.Equal(t, !want, answers[need.Key()])
	}
}

func TestImportContacts_TakesWhatItCanAndReportsTheRestByLine(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	csv := "\uFEFFemail,first_name,tags,consent_email,consent_at,suppressed_email,attributes.size\n" +
		"anna@example.com,Anna,gold; vip,granted,2026-01-02T03:04:05Z,,M\n" +
		"ben@example.com,Ben,,maybe,,,\n" +
		"not an address,,,,,,\n" +
		"cleo@example.com,Cleo,,,,complaint,\n" +
		"dora@example.com,Dora\n"
	in := store.ContactImport{Format: store.ContactsCSV, Source: "crm", Actor: "cli"}
	report, err := p.ImportContacts(context.WithoutCancel(t.Context()), in, strings.NewReader(csv), nil)
	require.NoError(t, err)
	require.Equal(t, 2, report.Contacts)
	require.Equal(t, []int{3, 4, 6}, []int{report.Problems[0].Line, report.Problems[1].Line, report.Problems[2].Line})
	id, err := p.FindContactByText(t.Context(), "ANNA@example.com")
	require.NoError(t, err)
	anna := p.contact(id)
	require.Equal(t, []string{"gold", "vip"}, anna.Tags)
	require.Equal(t, "M", anna.CEL()["size"])
	require.Equal(t, event.Granted, anna.Consents[event.ChannelEmail].State)
	_, hard, closed, err := p.Suppressed(t.Context(), p.Pool, event.ChannelEmail, "cleo@example.com")
	require.NoError(t, err)
	require.True(t, closed && hard)

	_, err = p.ImportContacts(t.Context(), in, strings.NewReader("mail,name\n"), nil)
	require.ErrorContains(t, err, "the name of column 1 is none that is known; the first line names the columns, which are email")
}

func TestImportContacts_CountsHistoryOnce(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	line := `{"email": "anna@example.com", "external_id": "17", "history": [
		{"type": "order.paid", "occurred_at": "2026-01-02T03:04:05Z", "fields": {"total": 40}},
		{"type": "order.paid", "occurred_at": "2026-02-02T03:04:05Z", "fields": {"total": 60.5}}]}`
	in := store.ContactImport{Format: store.ContactsJSON, Source: "crm", Actor: "cli"}
	for i, want := range []int{2, 0} {
		text := line
		if i == 1 {
			text = "[" + line + "]"
		}
		report, err := p.ImportContacts(t.Context(), in, strings.NewReader(text), nil)
		require.NoError(t, err)
		require.Equal(t, want, report.Events)
		require.Equal(t, 1, report.Contacts)
	}
	id, err := p.FindContact(t.Context(), event.Identity{Kind: event.External, Realm: "crm", Value: "17"})
	require.NoError(t, err)
	needs := []campaign.Need{{Func: "count", Args: []string{"order.paid"}}, {Func: "count", Args: []string{"order.paid", "30d"}}, {Func: "sum", Args: []string{"order.paid", "total"}}}
	answers, err := p.Answers(t.Context(), p.Pool, id, needs, time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	require.Equal(t, map[string]any{needs[0].Key(): 2, needs[1].Key(): 1, needs[2].Key(): 100.5}, answers)

	export, err := p.ExportContact(t.Context(), id)
	require.NoError(t, err)
	var events []map[string]any
	require.NoError(t, json.Unmarshal(export["events"], &events))
	require.Len(t, events, 2)
}
