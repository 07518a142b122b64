package shopify_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/shopify"
)

const accessToken = "shpat_an-access-token"

// admin is what a connection with access to the shop is, besides a Source.
type admin interface {
	integrations.Issuer
	integrations.Reconciler
	integrations.Checker
}

// sent is one GraphQL request that the shop got.
type sent struct {
	Document  string         `json:"query"`
	Variables map[string]any `json:"variables"`
	Token     string         `json:"-"`
	Path      string         `json:"-"`
}

// operation is the name of a document's operation.
func (s sent) operation() string {
	return strings.FieldsFunc(s.Document, func(r rune) bool { return r == ' ' || r == '(' })[1]
}

// shop answers each operation as told, and keeps what it was asked.
type shop struct {
	mu      sync.Mutex
	answers map[string][]string // by operation, in order; the last one stays
	got     []sent
	server  *httptest.Server
}

func newShop(t *testing.T, answers map[string][]string) *shop {
	t.Helper()
	s := &shop{answers: answers}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	request := sent{Token: r.Header.Get("X-Shopify-Access-Token"), Path: r.URL.Path}
	_ = json.NewDecoder(r.Body).Decode(&request)
	s.got = append(s.got, request)
	left := s.answers[request.operation()]
	if len(left) == 0 {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	if len(left) > 1 {
		s.answers[request.operation()] = left[1:]
	}
	_, _ = io.WriteString(w, left[0])
}

func (s *shop) operations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, g := range s.got {
		names = append(names, g.operation())
	}
	return names
}

func (s *shop) connect(t *testing.T) admin {
	t.Helper()
	return connect(t, s.server.URL, "access_token: "+accessToken)
}

func connect(t *testing.T, base, access string) admin {
	t.Helper()
	made, err := shopify.New(conformance.Settings("shop", "shop: example.myshopify.com\nclient_secret: "+clientSecret+"\nbase_url: "+base+"\n"+access+"\n", nil))
	require.NoError(t, err)
	conformance.Discreet(t, made, clientSecret, accessToken)
	return made.(admin)
}

func offer() integrations.Offer {
	return integrations.Offer{
		Coupon: "cart-10", Percentage: decimal.NewFromInt(10), MinOrder: decimal.RequireFromString("25.00"), PerContact: 1,
		StartsAt: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), EndsAt: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
	}
}

const (
	discountID = "gid://shopify/DiscountCodeNode/1"
	created    = `{"data":{"created":{"codeDiscountNode":{"id":"` + discountID + `"},"userErrors":[]}}}`
	taken      = `{"data":{"created":{"codeDiscountNode":null,"userErrors":[{"code":"TAKEN","field":["code"],"message":"Code TEN-1 is taken"}]}}}`
	adding     = `{"data":{"discountRedeemCodeBulkAdd":{"bulkCreation":{"id":"gid://shopify/DiscountRedeemCodeBulkCreation/5"},"userErrors":[]}}}`
	gone       = `{"data":{"discountRedeemCodeBulkAdd":{"bulkCreation":null,"userErrors":[{"code":"INVALID","field":["discountId"],"message":"Discount does not exist."}]}}}`
	pending    = `{"data":{"discountRedeemCodeBulkCreation":{"done":false,"codes":{"nodes":[]}}}}`
	added      = `{"data":{"discountRedeemCodeBulkCreation":{"done":true,"codes":{"nodes":[{"code":"TEN-2","errors":[]}]}}}}`
	addedTaken = `{"data":{"discountRedeemCodeBulkCreation":{"done":true,"codes":{"nodes":[{"code":"TEN-2","errors":[{"code":"TAKEN","message":"taken"}]}]}}}}`
	unknown    = `{"data":{"codeDiscountNodeByCode":null}}`
	removed    = `{"data":{"discountCodeRedeemCodeBulkDelete":{"job":{"id":"gid://shopify/Job/1"},"userErrors":[]}}}`
)

func found(id, title, code string) string {
	return fmt.Sprintf(`{"data":{"codeDiscountNodeByCode":{"id":%q,"codeDiscount":{"title":%q,"codes":{"nodes":[{"id":"gid://shopify/DiscountRedeemCode/9","code":%q}]}}}}}`, id, title, code)
}

