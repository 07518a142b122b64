package shopify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
)

func normalise(t *testing.T, topic string, body []byte) event.Batch {
	t.Helper()
	batch, err := integrations.Normalise(source(t), integrations.Delivery{Connection: "shop", Topic: topic, Body: body,
		ReceivedAt: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)})
	require.NoError(t, err)
	conformance.Batch(t, batch)
	return batch
}

func types(b event.Batch) []string {
	var names []string
	for _, e := range b.Events {
		names = append(names, strings.TrimSpace(e.Type+" "+e.Code))
	}
	return names
}

func TestCheckout_TellsOfItsCodesFirst(t *testing.T) {
	t.Parallel()
	batch := normalise(t, "checkouts/update", fixture(t, "checkout.json"))
	require.Equal(t, []string{"code.applied TEN-4711", "code.applied two-off", "checkout.updated"}, types(batch))
	e := batch.Events[2]
	require.Equal(t, "chk-7f3a", e.Token)
	require.Equal(t, time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), e.OccurredAt)
	require.Equal(t, "chk-7f3a", e.Fields["checkout_token"])
	require.Equal(t, "cart-19bd", e.Fields["cart_token"])
	require.Equal(t, 89.8, e.Fields["total"])
	require.Equal(t, 85.0, e.Fields["subtotal"])
	require.Equal(t, "EUR", e.Fields["currency"])
	require.Equal(t, 3.0, e.Fields["quantity"])
	require.Equal(t, []any{"TEN-4711", "two-off"}, e.Fields["discount_codes"])
	require.Equal(t, "https://example.myshopify.com/1/checkouts/chk-7f3a/recover?key=k", e.Fields["recovery_url"])
	require.Equal(t, map[string]any{"sku": "MUG-RED", "product_id": "501", "variant_id": "7001", "title": "Mug", "quantity": 2.0, "price": 12.5},
		e.Fields["items"].([]any)[0])
	require.NotContains(t, e.Fields, "email")
	require.Equal(t, "TEN-4711", batch.Events[0].Fields["code"])
	require.Nil(t, batch.Events[0].Order, "an applied code is in no order yet")
	require.NotContains(t, e.Fields, "code")
}

func TestCheckout_TellsWhoItIs(t *testing.T) {
	t.Parallel()
	p := normalise(t, "checkouts/update", fixture(t, "checkout.json")).Events[2].Person
	require.Equal(t, []event.Identity{
		{Kind: event.External, Realm: "shop", Value: "9001"}, {Kind: event.Email, Value: "anna@example.com"}, {Kind: event.Phone, Value: "+4915112345678"},
	}, p.Identities, "the phone of the billing address is not hers")
	require.Equal(t, "Anna", p.FirstName)
	require.Equal(t, "de-DE", p.Locale)
	require.Equal(t, "DE", p.Country)
	require.Equal(t, []string{"vip", "early bird"}, p.Tags)
	began := time.Date(2026, 11, 21, 8, 58, 0, 0, time.UTC)
	require.Equal(t, []event.Consent{
		{Channel: "email", State: event.Denied, Source: "shopify single_opt_in", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{Channel: "email", State: event.Granted, Source: "shopify checkout", At: began},
		{Channel: "sms", State: event.Granted, Source: "shopify checkout", At: began},
	}, p.Consents)
}

func TestCheckout_IsSilentOnceItIsAnOrder(t *testing.T) {
	t.Parallel()
	body := strings.Replace(string(fixture(t, "checkout.json")), `"completed_at": null`, `"completed_at": "2026-11-21T10:05:00+01:00"`, 1)
	require.Empty(t, normalise(t, "checkouts/update", []byte(body)))
}

func TestOrder_RedeemsItsCodesFirst(t *testing.T) {
	t.Parallel()
	for topic, want := range map[string]struct {
		name, code string
		minute     int
	}{
		"orders/create": {event.OrderCreated, event.CodeRedeemed, 5},
		"orders/paid":   {event.OrderPaid, event.CodeRedeemed, 6},
	} {
		batch := normalise(t, topic, fixture(t, "order.json"))
		require.Equal(t, []string{want.code + " TEN-4711", want.code + " two-off", want.name}, types(batch))
		first, last := batch.Events[0], batch.Events[2]
		require.Equal(t, "820001", first.Order.ID)
		require.Equal(t, "79.8", first.Order.Total.String())
		require.Equal(t, "8", first.Order.Discount.String(), "what this code took off")
		require.Equal(t, "10", last.Order.Discount.String(), "what all of them took off")
		require.Equal(t, "chk-7f3a", last.Token)
		require.Equal(t, "820001", last.Fields["order_id"])
		require.Equal(t, 1001.0, last.Fields["order_number"])
		require.Equal(t, "paid", last.Fields["financial_status"])
		require.Equal(t, false, last.Fields["order"].(map[string]any)["recurring"])
		require.Equal(t, time.Date(2026, 11, 21, 9, want.minute, 0, 0, time.UTC), last.OccurredAt)
		require.Empty(t, last.Person.Consents, "a box left unticked takes nothing back")
	}
}

func TestOrder_RenewingASubscriptionIsRecurring(t *testing.T) {
	t.Parallel()
	body := strings.Replace(string(fixture(t, "order.json")), `"source_name": "web"`, `"source_name": "subscription_contract"`, 1)
	batch := normalise(t, "orders/paid", []byte(body))
	require.Equal(t, true, batch.Events[2].Fields["recurring"])
}

func TestOrder_GivesItsCodesBackWhenCancelledOrWhollyRefunded(t *testing.T) {
	t.Parallel()
	body := string(fixture(t, "order.json"))
	rolledBack := []string{"code.rolled_back TEN-4711", "code.rolled_back two-off"}
	cancelled := strings.Replace(body, `"cancelled_at": null`, `"cancelled_at": "2026-11-21T11:00:00+01:00"`, 1)
	batch := normalise(t, "orders/cancelled", []byte(cancelled))
	require.Equal(t, append(rolledBack, "order.cancelled"), types(batch))
	require.Equal(t, time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), batch.Events[0].OccurredAt)

	status := func(s string) []byte {
		return []byte(strings.Replace(body, `"financial_status": "paid"`, `"financial_status": "`+s+`"`, 1))
	}
	require.Equal(t, rolledBack, types(normalise(t, "orders/updated", status("refunded"))))
	require.Equal(t, rolledBack, types(normalise(t, "orders/updated", status("voided"))))
	require.Empty(t, types(normalise(t, "orders/updated", status("partially_refunded"))))
	require.Empty(t, types(normalise(t, "orders/updated", status("paid"))))
}

