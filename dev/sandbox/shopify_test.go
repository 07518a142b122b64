package sandbox_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
)

const createDiscount = `mutation Create($in: DiscountCodeBasicInput!) {
  made: discountCodeBasicCreate(basicCodeDiscount: $in) {
    codeDiscountNode { ...known }
    userErrors { code field message }
  }
}
fragment known on DiscountCodeNode {
  id
  codeDiscount { __typename ... on DiscountCodeBasic { title status codes(first: 10) { nodes { code } } } }
}`

func offer(code string) map[string]any {
	return map[string]any{"in": map[string]any{
		"title": "tea-10", "code": code, "startsAt": time.Now().Add(-time.Hour).Format(time.RFC3339),
		"context": map[string]any{"all": "ALL"}, "usageLimit": 1,
		"customerGets": map[string]any{"value": map[string]any{"percentage": 0.1}, "items": map[string]any{"all": true}},
	}}
}

func (h *harness) makeDiscount(code string) string {
	made := h.graphql(createDiscount, offer(code))["made"].(map[string]any)
	require.Empty(h.t, made["userErrors"])
	return made["codeDiscountNode"].(map[string]any)["id"].(string)
}

func TestShopify_MakesFindsAndWithdrawsCodes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.makeDiscount("TEA-1")

	taken := h.graphql(createDiscount, offer("tea-1"))["made"].(map[string]any)
	require.Nil(t, taken["codeDiscountNode"])
	require.Equal(t, "TAKEN", taken["userErrors"].([]any)[0].(map[string]any)["code"])

	added := h.graphql(`mutation($id: ID!, $codes: [DiscountRedeemCodeInput!]!) {
	  discountRedeemCodeBulkAdd(discountId: $id, codes: $codes) { bulkCreation { id done } userErrors { message } } }`,
		map[string]any{"id": id, "codes": []any{map[string]any{"code": "TEA-2"}, map[string]any{"code": "TEA-1"}}})
	bulk := added["discountRedeemCodeBulkAdd"].(map[string]any)["bulkCreation"].(map[string]any)
	require.Equal(t, false, bulk["done"], "it is asynchronous")
	polled := h.graphql(`query($id: ID!) { discountRedeemCodeBulkCreation(id: $id) { done importedCount failedCount codes(first: 5) { nodes { code errors { code } } } } }`,
		map[string]any{"id": bulk["id"]})["discountRedeemCodeBulkCreation"].(map[string]any)
	require.Equal(t, true, polled["done"])
	require.EqualValues(t, 1, polled["importedCount"])
	require.EqualValues(t, 1, polled["failedCount"])

	find := `query($code: String!) { codeDiscountNodeByCode(code: $code) { id codeDiscount { ... on DiscountCodeBasic { status } } } }`
	found := h.graphql(find, map[string]any{"code": "tea-2"})["codeDiscountNodeByCode"].(map[string]any)
	require.Equal(t, id, found["id"])

	h.graphql(`mutation($id: ID!) { discountCodeRedeemCodeBulkDelete(discountId: $id, search: "code:TEA-2") { job { id } userErrors { code } } }`, map[string]any{"id": id})
	require.Nil(t, h.graphql(find, map[string]any{"code": "TEA-2"})["codeDiscountNodeByCode"])

	h.graphql(`mutation($id: ID!) { discountCodeDeactivate(id: $id) { userErrors { code } } }`, map[string]any{"id": id})
	found = h.graphql(find, map[string]any{"code": "TEA-1"})["codeDiscountNodeByCode"].(map[string]any)
	require.Equal(t, "EXPIRED", found["codeDiscount"].(map[string]any)["status"])
}

