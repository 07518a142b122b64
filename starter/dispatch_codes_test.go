package starter

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

const (
	// holding takes people in when they opt in, and listens to what becomes of codes.
	holding = `campaign: holding
trigger: {event: contact.opted_in}
entry: {while_inside: parallel}
exit: [{event: [code.rolled_back, code.expired], as: over}]
steps: [{wait: 1h}]
`
	thanks = `campaign: thanks
trigger:
  event: code.redeemed
  where: event.code == "TEN" && !event.order.recurring && event.order.total > 50.0
entry: once
steps: [{wait: 1h}]
`
)

// give has a contact enter `holding` and gives the journey a code that was seen.
func (w *world) give(email, coupon string) (journeyID, code string) {
	w.Helper()
	w.happens(event.Event{Type: event.ContactOptedIn, OccurredAt: noon, Person: by(email)})
	var contactID string
	require.NoError(w, w.store.Pool.QueryRow(w.Context(), `SELECT j.id, j.contact_id FROM journey j JOIN identity i ON i.contact_id = j.contact_id
		WHERE i.value_norm = $1 ORDER BY j.created_at DESC LIMIT 1`, email).Scan(&journeyID, &contactID))
	got, err := w.store.Claim(w.Context(), store.Claim{Key: store.ClaimKey(journeyID, coupon, 0), Coupon: coupon, JourneyID: journeyID, ContactID: contactID})
	require.NoError(w, err)
	require.Equal(w, store.ClaimAssigned, got.Status)
	require.NoError(w, w.store.Expose(w.Context(), w.store.Pool, got.Assignment.ID))
	return journeyID, got.Assignment.Code
}

// told gives the types of the events that a journey was told of.
func (w *world) told(journeyID string) []string {
	w.Helper()
	w.dispatch()
	w.deliver()
	types := []string{}
	for _, row := range w.temporal.rows() {
		if row.JourneyID == journeyID && row.Name == "events" {
			types = append(types, one[string](w, `SELECT type FROM event WHERE id = $1`, eventID(w, row)))
		}
	}
	return types
}

func paid(id, total string) *event.Order {
	return &event.Order{ID: id, Total: decimal.RequireFromString(total), Discount: decimal.NewFromInt(8), Currency: "EUR"}
}

func TestDispatch_AUseThatScripWasAskedForReachesJourneysAndTriggersOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holding, thanks)
	w.coupon("ten", "TEN")
	holder, code := w.give("anna@example.com", "ten")
	use := store.Use{Code: code, ContactID: one[string](w, `SELECT contact_id FROM journey`), Source: "api", Order: paid("1001", "72.50")}
	for range 2 {
		_, err := w.store.Redeem(t.Context(), use)
		require.NoError(t, err)
	}
	require.Equal(t, []string{event.CodeRedeemed}, w.told(holder))
	// The shop's webhook tells the same use.
	w.happens(event.Event{Type: event.CodeRedeemed, Person: by("anna@example.com"), Code: "TEN", Order: paid("1001", "72.50")})
	require.Equal(t, []string{event.CodeRedeemed}, w.told(holder))
	require.Equal(t, 2, w.journeys(), "the holder's, and the one that the use started")
	require.Equal(t, 1, one[int](w, `SELECT count(*) FROM redemption`))
	require.Empty(t, w.refusals())

	for range 2 {
		_, err := w.store.Unredeem(t.Context(), store.RollBackRequest{OrderKey: "1001", Code: code})
		require.NoError(t, err)
	}
	require.Equal(t, []string{event.CodeRedeemed, event.CodeRolledBack}, w.told(holder))
}

func TestDispatch_AnOrderThatIsTakenBackTellsOfEachOfItsCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holding)
	w.coupon("ten", "TEN")
	w.coupon("five", "FIVE")
	anna, _ := w.give("anna@example.com", "ten")
	ben, _ := w.give("ben@example.com", "five")
	for email, code := range map[string]string{"anna@example.com": "TEN", "ben@example.com": "FIVE"} {
		w.happens(event.Event{Type: event.CodeRedeemed, Person: by(email), Code: code, Order: paid("7", "90")})
	}
	w.happens(event.Event{Type: event.CodeRolledBack, Order: &event.Order{ID: "7"}})
	require.Equal(t, 2, one[int](w, `SELECT count(*) FROM event WHERE type = 'code.rolled_back'`))
	require.Zero(t, one[int](w, `SELECT count(*) FROM redemption WHERE state = 'redeemed'`))
	require.Contains(t, w.told(ben), event.CodeRolledBack)
	require.Contains(t, w.told(anna), event.CodeRolledBack)
}

// A shop tells of a guest's order by the code in it and the checkout alone.
func TestDispatch_WhoeverHoldsTheCodeInACheckoutIsWhoTheCheckoutIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "campaign: holding\ntrigger: {event: contact.opted_in}\nexit: [{event: order.created, as: bought}]\nsteps: [{wait: 1h}]\n")
	file, problems := parseCoupon("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\n")
	require.NotNil(t, file, problems)
	_, err := w.store.ApplyCoupon(t.Context(), w.store.Pool, file)
	require.NoError(t, err)
	_, err = w.store.ImportCodes(t.Context(), store.ImportCodes{Coupon: "gift", Format: "lines"}, strings.NewReader("AAAA"), nil)
	require.NoError(t, err)
	journey, code := w.give("anna@example.com", "gift")
	w.happens(event.Event{Type: event.CodeRedeemed, OccurredAt: noon, Token: "T1", Code: code, Order: paid("7", "90")},
		event.Event{Type: event.OrderCreated, OccurredAt: noon, Token: "T1", Fields: map[string]any{"checkout_token": "T1", "order_id": "7"}})
	require.Zero(t, one[int](w, `SELECT count(*) FROM event WHERE contact_id IS NULL`))
	told := w.temporal.rows()
	require.Contains(t, string(told[len(told)-1].Payload), `"rules": ["exit.0"]`, "her journey hears of the order")
	require.Equal(t, journey, told[len(told)-1].JourneyID)
}

