package shopify_test

import (
	"encoding/json"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"

	"scrip.dev/scrip/integrations/conformance"
)

// newer is what the described schema, an excerpt of an older version, lacks of
// the version that is called.
const newer = `
schema { query: QueryRoot mutation: Mutation }

enum DiscountBuyerSelection { ALL }
input DiscountContextInput { all: DiscountBuyerSelection customers: DiscountCustomersInput customerSegments: DiscountCustomerSegmentsInput }
input DiscountShippingDestinationSelectionInput { all: Boolean }
input DiscountCodeFreeShippingInput {
  title: String code: String startsAt: DateTime endsAt: DateTime usageLimit: Int appliesOncePerCustomer: Boolean
  context: DiscountContextInput minimumRequirement: DiscountMinimumRequirementInput destination: DiscountShippingDestinationSelectionInput
}
type DiscountCodeFreeShippingCreatePayload { codeDiscountNode: DiscountCodeNode userErrors: [DiscountUserError!]! }
type DiscountCodeFreeShipping { title: String! codes(first: Int, query: String): DiscountRedeemCodeConnection! }
extend union DiscountCode = DiscountCodeFreeShipping
extend type Mutation { discountCodeFreeShippingCreate(freeShippingCodeDiscount: DiscountCodeFreeShippingInput!): DiscountCodeFreeShippingCreatePayload }
extend input DiscountCodeBasicInput { context: DiscountContextInput tags: [String!] }

extend input WebhookSubscriptionInput { uri: String }
extend type WebhookSubscription { uri: String! }
type WebhookSubscriptionConnection { nodes: [WebhookSubscription!]! pageInfo: PageInfo! }

type AccessScope { handle: String! }
type AppInstallation { accessScopes: [AccessScope!]! }
extend type QueryRoot {
  webhookSubscriptions(first: Int, after: String): WebhookSubscriptionConnection!
  currentAppInstallation: AppInstallation!
}
`

func TestDocuments_AreValidInShopifysSchema(t *testing.T) {
	t.Parallel()
	described := conformance.Contract(t, "shopify/admin-2025-01.discounts.graphql")
	schema, err := gqlparser.LoadSchema(
		&ast.Source{Name: "described", Input: string(described)}, &ast.Source{Name: "newer", Input: newer})
	require.NoError(t, err)
	const nothing = `{"data":{"webhookSubscriptions":{"nodes":[{"id":"1","topic":"ORDERS_CREATE","uri":"x","format":"JSON"},
		{"id":"2","topic":"ORDERS_CREATE","uri":"y","format":"JSON"}],"pageInfo":{}}}}`
	s := newShop(t, map[string][]string{
		"createDiscount": {created}, "createFreeShipping": {created}, "addCode": {adding}, "codeAdded": {added}, "removeCode": {removed},
		"findCode": {found(discountID, "cart-10", "TEN-1")}, "check": {`{"data":{}}`}, "listSubscriptions": {nothing},
		"createSubscription": {`{"data":{}}`}, "updateSubscription": {`{"data":{}}`}, "deleteSubscription": {`{"data":{}}`},
	})
	everything(t, s.connect(t))
	seen := map[string]bool{}
	for _, g := range s.got {
		document, errs := gqlparser.LoadQuery(schema, g.Document)
		require.Empty(t, errs, g.operation())
		// Through JSON numbers come back as floats; GraphQL coerces whole ones.
		_, err := validator.VariableValues(schema, document.Operations[0], coerced(t, g.Variables))
		require.NoError(t, err, "%s: %v", g.operation(), g.Variables)
		seen[g.operation()] = true
	}
	require.Len(t, seen, 11, "every document was sent: %v", seen)
}

func everything(t *testing.T, shop admin) {
	t.Helper()
	_, err := shop.Issue(t.Context(), offer(), "TEN-1")
	require.NoError(t, err)
	o := offer()
	o.Percentage, o.Amount = decimal.Zero, decimal.RequireFromString("5.50")
	_, err = shop.Issue(t.Context(), o, "FIVE-1")
	require.NoError(t, err)
	o.Amount, o.FreeShipping = decimal.Zero, true
	_, err = shop.Issue(t.Context(), o, "SHIP-1")
	require.NoError(t, err)
	o.ExternalID = discountID
	_, err = shop.Issue(t.Context(), o, "TEN-2")
	require.NoError(t, err)
	require.NoError(t, shop.Withdraw(t.Context(), o, "TEN-1"))
	_ = shop.Check(t.Context())
	_, err = shop.Reconcile(t.Context(), "https://scrip.example.com/hooks/shop")
	require.NoError(t, err)
}

func coerced(t *testing.T, variables map[string]any) map[string]any {
	t.Helper()
	discount, ok := variables["discount"].(map[string]any)
	if ok {
		discount["usageLimit"] = json.Number("1")
	}
	return variables
}
