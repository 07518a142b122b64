package starter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/workflows"
)

const debounced = `campaign: recovery
trigger:
  event: checkout.updated
  where: event.total >= 50
  debounce: 1h
entry: {key: event.checkout_token}
exit:
  - event: order.created
    match: checkout_token
    as: bought
steps:
  - wait: 1h
`

func (w *world) pending() int { return one[int](w, `SELECT count(*) FROM pending_entry`) }

// quiet lets the debounce of all entries pass.
func (w *world) quiet() {
	w.exec(`UPDATE pending_entry SET due_at = now()`)
	w.dispatch()
	w.deliver()
}

func TestDebounce_EntersOnceWithTheNewestEventAfterTheQuietTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, debounced)
	w.happens(cart("anna@example.com", "T1", 60))
	w.happens(cart("anna@example.com", "T1", 70))
	older := cart("anna@example.com", "T1", 10)
	older.OccurredAt = noon.Add(-time.Hour)
	w.happens(older)
	require.Equal(t, 1, w.pending())
	require.Zero(t, w.journeys())
	require.Empty(t, w.temporal.rows(), "carts that convert cost Temporal nothing")
	w.quiet()
	require.Equal(t, 1, w.journeys())
	require.Zero(t, w.pending())
	require.EqualValues(t, 70, one[float64](w, `SELECT (e.fields ->> 'total')::float8 FROM journey j JOIN event e ON e.id = j.trigger_event_id`))
}

func TestDebounce_AsksTheTriggersConditionAgainAtTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, debounced)
	w.happens(cart("anna@example.com", "T1", 60))
	w.happens(cart("anna@example.com", "T1", 10))
	w.quiet()
	require.Zero(t, w.journeys())
	require.Equal(t, []string{"where"}, w.refusals())
}

func TestDebounce_EndsWithAnExitWhoeversEventItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, debounced)
	w.happens(cart("anna@example.com", "T1", 60))
	w.happens(order("anna@example.com", "T2"))
	require.Equal(t, 1, w.pending())
	w.happens(order("work@example.com", "T1"))
	require.Zero(t, w.pending())
	require.Equal(t, []string{"exited"}, w.refusals())
}

func TestDebounce_IsAtMostAWeekLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, debounced)
	w.happens(cart("anna@example.com", "T1", 60))
	w.exec(`UPDATE pending_entry SET first_at = now() - interval '7 days'`)
	w.happens(cart("anna@example.com", "T1", 60))
	require.Equal(t, 1, w.journeys())
}

func TestDebounce_PassesOnTheDevelopmentClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, debounced)
	w.d.Clock = campaign.Clock{Start: time.Now(), Scale: 3600}
	w.happens(cart("anna@example.com", "T1", 60))
	left := one[float64](w, `SELECT extract(epoch FROM due_at - now())::float8 FROM pending_entry`)
	require.LessOrEqual(t, left, 1.0)
}

func TestDebounce_HoldsTheEntryWhileTheCampaignIsPaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, debounced)
	w.happens(cart("anna@example.com", "T1", 60))
	w.exec(`UPDATE campaign SET state = 'paused'`)
	w.quiet()
	require.Equal(t, 1, w.pending())
	w.happens(cart("ben@example.com", "T2", 60))
	require.Equal(t, []string{"paused"}, w.refusals())
	w.exec(`UPDATE campaign SET state = 'running'`)
	w.quiet()
	require.Equal(t, 1, w.journeys())
}

// inside is a campaign with a policy for contacts who are inside already.
func inside(entry string) string {
	return "campaign: visits\ntrigger: {event: shop.visited}\nentry: {" + entry + "}\nsteps: [{wait: 1h}]\n"
}

func visit(n string) event.Event {
	return event.Event{Type: "shop.visited", OccurredAt: noon, Person: by("anna@example.com"), Fields: map[string]any{"n": n}}
}

func TestEntry_AppliesThePolicyForContactsInside(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]struct {
		journeys int
		refusals []string
		signal   string
	}{
		"ignore":   {1, []string{"inside"}, ""},
		"update":   {1, []string{}, workflows.SignalTrigger},
		"restart":  {2, []string{}, workflows.SignalExit},
		"parallel": {2, []string{}, ""},
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, inside("key: event.n, while_inside: "+policy))
			w.happens(visit("1"))
			w.happens(visit("2"))
			require.Equal(t, want.journeys, w.journeys())
			require.Equal(t, want.refusals, w.refusals())
			signal := ""
			for _, row := range w.temporal.rows() {
				signal += row.Name
			}
			require.Equal(t, want.signal, signal)
			if policy == "update" {
				require.Equal(t, "2", one[string](w, `SELECT e.fields ->> 'n' FROM journey j JOIN event e ON e.id = j.trigger_event_id`))
			}
		})
	}
}