func TestShopify_RefusesDocumentsThatShopifyRefuses(t *testing.T) {
	t.Parallel()
	h := setup(t)
	post := func(token, query string) (int, map[string]any) {
		body, err := json.Marshal(map[string]any{"query": query})
		require.NoError(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.base+"/sandbox/api/shopify/admin/api/2026-07/graphql.json", bytes.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("X-Shopify-Access-Token", token)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		var out map[string]any
		require.NoError(t, json.NewDecoder(res.Body).Decode(&out))
		return res.StatusCode, out
	}
	status, out := post(h.secrets.ShopifyAccessToken, `{ shop { nmae } }`)
	require.Equal(t, http.StatusOK, status)
	require.NotEmpty(t, out["errors"])
	status, _ = post("other", `{ shop { name } }`)
	require.Equal(t, http.StatusUnauthorized, status)

	require.NoError(t, h.SetFault(sandbox.Fault{Vendor: "shopify", Kind: sandbox.FaultThrottled, Times: 1}))
	_, out = post(h.secrets.ShopifyAccessToken, `{ shop { name } }`)
	extensions := out["errors"].([]any)[0].(map[string]any)["extensions"].(map[string]any)
	require.Equal(t, "THROTTLED", extensions["code"])
}

func TestShopify_GrantsATokenForClientCredentials(t *testing.T) {
	t.Parallel()
	h := setup(t)
	res, err := http.PostForm(h.base+"/sandbox/api/shopify/admin/oauth/access_token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {h.secrets.ShopifyClientID}, "client_secret": {h.secrets.ShopifyClientKey}})
	require.NoError(t, err)
	require.Contains(t, h.page(res), h.secrets.ShopifyAccessToken)
}

func TestShopify_SendsWebhooksWhereTheyAreSubscribed(t *testing.T) {
	t.Parallel()
	h := setup(t)
	subscribe := `mutation($topic: WebhookSubscriptionTopic!, $uri: String!) {
	  webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: $uri}) { webhookSubscription { id topic uri } userErrors { message } } }`
	h.graphql(subscribe, map[string]any{"topic": "ORDERS_PAID", "uri": h.base + "/hooks/elsewhere"})
	list := h.graphql(`{ webhookSubscriptions(first: 50) { nodes { topic uri } pageInfo { hasNextPage endCursor } } }`, nil)
	require.Len(t, list["webhookSubscriptions"].(map[string]any)["nodes"], 1)

	h.buy(h.visitor(), "")
	hooks := h.got()
	require.Len(t, hooks, 1, "nobody subscribed to the other topics")
	require.Equal(t, h.base+"/hooks/elsewhere", hooks[0].url)
}

func TestShopify_KeepsItsStateBetweenRuns(t *testing.T) {
	t.Parallel()
	var options sandbox.Options
	h := setup(t, func(o *sandbox.Options) { options = *o })
	id := h.makeDiscount("TEA-1")
	_, err := h.sendMail("anna@example.com")
	require.NoError(t, err)
	h.buy(h.visitor(), "TEA-1")
	h.Settle()
	require.NoError(t, h.Close())

	again, err := sandbox.New(options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = again.Close() })
	before, err := json.Marshal(h.Messages())
	require.NoError(t, err)
	after, err := json.Marshal(again.Messages())
	require.NoError(t, err)
	require.JSONEq(t, string(before), string(after))

	server := setup(t, func(o *sandbox.Options) { o.Dir, o.Secrets = options.Dir, options.Secrets })
	server.secrets = options.Secrets
	found := server.graphql(`{ codeDiscountNodeByCode(code: "TEA-1") { id codeDiscount { ... on DiscountCodeBasic { asyncUsageCount } } } }`, nil)["codeDiscountNodeByCode"].(map[string]any)
	require.Equal(t, id, found["id"])
	require.EqualValues(t, 1, found["codeDiscount"].(map[string]any)["asyncUsageCount"])
}

// buy goes through the shop: a cart, details, perhaps a code, Buy.
func (h *harness) buy(c *http.Client, code string) string {
	h.press(c, "/sandbox/shop/cart", url.Values{"sku": {"TEA-ASSAM"}, "quantity": {"2"}, "add": {"1"}})
	h.press(c, "/sandbox/shop/details", url.Values{"email": {"anna@example.com"}, "phone": {"+49 151 23456789"}, "accepts_email": {"on"}})
	if code != "" {
		h.press(c, "/sandbox/shop/code", url.Values{"code": {code}})
	}
	return h.press(c, "/sandbox/shop/buy", nil)
}

func topics(hooks []hook) (list []string) {
	for _, h := range hooks {
		list = append(list, h.header.Get("X-Shopify-Topic"))
	}
	return list
}

func signed(secret string, h hook, header string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(h.body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil)) == h.header.Get(header)
}