func TestIssue_CreatesTheDiscountWithItsFirstCode(t *testing.T) {
	t.Parallel()
	s := newShop(t, map[string][]string{"createDiscount": {created}})
	id, err := s.connect(t).Issue(t.Context(), offer(), "TEN-1")
	require.NoError(t, err)
	require.Equal(t, discountID, id)
	require.Equal(t, "/admin/api/2026-07/graphql.json", s.got[0].Path)
	require.Equal(t, accessToken, s.got[0].Token)
	require.Equal(t, map[string]any{
		"title": "cart-10", "code": "TEN-1", "startsAt": "2026-11-21T10:00:00Z", "endsAt": "2026-12-01T00:00:00Z",
		"context": map[string]any{"all": "ALL"}, "usageLimit": 1.0, "appliesOncePerCustomer": true,
		"customerGets":       map[string]any{"value": map[string]any{"percentage": 0.1}, "items": map[string]any{"all": true}},
		"minimumRequirement": map[string]any{"subtotal": map[string]any{"greaterThanOrEqualToSubtotal": "25"}},
	}, s.got[0].Variables["discount"])
}

func TestIssue_CreatesAFreeShippingDiscount(t *testing.T) {
	t.Parallel()
	s := newShop(t, map[string][]string{"createFreeShipping": {created}})
	o := offer()
	o.Percentage, o.FreeShipping, o.EndsAt = decimal.Zero, true, time.Time{}
	id, err := s.connect(t).Issue(t.Context(), o, "SHIP-1")
	require.NoError(t, err)
	require.Equal(t, discountID, id)
	require.Equal(t, map[string]any{
		"title": "cart-10", "code": "SHIP-1", "startsAt": "2026-11-21T10:00:00Z", "context": map[string]any{"all": "ALL"},
		"usageLimit": 1.0, "appliesOncePerCustomer": true, "destination": map[string]any{"all": true},
		"minimumRequirement": map[string]any{"subtotal": map[string]any{"greaterThanOrEqualToSubtotal": "25"}},
	}, s.got[0].Variables["discount"])
}

func TestIssue_AddsLaterCodesToTheSameDiscount(t *testing.T) {
	t.Parallel()
	s := newShop(t, map[string][]string{"addCode": {adding}, "codeAdded": {pending, added}})
	o := offer()
	o.ExternalID = discountID
	id, err := s.connect(t).Issue(t.Context(), o, "TEN-2")
	require.NoError(t, err)
	require.Equal(t, discountID, id)
	require.Equal(t, []string{"addCode", "codeAdded", "codeAdded"}, s.operations())
}

func TestIssue_SucceedsAgainWithItsOwnCode(t *testing.T) {
	t.Parallel()
	first := newShop(t, map[string][]string{"createDiscount": {taken}, "findCode": {found(discountID, "cart-10", "TEN-1")}})
	id, err := first.connect(t).Issue(t.Context(), offer(), "TEN-1")
	require.NoError(t, err)
	require.Equal(t, discountID, id)

	later := newShop(t, map[string][]string{"addCode": {adding}, "codeAdded": {addedTaken}, "findCode": {found(discountID, "cart-10", "TEN-2")}})
	o := offer()
	o.ExternalID = discountID
	id, err = later.connect(t).Issue(t.Context(), o, "TEN-2")
	require.NoError(t, err)
	require.Equal(t, discountID, id)
}

func TestIssue_FindsACodeThatAnEarlierAttemptMadeUnderAnotherDiscountOfTheCoupon(t *testing.T) {
	t.Parallel()
	const earlier = "gid://shopify/DiscountCodeNode/2"
	s := newShop(t, map[string][]string{"addCode": {adding}, "codeAdded": {addedTaken}, "findCode": {found(earlier, "cart-10", "TEN-2")}})
	o := offer()
	o.ExternalID = discountID
	id, err := s.connect(t).Issue(t.Context(), o, "TEN-2")
	require.NoError(t, err)
	require.Equal(t, earlier, id)
}

func TestIssue_SaysThatTheDiscountWasDeletedInTheShop(t *testing.T) {
	t.Parallel()
	s := newShop(t, map[string][]string{"addCode": {gone}})
	o := offer()
	o.ExternalID = discountID
	_, err := s.connect(t).Issue(t.Context(), o, "TEN-2")
	require.ErrorIs(t, err, integrations.ErrOfferGone)
	require.Equal(t, integrations.Retry, integrations.ClassOf(err))
}

func TestIssue_RefusesACodeOfAnotherDiscount(t *testing.T) {
	t.Parallel()
	for _, other := range []string{found("gid://shopify/DiscountCodeNode/2", "summer", "TEN-1"), unknown} {
		s := newShop(t, map[string][]string{"createDiscount": {taken}, "findCode": {other}})
		_, err := s.connect(t).Issue(t.Context(), offer(), "TEN-1")
		var failure *integrations.Error
		require.ErrorAs(t, err, &failure)
		require.Equal(t, integrations.Invalid, failure.Class)
		require.Equal(t, "TAKEN", failure.Code)
		conformance.Discreet(t, err, "TEN-1", accessToken)
	}
}