func TestRefund_TellsOfWhichOrderAndHowMuch(t *testing.T) {
	t.Parallel()
	batch := normalise(t, "refunds/create", []byte(`{"id": 5, "order_id": 820001, "created_at": "2026-11-22T10:00:00Z",
		"refund_line_items": [{"quantity": 1}],
		"transactions": [{"kind": "refund", "status": "success", "amount": "12.50", "currency": "EUR"},
			{"kind": "refund", "status": "failure", "amount": "99.00", "currency": "EUR"}]}`))
	require.Equal(t, []string{"order.refunded"}, types(batch))
	require.Equal(t, "820001", batch.Events[0].Order.ID)
	require.Equal(t, 12.5, batch.Events[0].Fields["amount"])
	require.Equal(t, "EUR", batch.Events[0].Fields["currency"])
}

func TestConsent_IsAnEventOfItsChannel(t *testing.T) {
	t.Parallel()
	for state, want := range map[string][]string{
		"subscribed": {event.ContactOptedIn}, "unsubscribed": {event.ContactOptedOut}, "pending": {event.OptInRequested},
		"not_subscribed": nil, "redacted": nil,
	} {
		email := normalise(t, "customers_email_marketing_consent/update", []byte(`{"customer_id": 9001, "email_address": "anna@example.com",
			"email_marketing_consent": {"state": "`+state+`", "opt_in_level": "confirmed_opt_in", "consent_updated_at": "2026-11-21T10:00:00Z"}}`))
		require.Equal(t, want, types(email), state)
		sms := normalise(t, "customers_marketing_consent/update", []byte(`{"id": 9001, "phone": "+4915112345678",
			"sms_marketing_consent": {"state": "`+state+`", "opt_in_level": "single_opt_in", "consent_updated_at": null, "consent_collected_from": "SHOPIFY"}}`))
		require.Equal(t, want, types(sms), state)
		if want == nil {
			continue
		}
		require.Equal(t, "email", email.Events[0].Fields["channel"])
		require.Equal(t, event.Identity{Kind: event.External, Realm: "shop", Value: "9001"}, email.Events[0].Person.Identities[0])
		require.Equal(t, time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), email.Events[0].Person.Consents[0].At)
		require.Equal(t, "sms", sms.Events[0].Person.Consents[0].Channel)
		require.Equal(t, "+4915112345678", sms.Events[0].Person.Identities[1].Value)
		require.False(t, sms.Events[0].Person.Consents[0].At.IsZero())
	}
}

