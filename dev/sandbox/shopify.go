package sandbox

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

const (
	vendorShopify = "shopify"
	shopifyBase   = "/sandbox/api/shopify"
	currency      = "EUR"
)

func (s *Sandbox) shopifyRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+shopifyBase+"/admin/api/{version}/graphql.json", s.failing(vendorShopify, s.admin))
	mux.HandleFunc("POST "+shopifyBase+"/admin/oauth/access_token", s.grant)
}

// grant is the client credentials grant.
// https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant
func (s *Sandbox) grant(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		GrantType    string `json:"grant_type"`
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		_ = json.NewDecoder(r.Body).Decode(&in)
	} else {
		in.ClientID, in.ClientSecret, in.GrantType = r.PostFormValue("client_id"), r.PostFormValue("client_secret"), r.PostFormValue("grant_type")
	}
	switch {
	case in.GrantType != "client_credentials":
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type", "error_description": "The grant type must be client_credentials"})
	case !same(in.ClientID, s.o.Secrets.ShopifyClientID), !same(in.ClientSecret, s.o.Secrets.ShopifyClientKey):
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "application_cannot_be_found", "error_description": "The client id or secret is wrong"})
	default:
		writeJSON(w, http.StatusOK, map[string]any{"access_token": s.o.Secrets.ShopifyAccessToken, "scope": strings.Join(scopes, ","), "expires_in": 86399})
	}
}

var (
	scopes      = []string{"read_checkouts", "read_customers", "read_discounts", "read_orders", "write_discounts"}
	versionForm = regexp.MustCompile(`^(20\d\d-(01|04|07|10)|unstable)$`)
)

