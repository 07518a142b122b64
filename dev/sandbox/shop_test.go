package sandbox_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
)

func TestShop_TellsOfACartOnceItKnowsWhoseItIs(t *testing.T) {
	t.Parallel()
	h := setup(t)
	c := h.visitor()
	h.press(c, "/sandbox/shop/cart", url.Values{"sku": {"TEA-ASSAM"}, "quantity": {"1"}, "add": {"1"}})
	require.Empty(t, h.got())
	h.press(c, "/sandbox/shop/details", url.Values{"email": {"anna@example.com"}, "accepts_email": {"on"}})
	require.Equal(t, []string{"customers_email_marketing_consent/update", "checkouts/update"}, topics(h.got()))

	page := h.press(c, "/sandbox/shop/abandon", nil)
	require.Contains(t, page, "left behind")
	hooks := h.got()
	last := object(t, hooks[len(hooks)-1].body)
	require.Equal(t, "anna@example.com", last["email"])
	require.Equal(t, true, last["buyer_accepts_marketing"])
	require.Equal(t, "23.80", last["total_price"], "one tea and its shipping")
	require.Nil(t, last["completed_at"])
	require.Equal(t, h.base+"/hooks/shop/checkouts/update", hooks[len(hooks)-1].url)

	recovered := h.open(h.visitor(), strings.TrimPrefix(last["abandoned_checkout_url"].(string), h.base)+"?discount=TEA-9")
	require.Contains(t, recovered, "Brahmaputra Assam")
	require.Contains(t, recovered, `value="TEA-9"`)
}

func TestShop_SellsWithACodeOfItsOwn(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.makeDiscount("TEA-1")
	page := h.buy(h.visitor(), "tea-1")
	require.Contains(t, page, "Order #1001 is paid")

	hooks := h.got()
	var created, paid map[string]any
	var token any
	for _, hook := range hooks {
		require.True(t, signed(h.secrets.ShopifyClientKey, hook, "X-Shopify-Hmac-Sha256"))
		switch hook.header.Get("X-Shopify-Topic") {
		case "checkouts/update":
			token = object(t, hook.body)["token"]
		case "orders/create":
			created = object(t, hook.body)
			require.Nil(t, paid, "an order is created before it is paid")
		case "orders/paid":
			paid = object(t, hook.body)
		}
	}
	require.Equal(t, "pending", created["financial_status"])
	require.Equal(t, "paid", paid["financial_status"])
	require.Equal(t, token, paid["checkout_token"])
	require.Equal(t, created["id"], paid["id"])
	require.Equal(t, map[string]any{"code": "tea-1", "amount": "3.78", "type": "percentage"}, paid["discount_codes"].([]any)[0])

	require.Contains(t, h.press(h.visitor(), "/sandbox/shop/code", url.Values{"code": {"TEA-1"}}), "into the cart first")
	other := h.visitor()
	h.press(other, "/sandbox/shop/cart", url.Values{"sku": {"TEA-ASSAM"}, "quantity": {"1"}})
	require.Contains(t, h.press(other, "/sandbox/shop/code", url.Values{"code": {"TEA-1"}}), "usage limit")
}

func TestShop_AsksScripAboutCodesItDoesNotKnow(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *sandbox.Options) {
		o.LookUpCode = func(_ context.Context, code string) (sandbox.Terms, bool, error) {
			return sandbox.Terms{Amount: decimal.NewFromInt(5), MinOrder: decimal.NewFromInt(30)}, code == "FIVE", nil
		}
	})
	c := h.visitor()
	h.press(c, "/sandbox/shop/cart", url.Values{"sku": {"TEA-ASSAM"}, "quantity": {"1"}})
	require.Contains(t, h.press(c, "/sandbox/shop/code", url.Values{"code": {"NINE"}}), "isn&#39;t valid")
	require.Contains(t, h.press(c, "/sandbox/shop/code", url.Values{"code": {"FIVE"}}), "below the minimum")
	h.press(c, "/sandbox/shop/cart", url.Values{"sku": {"TEA-ASSAM"}, "quantity": {"2"}})
	require.Contains(t, h.press(c, "/sandbox/shop/code", url.Values{"code": {"FIVE"}}), "The code is applied")
}

func TestShop_CancelsAndRefundsAnOrder(t *testing.T) {
	t.Parallel()
	h := setup(t)
	c := h.visitor()
	page := h.buy(c, "")
	_, rest, found := strings.Cut(page, "/sandbox/shop/orders/")
	require.True(t, found)
	id, _, _ := strings.Cut(rest, "/")
	before := len(h.got())
	h.press(c, "/sandbox/shop/orders/"+id+"/cancel", nil)
	h.press(c, "/sandbox/shop/orders/"+id+"/refund", nil)
	require.Contains(t, h.press(c, "/sandbox/shop/orders/"+id+"/refund", nil), "any more")
	require.ElementsMatch(t, []string{"orders/cancelled", "orders/updated", "refunds/create"}, topics(h.got()[before:]))
}

func TestShop_SignsWithTheChosenHeaders(t *testing.T) {
	t.Parallel()
	h := setup(t)
	c := h.visitor()
	h.press(c, "/sandbox/shop/signature", url.Values{"family": {"events"}})
	h.buy(c, "")
	for _, hook := range h.got() {
		require.True(t, signed(h.secrets.ShopifyClientKey, hook, "Shopify-Hmac-Sha256"))
		require.Empty(t, hook.header.Get("X-Shopify-Hmac-Sha256"))
	}
}

func TestPages_ShowWhatWasCaptured(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, path := range []string{"/sandbox", "/sandbox/inbox", "/sandbox/phone", "/sandbox/shop", "/sandbox/assets/style.css", "/sandbox/assets/live.js"} {
		require.NotEmpty(t, h.open(h.visitor(), path), path)
	}
	_, err := h.sendMail("anna@example.com")
	require.NoError(t, err)
	h.Settle()
	id := h.Messages()[0].ID
	require.Contains(t, h.open(h.visitor(), "/sandbox/inbox"), "Your code")
	require.Contains(t, h.open(h.visitor(), "/sandbox/inbox/"+id), "https://example.com/u/1")
	require.Contains(t, h.open(h.visitor(), "/sandbox/inbox/"+id+"/html"), "<b>soon</b>")
	require.Equal(t, []string{"processed", "delivered", "open"}, h.mailEvents(), "looking at a mail opens it")
	require.Contains(t, h.open(h.visitor(), "/sandbox/messages?channel=email"), id)
	require.Contains(t, h.open(h.visitor(), "/sandbox"), "delivered")
}