func TestIssue_RefusesOffersThatTheShopHasNoDiscountFor(t *testing.T) {
	t.Parallel()
	for code, change := range map[string]func(*integrations.Offer){
		"percentage_over_100":   func(o *integrations.Offer) { o.Percentage = decimal.NewFromInt(101) },
		"percentage_and_amount": func(o *integrations.Offer) { o.Amount = decimal.NewFromInt(1) },
		"no_discount":           func(o *integrations.Offer) { o.Percentage = decimal.Zero },
		"starts_at_missing":     func(o *integrations.Offer) { o.StartsAt = time.Time{} },
	} {
		o := offer()
		change(&o)
		s := newShop(t, nil)
		_, err := s.connect(t).Issue(t.Context(), o, "TEN-1")
		require.ErrorContains(t, err, code)
		require.Equal(t, integrations.Invalid, integrations.ClassOf(err))
		require.Empty(t, s.operations())
	}
}

func TestWithdraw_DeletesTheCodeAndNothingElse(t *testing.T) {
	t.Parallel()
	s := newShop(t, map[string][]string{"findCode": {found(discountID, "cart-10", "ten-1")}, "removeCode": {removed}})
	o := offer()
	o.ExternalID = discountID
	require.NoError(t, s.connect(t).Withdraw(t.Context(), o, "TEN-1"))
	require.Equal(t, map[string]any{"discount": discountID, "codes": []any{"gid://shopify/DiscountRedeemCode/9"}}, s.got[1].Variables)
	require.Equal(t, `code:"TEN-1"`, s.got[0].Variables["search"])

	for _, answer := range []string{unknown, found("gid://shopify/DiscountCodeNode/2", "cart-10", "TEN-1")} {
		absent := newShop(t, map[string][]string{"findCode": {answer}})
		require.NoError(t, absent.connect(t).Withdraw(t.Context(), o, "TEN-1"))
		require.Equal(t, []string{"findCode"}, absent.operations())
	}
}

func TestQuery_ClassesWhatShopifySays(t *testing.T) {
	t.Parallel()
	throttled := `{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],
		"extensions":{"cost":{"requestedQueryCost":252,"throttleStatus":{"maximumAvailable":2000,"currentlyAvailable":52,"restoreRate":100}}}}`
	for answer, want := range map[string]struct {
		class integrations.Class
		wait  time.Duration
	}{
		throttled: {integrations.RateLimited, 2 * time.Second},
		`{"errors":[{"message":"no","extensions":{"code":"ACCESS_DENIED"}}]}`:                               {integrations.Auth, 0},
		`{"errors":[{"message":"oops","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`:                     {integrations.Unknown, 0},
		`{"errors":[{"message":"Field 'x' doesn't exist"}]}`:                                                {integrations.Invalid, 0},
		`{"errors":"[API] Invalid API key"}`:                                                                {integrations.Auth, 0},
		`{"data":`:                                                                                          {integrations.Unknown, 0},
		`{"data":{"created":{"codeDiscountNode":null,"userErrors":[]}}}`:                                    {integrations.Unknown, 0},
		`{"data":{"created":{"userErrors":[{"code":"INTERNAL_ERROR","message":"x"}]}}}`:                     {integrations.Unknown, 0},
		`{"data":{"created":{"userErrors":[{"code":"VALUE_OUTSIDE_RANGE","message":"must be positive"}]}}}`: {integrations.Invalid, 0},
	} {
		s := newShop(t, map[string][]string{"createDiscount": {answer}})
		_, err := s.connect(t).Issue(t.Context(), offer(), "TEN-1")
		var failure *integrations.Error
		require.ErrorAs(t, err, &failure, answer)
		require.Equal(t, want.class, failure.Class, answer)
		require.Equal(t, want.wait, failure.RetryAfter, answer)
	}
}

func TestQuery_ClassesEveryStatus(t *testing.T) {
	t.Parallel()
	status := 300
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "2.0")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, accessToken)
	}))
	t.Cleanup(server.Close)
	shop := connect(t, server.URL, "access_token: "+accessToken)
	for ; status < 600; status++ {
		_, err := shop.Issue(t.Context(), offer(), "TEN-1")
		require.Equal(t, integrations.ClassOfStatus(status, true), integrations.ClassOf(err), "status %d", status)
		conformance.Discreet(t, err, accessToken)
	}
}

