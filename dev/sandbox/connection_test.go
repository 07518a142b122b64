package sandbox_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/shopify"
)

// connect makes Scrip's own Shopify connection to the sandbox.
func (h *harness) connect() any {
	settings, err := yaml.Marshal(map[string]any{
		"shop": h.secrets.ShopifyDomain, "client_secret": h.secrets.ShopifyClientKey,
		"client_id": h.secrets.ShopifyClientID, "base_url": h.base + "/sandbox/api/shopify",
	})
	require.NoError(h.t, err)
	connection, err := shopify.New(integrations.Settings{
		Name: "shop", Now: time.Now, HTTP: integrations.NewHTTPClient(integrations.HTTPOptions{}),
		Decode: func(into any) error { return yaml.Unmarshal(settings, into) },
	})
	require.NoError(h.t, err)
	return connection
}

func TestConnection_IssuesAndWithdrawsItsCodes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	issuer := h.connect().(integrations.Issuer)
	require.NoError(t, issuer.(integrations.Checker).Check(t.Context()))

	offer := integrations.Offer{Coupon: "tea-10", Percentage: decimal.NewFromInt(10), Currency: "EUR", PerContact: 1, StartsAt: time.Now().Add(-time.Minute)}
	id, err := issuer.Issue(t.Context(), offer, "TEA-A1")
	require.NoError(t, err)
	offer.ExternalID = id
	for range 2 {
		again, err := issuer.Issue(t.Context(), offer, "TEA-A2")
		require.NoError(t, err)
		require.Equal(t, id, again)
	}
	require.Contains(t, h.buy(h.visitor(), "TEA-A2"), "is paid")

	for _, more := range []string{"TEA-A3", "TEA-A4", "TEA-A5", "TEA-A6", "TEA-A7"} {
		_, err := issuer.Issue(t.Context(), offer, more)
		require.NoError(t, err)
	}
	for _, withdrawn := range []string{"TEA-A1", "TEA-A1", "TEA-A7"} { // one of many is found by its name
		require.NoError(t, issuer.Withdraw(t.Context(), offer, withdrawn))
	}
	require.Equal(t, map[string]string{"TEA-A2": id, "TEA-A3": id, "TEA-A4": id, "TEA-A5": id, "TEA-A6": id}, h.Codes())
	c := h.visitor()
	h.press(c, "/sandbox/shop/cart", url.Values{"sku": {"POT-CAST"}, "quantity": {"1"}})
	require.Contains(t, h.press(c, "/sandbox/shop/code", url.Values{"code": {"TEA-A1"}}), "isn&#39;t valid")
}

func TestShop_SendsFreeWithACodeForShipping(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.graphql(`mutation($in: DiscountCodeFreeShippingInput!) {
	  discountCodeFreeShippingCreate(freeShippingCodeDiscount: $in) { codeDiscountNode { id } userErrors { code } } }`,
		map[string]any{"in": map[string]any{"title": "free", "code": "SHIP-1", "startsAt": "2026-01-01T00:00:00Z",
			"context": map[string]any{"all": "ALL"}, "destination": map[string]any{"all": true}}})
	h.buy(h.visitor(), "SHIP-1")
	hooks := h.got()
	paid := slices.Index(topics(hooks), "orders/paid") // the hooks of two actions may overtake each other
	require.Equal(t, "37.80", object(t, hooks[paid].body)["total_price"])
}

func TestConnection_UnderstandsEveryWebhookOfTheShop(t *testing.T) {
	t.Parallel()
	for _, family := range []string{"classic", "events", "both"} {
		t.Run(family, func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			connection := h.connect()
			changes, err := connection.(integrations.Reconciler).Reconcile(t.Context(), h.base+"/hooks/shop")
			require.NoError(t, err)
			require.NotEmpty(t, changes)
			changes, err = connection.(integrations.Reconciler).Reconcile(t.Context(), h.base+"/hooks/shop")
			require.NoError(t, err)
			require.Empty(t, changes, "a second time there is nothing to change")

			h.makeDiscount("TEA-1")
			c := h.visitor()
			h.press(c, "/sandbox/shop/signature", url.Values{"family": {family}})
			page := h.buy(c, "TEA-1")
			_, rest, _ := strings.Cut(page, "/sandbox/shop/orders/")
			id, _, _ := strings.Cut(rest, "/")
			h.press(c, "/sandbox/shop/orders/"+id+"/refund", nil)
			h.press(c, "/sandbox/shop/orders/"+id+"/cancel", nil)

			types := map[string]bool{}
			for _, e := range h.normalised(connection.(integrations.Source)) {
				types[e.Type] = true
			}
			for _, want := range []string{event.CheckoutUpdated, event.CodeApplied, event.CodeRedeemed, event.OrderCreated, event.OrderPaid, event.OrderCancelled, event.OrderRefunded, event.ContactOptedIn} {
				require.True(t, types[want], "%s in %v", want, types)
			}
		})
	}
}

// normalised takes every webhook as Scrip would.
func (h *harness) normalised(source integrations.Source) (events []event.Event) {
	for _, hook := range h.got() {
		topic := strings.TrimPrefix(hook.url, h.base+"/hooks/shop/")
		address, err := url.Parse(hook.url)
		require.NoError(h.t, err)
		receipt, err := source.Receive(integrations.Request{Method: "POST", URL: address, Topic: topic, Header: hook.header, Body: hook.body, At: time.Now()})
		require.NoError(h.t, err, topic)
		batch, err := source.Normalise(integrations.Delivery{
			Connection: "shop", Topic: receipt.Topic, Meta: receipt.Meta, Body: hook.body, SentAt: receipt.SentAt, ReceivedAt: time.Now(),
		})
		require.NoError(h.t, err, topic)
		events = append(events, batch.Events...)
		for _, e := range batch.Events {
			_, err := json.Marshal(e)
			require.NoError(h.t, err)
		}
	}
	return events
}
