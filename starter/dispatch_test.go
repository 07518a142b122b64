package starter

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

const recovery = `campaign: recovery
trigger:
  event: checkout.updated
  where: event.total >= 50
entry: {key: event.checkout_token}
exit:
  - event: order.created
    match: checkout_token
    as: bought
steps:
  - wait: 1h
`

func TestDispatch_StartsOneJourneyPerEntryKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	w.happens(cart("anna@example.com", "T1", 80))
	w.happens(cart("Anna@Example.com ", "T1", 90))
	w.happens(cart("anna@example.com", "T2", 20))
	require.Equal(t, 1, w.journeys())
	require.Equal(t, 1, one[int](w, `SELECT count(*) FROM contact`), "one person, however the address is written")
	require.Equal(t, []string{"already_entered", "where"}, w.refusals())
	require.Len(t, w.temporal.rows(), 1)
	require.Equal(t, store.OutboxStart, w.temporal.rows()[0].Kind)
	require.Equal(t, "running", one[string](w, `SELECT state FROM journey`))
}

func TestDispatch_TellsAJourneyOfAnotherPersonsMatchingEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	w.happens(cart("anna@example.com", "T1", 80))
	w.happens(order("anna@example.com", "T9"))
	require.Empty(t, w.signals(), "another checkout of the same person is another matter")
	w.happens(order("work@example.com", "T1"))
	require.Len(t, w.signals(), 1)
	require.Equal(t, []string{"exit.0"}, w.signals()[0].Events[0].Rules)
}

func TestDispatch_TellsOneDeliveryInOneSignalWithTheCodesEventFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `campaign: welcome
trigger: {event: contact.opted_in}
entry: once
exit:
  - event: order.created
    as: bought
steps:
  - id: decide
    await:
      - event: order.created
        where: event.total > 100
      - after: 2d
`)
	w.happens(event.Event{Type: event.ContactOptedIn, OccurredAt: noon, Person: by("anna@example.com")})
	w.coupon("ten", "TEN")
	w.exec(`INSERT INTO assignment (claim_key, coupon_id, journey_id, contact_id, batch_id, pos, single_use, state, exposed_at)
		SELECT j.id || '/ten', b.coupon_id, j.id, j.contact_id, b.id, c.pos, false, 'exposed', now()
		FROM journey j, batch b JOIN code c ON c.batch_id = b.id`)
	bought := event.Event{Type: event.OrderCreated, Person: by("anna@example.com"), Fields: map[string]any{"total": 120.0}}
	used := event.Event{Type: event.CodeRedeemed, Person: by("anna@example.com"), Code: "ten", Order: &event.Order{ID: "1001", Currency: "EUR"}}
	w.happens(used, bought)
	require.Len(t, w.signals(), 1)
	told := w.signals()[0].Events
	require.Equal(t, []string{event.CodeRedeemed, event.OrderCreated}, []string{told[0].Type, told[1].Type})
	require.Equal(t, []string{"redeemed"}, told[0].Rules)
	require.ElementsMatch(t, []string{"exit.0", "decide.0"}, told[1].Rules)

	// orders/paid tells the same use again; that is no event.
	w.happens(used)
	require.Len(t, w.signals(), 1)
	require.Equal(t, 1, one[int](w, `SELECT count(*) FROM redemption`))
	require.Equal(t, "ten", one[string](w, `SELECT fields ->> 'coupon' FROM event WHERE type = 'code.redeemed'`))
}

func TestDispatch_ACodeThatIsNotOursIsAnEventOnceAnOrderAndNobodysRedemption(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	for range 2 { // orders/create, then orders/paid
		w.happens(event.Event{Type: event.CodeRedeemed, Person: by("anna@example.com"), Code: "THEIRS", Order: &event.Order{ID: "1"}})
	}
	require.Equal(t, 1, one[int](w, `SELECT count(*) FROM event`))
	require.Zero(t, one[int](w, `SELECT count(*) FROM redemption`))
	require.Zero(t, one[int](w, `SELECT count(*) FROM delivery_queue`))
}