func TestDispatch_ACodesEventsConcernOnlyTheJourneysThatHoldIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holding, "campaign: bystander\ntrigger: {event: contact.opted_in}\nexit: [{event: code.applied, as: over}]\nsteps: [{wait: 1h}]\n")
	w.coupon("ten", "TEN")
	w.give("anna@example.com", "ten")
	bystander := one[string](w, `SELECT j.id FROM journey j JOIN campaign c ON c.id = j.campaign_id WHERE c.name = 'bystander'`)
	w.happens(event.Event{Type: event.CodeApplied, Person: by("anna@example.com"), Code: "TEN"})
	require.Equal(t, 1, one[int](w, `SELECT count(*) FROM event WHERE type = 'code.applied'`))
	require.Empty(t, w.told(bystander))
}

func TestDispatch_AnExpiryConcernsTheClaimThatEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holding)
	w.coupon("ten", "TEN")
	first, _ := w.give("anna@example.com", "ten")
	second, _ := w.give("anna@example.com", "ten")
	require.NotEqual(t, first, second)
	w.exec(`UPDATE assignment SET expires_at = now() - interval '1 hour' WHERE journey_id = $1`, first)
	_, err := w.store.RaiseExpired(t.Context(), campaign.Clock{})
	require.NoError(t, err)
	require.Equal(t, []string{event.CodeExpired}, w.told(first))
	require.Empty(t, w.told(second), "its own claim of the shared code goes on")
}

func TestDispatch_StoresWhatBefallsACouponAndStartsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "campaign: full\ntrigger: {event: coupon.limit_reached}\nsteps: [{notify: {growth: full}}]\n")
	file, problems := parseCoupon("coupon: few\ndiscount: {percentage: 10}\ncodes: {shared: FEW, max_uses: 1}\n")
	require.NotNil(t, file, problems)
	_, err := w.store.ApplyCoupon(t.Context(), w.store.Pool, file)
	require.NoError(t, err)
	_, err = w.store.Redeem(t.Context(), store.Use{Code: "FEW", Source: "api", Order: paid("1", "90")})
	require.NoError(t, err)
	w.dispatch()
	require.Equal(t, "few", one[string](w, `SELECT fields ->> 'coupon' FROM event WHERE type = 'coupon.limit_reached'`))
	require.Zero(t, w.journeys())
	require.Equal(t, []string{"no_contact"}, w.refusals())
}

func TestDispatch_OptingInAnewLiftsAnUnsubscriptionAndALateOneIsOldNews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	closed := func() bool {
		_, _, closed, err := w.store.Suppressed(t.Context(), w.store.Pool, event.ChannelSMS, "+4915112345678")
		require.NoError(t, err)
		return closed
	}
	stop := func(status string, at time.Time) {
		w.evidence(event.Evidence{VendorID: "SM1", Status: status, At: at, Suppress: event.ChannelSMS, Address: "+4915112345678"})
	}
	start := func(at time.Time) {
		w.happens(event.Event{Type: event.ContactOptedIn, OccurredAt: at, Person: event.Person{
			Identities: []event.Identity{{Kind: event.Phone, Value: "+4915112345678"}},
			Consents:   []event.Consent{{Channel: event.ChannelSMS, State: event.Granted, Source: "START", At: at}},
		}})
	}
	stop(event.StatusUnsubscribed, noon)
	require.True(t, closed())
	start(noon.Add(time.Minute))
	require.False(t, closed())
	stop(event.StatusUnsubscribed, noon.Add(-time.Minute))
	require.False(t, closed(), "the person opted in since")
	stop(event.StatusBounced, noon.Add(-time.Minute))
	start(noon.Add(time.Hour))
	require.True(t, closed(), "no word of the person opens a number that doesn't exist")
}

func TestDispatch_ErasesForAPrivacyRequestAndListsWhatAPersonHasToAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	w.happens(cart("anna@example.com", "T1", 80))
	contactID := one[string](w, `SELECT id FROM contact`)
	w.happens(event.Event{Type: integrations.PrivacyDataRequested, Person: by("anna@example.com"), Fields: map[string]any{"request_id": "9"}})
	detail := one[map[string]any](w, `SELECT detail FROM audit WHERE action = $1`, integrations.PrivacyDataRequested)
	require.Equal(t, []any{contactID}, detail["contacts"])
	require.Equal(t, "9", detail["request"])
	w.happens(event.Event{Type: integrations.PrivacyShopRedact})
	require.Equal(t, 1, one[int](w, `SELECT count(*) FROM audit WHERE action = $1`, integrations.PrivacyShopRedact))

	w.happens(event.Event{Type: integrations.PrivacyRedact, Person: by("anna@example.com")})
	require.True(t, one[bool](w, `SELECT erased_at IS NOT NULL FROM contact`))
	require.Zero(t, one[int](w, `SELECT count(*) FROM identity`))
	require.Contains(t, string(w.temporal.rows()[len(w.temporal.rows())-1].Payload), campaign.OutcomeErased)
}