func TestToken_IsFetchedKeptAndRenewed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	fetched, status := 0, http.StatusOK
	graphQL := newShop(t, map[string][]string{"createDiscount": {created}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path != "/admin/oauth/access_token" {
			if status != http.StatusOK {
				w.WriteHeader(status)
				return
			}
			graphQL.ServeHTTP(w, r)
			return
		}
		require.NoError(t, r.ParseForm())
		if r.PostForm.Get("grant_type") != "client_credentials" || r.PostForm.Get("client_secret") != clientSecret {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fetched++
		fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":86399}`, fetched)
	}))
	t.Cleanup(server.Close)
	shop := connect(t, server.URL, "client_id: an-app")
	issue := func() error {
		_, err := shop.Issue(t.Context(), offer(), "TEN-1")
		return err
	}
	require.NoError(t, issue())
	require.NoError(t, issue())
	require.Equal(t, 1, fetched)
	require.Equal(t, "token-1", graphQL.got[0].Token)
	status = http.StatusUnauthorized
	require.Equal(t, integrations.Retry, integrations.ClassOf(issue()), "a fetched token may have been revoked")
	status = http.StatusOK
	require.NoError(t, issue())
	require.Equal(t, "token-2", graphQL.got[2].Token)
}

func TestToken_ThatIsRefusedNeedsAPerson(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	t.Cleanup(server.Close)
	_, err := connect(t, server.URL, "client_id: an-app").Issue(t.Context(), offer(), "TEN-1")
	require.Equal(t, integrations.Auth, integrations.ClassOf(err))
	require.ErrorContains(t, err, "fetching an access token")
}

func TestCheck_NamesMissingScopes(t *testing.T) {
	t.Parallel()
	scopes := func(handles ...string) string {
		var b strings.Builder
		for i, h := range handles {
			if i > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, `{"handle":%q}`, h)
		}
		return `{"data":{"currentAppInstallation":{"accessScopes":[` + b.String() + `]}}}`
	}
	ok := newShop(t, map[string][]string{"check": {scopes("write_discounts", "write_orders", "read_customers")}})
	require.NoError(t, ok.connect(t).Check(t.Context()))
	short := newShop(t, map[string][]string{"check": {scopes("read_discounts", "read_orders")}})
	require.ErrorContains(t, short.connect(t).Check(t.Context()), "write_discounts, read_customers")
}

func TestReconcile_CreatesCorrectsAndRemoves(t *testing.T) {
	t.Parallel()
	const none = `{"data":{"webhookSubscriptionCreate":{"userErrors":[]},"webhookSubscriptionUpdate":{"userErrors":[]},"webhookSubscriptionDelete":{"userErrors":[]}}}`
	hook := "https://scrip.example.com/hooks/shop"
	page := func(more bool, nodes string) string {
		return fmt.Sprintf(`{"data":{"webhookSubscriptions":{"nodes":[%s],"pageInfo":{"hasNextPage":%t,"endCursor":"c"}}}}`, nodes, more)
	}
	s := newShop(t, map[string][]string{
		"listSubscriptions": {
			page(true, `{"id":"1","topic":"ORDERS_CREATE","uri":"https://old.example.com/orders/create","format":"JSON"},
				{"id":"2","topic":"ORDERS_CREATE","uri":"`+hook+`/orders/create","format":"JSON"}`),
			page(false, `{"id":"3","topic":"ORDERS_PAID","uri":"https://old.example.com/orders/paid","format":"JSON"},
				{"id":"4","topic":"PRODUCTS_CREATE","uri":"https://else.example.com","format":"JSON"}`),
		},
		"createSubscription": {none}, "updateSubscription": {none}, "deleteSubscription": {none},
	})
	changes, err := s.connect(t).Reconcile(t.Context(), hook)
	require.NoError(t, err)
	require.Contains(t, changes, "Removed a second subscription to orders/create.")
	require.Contains(t, changes, "Corrected the address of orders/paid.")
	require.Contains(t, changes, "Subscribed to checkouts/update.")
	require.Contains(t, changes, "Subscribed to customers_email_marketing_consent/update.")
	counts := map[string]int{}
	for _, g := range s.got {
		counts[g.operation()]++
		switch g.operation() {
		case "deleteSubscription":
			require.Equal(t, "1", g.Variables["id"], "the one that is right stays")
		case "updateSubscription":
			require.Equal(t, map[string]any{"uri": hook + "/orders/paid", "format": "JSON"}, g.Variables["subscription"])
		case "createSubscription":
			topic := g.Variables["topic"].(string)
			require.NotContains(t, []string{"CUSTOMERS_REDACT", "SHOP_REDACT", "CUSTOMERS_DATA_REQUEST", "ORDERS_CREATE"}, topic)
		}
	}
	require.Equal(t, map[string]int{"listSubscriptions": 2, "createSubscription": 9, "updateSubscription": 1, "deleteSubscription": 1}, counts)
}