func TestCustomer_UpdatesTheContact(t *testing.T) {
	t.Parallel()
	batch := normalise(t, "customers/update", []byte(`{"id": 9001, "email": "anna@example.com", "phone": "+4915112345678",
		"first_name": "Anna", "tags": "vip", "orders_count": 3, "total_spent": "199.65", "updated_at": "2026-11-21T10:00:00Z",
		"default_address": {"country_code": "de"}}`))
	require.Equal(t, []string{event.ContactUpdated}, types(batch))
	require.Equal(t, "DE", batch.Events[0].Person.Country)
	require.Equal(t, 199.65, batch.Events[0].Fields["total_spent"])
}

func TestCustomer_AConsentWithoutATimeIsAsOldAsTheRecord(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]time.Time{
		`"created_at": "2020-01-02T03:04:05Z", "email_marketing_consent": {"state": "subscribed", "consent_updated_at": null}`:                   time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC),
		`"created_at": "2020-01-02T03:04:05Z", "email_marketing_consent": {"state": "subscribed", "consent_updated_at": "2026-01-01T00:00:00Z"}`: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		`"email_marketing_consent": {"state": "subscribed"}`:                                                                                     time.Unix(0, 0).UTC(),
	} {
		batch := normalise(t, "customers/update", []byte(`{"id": 9001, "updated_at": "2026-11-21T10:00:00Z", `+body+`}`))
		require.Equal(t, want, batch.Events[0].Person.Consents[0].At)
	}
}

func TestPrivacy_IsPassedOn(t *testing.T) {
	t.Parallel()
	customer := `{"shop_domain": "example.myshopify.com", "customer": {"id": 9001, "email": "anna@example.com", "phone": null}, "data_request": {"id": 77}}`
	for topic, want := range map[string]string{
		"customers/data_request": integrations.PrivacyDataRequested, "customers/redact": integrations.PrivacyRedact, "shop/redact": integrations.PrivacyShopRedact,
	} {
		batch := normalise(t, topic, []byte(customer))
		require.Equal(t, []string{want}, types(batch))
		require.Len(t, batch.Events[0].Person.Identities, 2)
	}
	_, err := source(t).Normalise(integrations.Delivery{Topic: "customers/redact", Body: []byte(`{}`)})
	require.Error(t, err, "a request about nobody has to be looked at")
}

func TestNormalise_LeavesOtherTopicsAlone(t *testing.T) {
	t.Parallel()
	require.Empty(t, normalise(t, "products/create", []byte(`{"id": 1}`)))
}

func TestNormalise_TakesOddValuesForMissingOnes(t *testing.T) {
	t.Parallel()
	batch := normalise(t, "orders/paid", []byte(`{"id": "820001", "total_price": 1e999999999, "currency": null, "order_number": "x",
		"created_at": "yesterday", "discount_codes": [{"code": null}, {"code": 4711, "amount": "abc"}], "test": "yes", "customer": null}`))
	require.Equal(t, []string{"code.redeemed 4711", "order.paid"}, types(batch))
	require.True(t, batch.Events[1].Order.Total.IsZero())
}

func TestNormalise_ReadsShopifysOwnBodies(t *testing.T) {
	t.Parallel()
	batch := normalise(t, "checkouts/update", conformance.Samples(t, "shopify/checkouts_update.body.json"))
	require.Equal(t, []string{"code.applied TENOFF", "checkout.updated"}, types(batch))
	require.Equal(t, "2a1ace52255252df566af0faaedfbfa7", batch.Events[1].Token)
	require.Equal(t, 379.69, batch.Events[1].Fields["total"])
	batch = normalise(t, "orders/paid", conformance.Samples(t, "shopify/orders_paid.body.json"))
	require.Equal(t, []string{"code.redeemed TENOFF", "order.paid"}, types(batch))
	require.Equal(t, "598.94", batch.Events[0].Order.Total.String())
	require.Equal(t, "10", batch.Events[0].Order.Discount.String())
	require.Equal(t, "bd5a8aa1ecd019dd3520ff791ee3a24c", batch.Events[1].Token)
	require.Equal(t, "Bob", batch.Events[1].Person.FirstName)
}