func TestDispatch_RefusesACartThatWasBoughtBeforeItsUpdateCameIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	w.happens(order("anna@example.com", "T1"))
	w.happens(cart("anna@example.com", "T1", 80))
	require.Zero(t, w.journeys())
	require.Equal(t, []string{"already_exited"}, w.refusals())
}

func TestDispatch_LooksAgainAtAVisitorsEventsOnceTheVisitorIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	unknown := cart("", "T1", 80)
	unknown.Person = event.Person{}
	w.happens(unknown)
	require.Zero(t, w.journeys())
	require.Empty(t, w.refusals())
	w.happens(event.Event{Type: event.ContactOptedIn, OccurredAt: noon, Person: by("anna@example.com"), Token: "T1"})
	require.Equal(t, 1, w.journeys())
	require.Zero(t, one[int](w, `SELECT count(*) FROM event WHERE contact_id IS NULL`))
	// And the other way round: the token names the person from now on.
	unknown.Fields = map[string]any{"checkout_token": "T1", "total": 10.0}
	w.happens(unknown)
	require.Zero(t, one[int](w, `SELECT count(*) FROM event WHERE contact_id IS NULL`))
}

func TestDispatch_GivesEachEventOfAWebhookToItsPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	visitor := cart("", "T1", 80)
	visitor.Person = event.Person{}
	w.happens(visitor, cart("anna@example.com", "T1", 80), cart("anna@example.com", "T1", 90), cart("anna@example.com", "T2", 90),
		cart("ben@example.com", "T3", 80), cart("anna@example.com", "T1", 90), visitor)
	require.Equal(t, []string{"anna", "anna", "anna", "anna", "ben", "anna", "anna"}, one[[]string](w, `SELECT array_agg(split_part(i.value_norm, '@', 1) ORDER BY e.ordinal)
		FROM event e JOIN identity i ON i.contact_id = e.contact_id AND i.kind = 'email'`))
	require.Equal(t, 2, one[int](w, `SELECT count(*) FROM contact`))
	require.Equal(t, 2, w.journeys())
}

func TestDispatch_BuriesWhatCannotBeUnderstoodAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	w.accept(cart("anna@example.com", "T1", 80))
	_, err := w.store.Accept(t.Context(), []store.Incoming{
		{Connection: "shop", Topic: "broken", Key: "b", Body: []byte("{")},
		{Connection: "gone", Topic: "x", Key: "c", Body: []byte("{}")},
	})
	require.NoError(t, err)
	w.accept(cart("ben@example.com", "T2", 80))
	w.dispatch()
	require.Equal(t, 2, w.journeys())
	letters, err := w.store.DeadLetters(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, letters, 2)
	require.Contains(t, letters[0].Reason, "add it to scrip.yaml and replay")
	require.Contains(t, letters[1].Reason, "broken of shop")

	w.d.Sources = sources{"shop": shop{}, "gone": shop{}}
	replayed, err := w.store.ReplayDeadLetters(t.Context(), []int64{letters[0].DeliveryID})
	require.NoError(t, err)
	require.EqualValues(t, 1, replayed)
	w.dispatch()
	left, err := w.store.DeadLetters(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestDispatch_TreatsAFailingExpressionAsFalseAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	e := cart("anna@example.com", "T1", 80)
	delete(e.Fields, "total")
	w.happens(e)
	require.Equal(t, []string{"expression_error"}, w.refusals())
}

func TestDispatch_ReadsTheVendorsPayloadOnlyWhereAConditionAsksForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `campaign: raw
trigger:
  event: checkout.updated
  where: event.raw.events[0].fields.total == 80
steps: [{wait: 1h}]
`)
	w.happens(cart("anna@example.com", "T1", 80))
	require.Equal(t, 1, w.journeys())
	seen, err := w.store.Event(t.Context(), w.store.Pool, one[string](w, `SELECT id FROM event`), true)
	require.NoError(t, err)
	require.Contains(t, seen["raw"], "events", "steps and templates see it, too")
	w.exec(`UPDATE delivery SET body = NULL`)
	seen, err = w.store.Event(t.Context(), w.store.Pool, one[string](w, `SELECT id FROM event`), true)
	require.NoError(t, err)
	require.NotContains(t, seen, "raw")
}

func TestDispatch_SuppressesWhatAVendorReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body, err := json.Marshal(event.Batch{Evidence: []event.Evidence{
		{VendorID: "v1", Status: event.StatusBounced, Suppress: event.ChannelEmail, Address: "Gone@Example.com"},
	}})
	require.NoError(t, err)
	_, err = w.store.Accept(t.Context(), []store.Incoming{{Connection: "shop", Topic: "t", Key: "e", Body: body}})
	require.NoError(t, err)
	w.dispatch()
	reason, hard, ok, err := w.store.Suppressed(t.Context(), w.store.Pool, event.ChannelEmail, "gone@example.com")
	require.NoError(t, err)
	require.True(t, ok && hard)
	require.Equal(t, "hard_bounce", reason)
	require.Zero(t, one[int](w, `SELECT count(*) FROM delivery WHERE body IS NOT NULL`), "nobody would find the address in it to erase it")
	require.Zero(t, one[int](w, `SELECT count(*) FROM delivery_queue`))
}

func TestDispatch_GoesOnWithoutAVersionThatThisBuildCannotRead(t *testing.T) {
	t.Parallel()
	const future = "campaign: future\ntrigger: {event: checkout.updated}\nexit: [{event: order.created, match: checkout_token}]\nsteps: [{wait: 1h}]\n"
	w := newWorld(t, future)
	w.happens(cart("anna@example.com", "T1", 80))
	require.Equal(t, 1, w.journeys())
	// A newer build applied the next version; this one is started anew beside it.
	w.exec(`ALTER TABLE campaign_version DISABLE TRIGGER campaign_version_immutable`)
	w.exec(`UPDATE campaign_version SET source = replace(source, 'wait: 1h', 'teleport: home')`)
	again, err := store.Open(t.Context(), w.store.Pool.Config().ConnString(), 10)
	require.NoError(t, err)
	t.Cleanup(again.Close)
	w.store = again
	w.d = w.dispatcher("second")
	w.exec(`DELETE FROM lease`)
	w.apply(recovery)

	w.happens(cart("ben@example.com", "T2", 80))
	require.Equal(t, 2, w.journeys(), "the other campaign goes on")
	require.Equal(t, []string{"unreadable_version"}, w.refusals())
	w.happens(order("work@example.com", "T1"))
	require.Equal(t, 1, one[int](w, `SELECT attempts FROM delivery_queue`), "what concerns its journey is not lost")
	for range retryPauses {
		w.exec(`UPDATE delivery_queue SET not_before = '-infinity'`)
		w.dispatch()
	}
	letters, err := w.store.DeadLetters(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Contains(t, letters[0].Reason, "version 1 of campaign future")
	start := (&Client{Store: w.store}).Start(t.Context(), store.OutboxRow{Kind: store.OutboxStart, JourneyID: one[string](w,
		`SELECT j.id FROM journey j JOIN campaign c ON c.id = j.campaign_id WHERE c.name = 'future'`)})
	require.ErrorIs(t, start, ErrHeld)
}

func TestDispatch_PutsOffWhatTheDatabaseRefusesAndBuriesItAfterItsAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	var long strings.Builder // too long for an index, however well it is compressed
	for long.Len() < 20000 {
		long.WriteString(rand.Text())
	}
	w.accept(event.Event{Type: long.String(), Person: by("anna@example.com")})
	w.accept(cart("ben@example.com", "T2", 80))
	w.dispatch()
	require.Equal(t, 1, w.journeys())
	require.Equal(t, 1, one[int](w, `SELECT attempts FROM delivery_queue`))
	require.Equal(t, 1, one[int](w, `SELECT count(*) FROM contact`), "nothing half-done")
	for range retryPauses {
		w.exec(`UPDATE delivery_queue SET not_before = '-infinity'`)
		w.dispatch()
	}
	letters, err := w.store.DeadLetters(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Contains(t, letters[0].Reason, "SQLSTATE 54000")
}