// admin is the Admin API's GraphQL endpoint.
func (s *Sandbox) admin(w http.ResponseWriter, r *http.Request) {
	if !same(r.Header.Get("X-Shopify-Access-Token"), s.o.Secrets.ShopifyAccessToken) {
		writeJSON(w, http.StatusUnauthorized, map[string]string{"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"})
		return
	}
	if !versionForm.MatchString(r.PathValue("version")) {
		writeJSON(w, http.StatusNotFound, map[string]string{"errors": "Not Found"})
		return
	}
	var in struct {
		Query         string         `json:"query"`
		OperationName string         `json:"operationName"`
		Variables     map[string]any `json:"variables"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.UseNumber()
	if err := dec.Decode(&in); err != nil || in.Query == "" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"errors": map[string]string{"query": "Required parameter missing or invalid"}})
		return
	}
	root := s.shopify.root(s.o.Secrets.ShopifyDomain, s.o.PublicURL, r.PathValue("version"))
	data, errs := execute(in.Query, in.OperationName, in.Variables, root)
	s.watchers.notify()
	if len(errs) > 0 {
		writeJSON(w, http.StatusOK, map[string]any{"errors": errs, "extensions": cost(0)})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": data, "extensions": cost(10)})
}

// throttled is how the Admin API answers an app that has used up its query cost.
// https://shopify.dev/docs/api/usage/limits
func throttled(w http.ResponseWriter) {
	e := gqlerror.Errorf("Throttled")
	e.Extensions = map[string]any{"code": "THROTTLED", "documentation": "https://shopify.dev/docs/api/usage/limits"}
	writeJSON(w, http.StatusOK, map[string]any{"errors": gqlerror.List{e}, "extensions": map[string]any{"cost": map[string]any{
		"requestedQueryCost": 10, "actualQueryCost": nil,
		"throttleStatus": map[string]any{"maximumAvailable": 2000.0, "currentlyAvailable": 0, "restoreRate": 100.0},
	}}})
}

func cost(points int) map[string]any {
	return map[string]any{"cost": map[string]any{
		"requestedQueryCost": points, "actualQueryCost": points,
		"throttleStatus": map[string]any{"maximumAvailable": 2000.0, "currentlyAvailable": 2000 - points, "restoreRate": 100.0},
	}}
}

// discount is one offer with its codes.
type discount struct {
	ID           string          `json:"id"` // gid://shopify/DiscountCodeNode/1
	Title        string          `json:"title"`
	Percentage   decimal.Decimal `json:"percentage"` // 0.1 is ten per cent
	Amount       decimal.Decimal `json:"amount"`
	FreeShipping bool            `json:"free_shipping,omitempty"`
	MinSubtotal  decimal.Decimal `json:"min_subtotal"`
	UsageLimit   int             `json:"usage_limit,omitempty"` // uses of each code; 0: unlimited
	OnePer       bool            `json:"one_per_customer,omitempty"`
	Tags         []string        `json:"tags,omitempty"`
	StartsAt     time.Time       `json:"starts_at"`
	EndsAt       time.Time       `json:"ends_at,omitzero"`
	CreatedAt    time.Time       `json:"created_at"`
	UpdatedAt    time.Time       `json:"updated_at"`
	Deleted      bool            `json:"deleted,omitempty"`
}

func (d discount) status(now time.Time) string {
	switch {
	case !d.EndsAt.IsZero() && !now.Before(d.EndsAt):
		return "EXPIRED"
	case now.Before(d.StartsAt):
		return "SCHEDULED"
	}
	return "ACTIVE"
}

// redeemCode is one code of a discount.
type redeemCode struct {
	ID       string `json:"id"` // gid://shopify/DiscountRedeemCode/1
	Discount string `json:"discount"`
	Code     string `json:"code"`
	Uses     int    `json:"uses"`
	Deleted  bool   `json:"deleted,omitempty"`
}

// subscription is one webhook subscription.
type subscription struct {
	ID        string    `json:"id"`
	Topic     string    `json:"topic"` // ORDERS_PAID
	URI       string    `json:"uri"`
	Format    string    `json:"format"`
	Fields    []string  `json:"fields,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Deleted   bool      `json:"deleted,omitempty"`
}

// change is one line of shopify.jsonl; exactly one of its fields is set.
type change struct {
	Discount     *discount     `json:"discount,omitempty"`
	Code         *redeemCode   `json:"code,omitempty"`
	Subscription *subscription `json:"subscription,omitempty"`
}

// shopify is the state behind the Admin API.
type shopify struct {
	now func() time.Time

	mu            sync.Mutex
	discounts     map[string]discount
	codes         map[string]redeemCode // by upper-case code: Shopify ignores case
	ofDiscount    map[string][]string   // a discount's upper-case codes, oldest first
	subscriptions []subscription
	bulks         map[string]object // bulk creations, which Shopify also forgets
	file          *journal[change]
}

func openShopify(dir string, now func() time.Time) (*shopify, error) {
	s := &shopify{now: now, discounts: map[string]discount{}, codes: map[string]redeemCode{}, ofDiscount: map[string][]string{}, bulks: map[string]object{}}
	var err error
	s.file, err = openJournal(filepath.Join(dir, "shopify.jsonl"), s.apply)
	return s, err
}

func (s *shopify) close() error { return s.file.close() }

// save applies a change and writes it down; the caller holds the lock.
func (s *shopify) save(c change) {
	s.apply(c)
	// What can't be written is lost at the next start, no sooner.
	_ = s.file.append(c)
}

func (s *shopify) apply(c change) {
	switch {
	case c.Discount != nil && c.Discount.Deleted:
		for _, code := range s.ofDiscount[c.Discount.ID] {
			delete(s.codes, code)
		}
		delete(s.ofDiscount, c.Discount.ID)
		delete(s.discounts, c.Discount.ID)
	case c.Discount != nil:
		s.discounts[c.Discount.ID] = *c.Discount
	case c.Code != nil:
		key, of := upper(c.Code.Code), c.Code.Discount
		_, known := s.codes[key]
		if c.Code.Deleted {
			delete(s.codes, key)
			s.ofDiscount[of] = slices.DeleteFunc(s.ofDiscount[of], func(k string) bool { return k == key })
			return
		}
		s.codes[key] = *c.Code
		if !known {
			s.ofDiscount[of] = append(s.ofDiscount[of], key)
		}
	case c.Subscription != nil:
		s.subscriptions = slices.DeleteFunc(s.subscriptions, func(x subscription) bool { return x.ID == c.Subscription.ID })
		if !c.Subscription.Deleted {
			s.subscriptions = append(s.subscriptions, *c.Subscription)
		}
	}
}

func upper(code string) string { return strings.ToUpper(strings.TrimSpace(code)) }