func TestEntry_KeepsTheCooldownFromTheLastEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inside("key: event.n, cooldown: 30d"))
	w.happens(visit("1"))
	w.exec(`UPDATE journey SET state = 'ended', outcome = 'completed', ended_at = now()`)
	w.happens(visit("2"))
	require.Equal(t, []string{"cooldown"}, w.refusals())
	w.exec(`UPDATE campaign_entry SET last_entered_at = now() - interval '31 days'`)
	w.happens(visit("3"))
	require.Equal(t, 2, one[int](w, `SELECT max(entry_no) FROM journey`))
}

func TestEntry_OnceMeansOncePerPersonForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "campaign: welcome\ntrigger: {event: shop.visited}\nentry: once\nsteps: [{wait: 1h}]\n")
	w.happens(visit("1"))
	w.exec(`UPDATE journey SET state = 'ended', outcome = 'completed', ended_at = now()`)
	w.happens(visit("2"))
	require.Equal(t, 1, w.journeys())
	require.Equal(t, []string{"already_entered"}, w.refusals())
}

func TestEntry_BelongsToTheContactThatTheTriggerPointsAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "campaign: referral\ntrigger: {event: referral.completed, contact: event.advocate_id}\nentry: {key: event.friend_id}\nsteps: [{wait: 1h}]\n")
	advocate, err := w.store.ResolveContact(t.Context(), w.store.Pool, "shop",
		event.Person{Identities: []event.Identity{{Kind: event.External, Value: "17"}}}, noon)
	require.NoError(t, err)
	completed := event.Event{Type: "referral.completed", Person: by("friend@example.com"), Fields: map[string]any{"advocate_id": 17, "friend_id": "f1"}}
	w.happens(completed)
	require.Equal(t, advocate, one[string](w, `SELECT contact_id FROM journey`))
	completed.Fields = map[string]any{"advocate_id": "nobody", "friend_id": "f2"}
	w.happens(completed)
	require.Equal(t, []string{"no_contact"}, w.refusals())
}

func TestEntry_StartsManualCampaignsByHandOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "campaign: sorry\ntrigger: manual\nsteps: [{wait: 1h}]\n", inside("key: event.n"))
	id, err := w.store.ResolveContact(t.Context(), w.store.Pool, "shop", by("anna@example.com"), noon)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, w.store.RaiseManualStart(t.Context(), w.store.Pool, "sorry", id, "ticket-1", map[string]any{"ticket": 1}))
	}
	w.dispatch()
	require.Equal(t, 1, w.journeys())
	require.Equal(t, "sorry", one[string](w, `SELECT c.name FROM journey j JOIN campaign c ON c.id = j.campaign_id`))
}

func TestEntry_CountsImportedHistoryWithoutStartingAnything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `campaign: loyal
trigger:
  event: order.paid
  where: contact.count("order.paid") >= 3 && contact.sum("order.paid", "total") > 100.0
entry: once
steps: [{wait: 1h}]
`)
	id, err := w.store.ResolveContact(t.Context(), w.store.Pool, "shop", by("anna@example.com"), noon)
	require.NoError(t, err)
	for i := range 2 {
		w.exec(`INSERT INTO event (id, delivery_id, received_at, ordinal, connection, type, contact_id, occurred_at, fields, imported)
			VALUES ($1, 0, now(), $2, 'import', 'order.paid', $3, now() - interval '90 days', '{"total": 40}', true)`, store.NewID(store.EventID), i, id)
	}
	w.dispatch()
	require.Zero(t, w.journeys())
	w.happens(event.Event{Type: event.OrderPaid, Person: by("anna@example.com"), Fields: map[string]any{"total": 40.0}})
	require.Equal(t, 1, w.journeys())
}

func TestEntry_IsRefusedByAnEarlierExitWithADottedField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `campaign: reward
trigger: {event: referral.completed}
exit: [{event: order.cancelled, match: order.id, as: returned}]
steps: [{wait: 1h}]
`)
	fields := map[string]any{"order": map[string]any{"id": 17.0}}
	w.happens(event.Event{Type: event.OrderCancelled, OccurredAt: noon, Person: by("friend@example.com"), Fields: fields})
	w.happens(event.Event{Type: "referral.completed", OccurredAt: noon.Add(-time.Minute), Person: by("anna@example.com"), Fields: fields})
	require.Equal(t, []string{"already_exited"}, w.refusals())
}

func TestEntry_ItsKeyStaysThatOfTheEntryWhenTheTriggerIsUpdated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `campaign: visits
trigger: {event: shop.visited}
entry: {key: event.n, while_inside: update}
exit: [{event: shop.left, where: entry.key == "1" && trigger.n == "2" && entry.number == 1, as: left}]
steps: [{wait: 1h}]
`)
	w.happens(visit("1"))
	w.happens(visit("2"))
	w.happens(event.Event{Type: "shop.left", OccurredAt: noon.Add(time.Minute), Person: by("anna@example.com")})
	require.Len(t, w.signals(), 1)
}
