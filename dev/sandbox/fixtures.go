package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Customer is somebody in the shop.
type Customer struct {
	Email        string    `json:"email"`
	Phone        string    `json:"phone,omitempty"` // E.164
	FirstName    string    `json:"first_name,omitempty"`
	LastName     string    `json:"last_name,omitempty"`
	Locale       string    `json:"locale,omitempty"`  // default en
	Country      string    `json:"country,omitempty"` // ISO 3166-1 alpha-2; default DE
	AcceptsEmail bool      `json:"accepts_email,omitempty"`
	AcceptsSMS   bool      `json:"accepts_sms,omitempty"`
	ConsentAt    time.Time `json:"consent_at,omitzero"` // when consent last changed
}

// ID is the shop's id of the customer, the same for the same address.
func (c Customer) ID() int64 {
	key := strings.ToLower(c.Email)
	if key == "" {
		key = c.Phone
	}
	if key == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(key))
	return int64(1e12 + binary.BigEndian.Uint64(sum[:8])%8e12)
}

// Line is one product in a cart.
type Line struct {
	ProductID int64           `json:"product_id"`
	SKU       string          `json:"sku"`
	Title     string          `json:"title"`
	Quantity  int             `json:"quantity"`
	Price     decimal.Decimal `json:"price"` // of one, in the shop's currency
}

// Checkout is a cart on its way to an order.
type Checkout struct {
	ID          int64     `json:"id"`
	Token       string    `json:"token"`
	CartToken   string    `json:"cart_token"`
	Customer    Customer  `json:"customer"`
	Lines       []Line    `json:"lines"`
	Code        string    `json:"code,omitempty"` // the discount code that was applied
	Terms       Terms     `json:"terms"`          // what it gives
	RecoverURL  string    `json:"recover_url"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
}

// Order is a checkout that was bought.
type Order struct {
	ID          int64     `json:"id"`
	Number      int       `json:"number"`
	Checkout    Checkout  `json:"checkout"`
	Paid        bool      `json:"paid"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	CancelledAt time.Time `json:"cancelled_at,omitzero"`
	RefundedAt  time.Time `json:"refunded_at,omitzero"`
}

var shippingPrice = decimal.RequireFromString("4.90")

// Subtotal is the sum of the lines before any discount.
func (c Checkout) Subtotal() decimal.Decimal {
	sum := decimal.Zero
	for _, l := range c.Lines {
		sum = sum.Add(l.Price.Mul(decimal.NewFromInt(int64(l.Quantity))))
	}
	return sum
}

// Shipping is what sending it costs before any discount.
func (c Checkout) Shipping() decimal.Decimal {
	if len(c.Lines) == 0 {
		return decimal.Zero
	}
	return shippingPrice
}

// Discount is what the code takes off.
func (c Checkout) Discount() decimal.Decimal {
	switch {
	case c.Code == "":
		return decimal.Zero
	case c.Terms.FreeShipping:
		return c.Shipping()
	case c.Terms.Percentage.IsPositive():
		return c.Subtotal().Mul(c.Terms.Percentage).Shift(-2).Round(2)
	}
	return decimal.Min(c.Terms.Amount, c.Subtotal())
}

// Total is what is to be paid.
func (c Checkout) Total() decimal.Decimal { return c.Subtotal().Add(c.Shipping()).Sub(c.Discount()) }

// NewCheckout begins a checkout at a moment, with tokens of its own.
func NewCheckout(shopURL string, at time.Time) Checkout {
	id := 4e10 + randomBelow(9e12)
	token := randomHex(16)
	return Checkout{ID: id, Token: token, CartToken: randomHex(16), RecoverURL: shopURL + "/recover/" + token, CreatedAt: at, UpdatedAt: at}
}

// NewOrder buys a checkout at a moment.
func NewOrder(c Checkout, number int, at time.Time) Order {
	c.CompletedAt, c.UpdatedAt = at, at
	return Order{ID: c.ID + 5e12, Number: number, Checkout: c, CreatedAt: at, UpdatedAt: at}
}

// CheckoutBody is the body of checkouts/create and checkouts/update.
// https://shopify.dev/docs/api/webhooks#list-of-topics-checkouts/update
func CheckoutBody(c Checkout) []byte {
	body := common(c)
	body["id"], body["token"], body["name"] = c.ID, c.Token, "#"+strconv.FormatInt(c.ID, 10)
	body["abandoned_checkout_url"] = c.RecoverURL
	body["created_at"], body["updated_at"], body["completed_at"] = c.CreatedAt, c.UpdatedAt, optional(c.CompletedAt)
	body["buyer_accepts_sms_marketing"] = c.Customer.AcceptsSMS
	body["sms_marketing_phone"] = nil
	if c.Customer.AcceptsSMS {
		body["sms_marketing_phone"] = nullable(c.Customer.Phone)
	}
	body["email"], body["phone"] = nullable(c.Customer.Email), nullable(c.Customer.Phone)
	return encode(body)
}

// OrderBody is the body of orders/create, orders/paid, orders/updated and
// orders/cancelled.
// https://shopify.dev/docs/api/webhooks#list-of-topics-orders/paid
func OrderBody(o Order) []byte {
	c := o.Checkout
	body := common(c)
	body["id"], body["admin_graphql_api_id"] = o.ID, "gid://shopify/Order/"+strconv.FormatInt(o.ID, 10)
	body["token"], body["checkout_token"], body["checkout_id"] = randomHex(16), c.Token, c.ID
	body["name"], body["order_number"], body["number"] = "#"+strconv.Itoa(o.Number), o.Number, o.Number-1000
	body["created_at"], body["updated_at"], body["processed_at"] = o.CreatedAt, o.UpdatedAt, o.CreatedAt
	body["cancelled_at"], body["cancel_reason"] = optional(o.CancelledAt), nil
	body["financial_status"], body["confirmed"], body["test"] = "pending", true, false
	body["email"], body["contact_email"], body["phone"] = c.Customer.Email, c.Customer.Email, nullable(c.Customer.Phone)
	body["refunds"] = []any{}
	if o.Paid {
		body["financial_status"] = "paid"
	}
	if !o.CancelledAt.IsZero() {
		body["cancel_reason"] = "customer"
	}
	if !o.RefundedAt.IsZero() {
		body["financial_status"] = "refunded"
		body["refunds"] = []any{refund(o)}
	}
	return encode(body)
}

// RefundBody is the body of refunds/create.
// https://shopify.dev/docs/api/webhooks#list-of-topics-refunds/create
func RefundBody(o Order) []byte { return encode(refund(o)) }

func refund(o Order) map[string]any {
	return map[string]any{
		"id": o.ID + 1e11, "order_id": o.ID, "created_at": o.RefundedAt, "processed_at": o.RefundedAt, "note": nil, "restock": true,
		"transactions": []any{map[string]any{
			"id": o.ID + 2e11, "order_id": o.ID, "kind": "refund", "status": "success", "amount": o.Checkout.Total().StringFixed(2), "currency": currency,
		}},
	}
}

// EmailConsentBody is the body of customers_email_marketing_consent/update.
func EmailConsentBody(c Customer) []byte {
	return encode(map[string]any{"customer_id": c.ID(), "email_address": c.Email, "email_marketing_consent": consent(c.AcceptsEmail, c.ConsentAt)})
}

// SMSConsentBody is the body of customers_marketing_consent/update.
func SMSConsentBody(c Customer) []byte {
	state := consent(c.AcceptsSMS, c.ConsentAt)
	state["consent_collected_from"] = "SHOPIFY"
	return encode(map[string]any{"id": c.ID(), "phone": c.Phone, "sms_marketing_consent": state})
}

func consent(given bool, at time.Time) map[string]any {
	state := "not_subscribed"
	if given {
		state = "subscribed"
	} else if !at.IsZero() {
		state = "unsubscribed"
	}
	return map[string]any{"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": optional(at)}
}

// common is what checkouts and orders share.
func common(c Checkout) map[string]any {
	codes, lines := []any{}, []any{}
	if c.Code != "" {
		kind := "fixed_amount"
		switch {
		case c.Terms.FreeShipping:
			kind = "shipping"
		case c.Terms.Percentage.IsPositive():
			kind = "percentage"
		}
		codes = append(codes, map[string]any{"code": c.Code, "amount": c.Discount().StringFixed(2), "type": kind})
	}
	for i, l := range c.Lines {
		lines = append(lines, map[string]any{
			"id": c.ID*10 + int64(i), "product_id": l.ProductID, "variant_id": l.ProductID + 1, "sku": l.SKU, "title": l.Title, "name": l.Title,
			"variant_title": nil, "vendor": "Kettle & Leaf", "quantity": l.Quantity, "price": l.Price.StringFixed(2),
			"line_price": l.Price.Mul(decimal.NewFromInt(int64(l.Quantity))).StringFixed(2),
			"grams":      250, "requires_shipping": true, "taxable": true, "gift_card": false,
		})
	}
	return map[string]any{
		"cart_token": c.CartToken, "currency": currency, "presentment_currency": currency, "source_name": "web",
		"buyer_accepts_marketing": c.Customer.AcceptsEmail, "customer_locale": or(c.Customer.Locale, "en"),
		"line_items": lines, "discount_codes": codes, "note_attributes": []any{}, "taxes_included": true,
		"subtotal_price": c.Subtotal().Sub(productDiscount(c)).StringFixed(2), "total_line_items_price": c.Subtotal().StringFixed(2),
		"total_discounts": c.Discount().StringFixed(2), "total_price": c.Total().StringFixed(2), "total_tax": "0.00",
		"customer": customer(c),
	}
}

func productDiscount(c Checkout) decimal.Decimal {
	if c.Terms.FreeShipping {
		return decimal.Zero
	}
	return c.Discount()
}

func customer(c Checkout) any {
	p := c.Customer
	if p.ID() == 0 {
		return nil
	}
	country := or(p.Country, "DE")
	return map[string]any{
		"id": p.ID(), "admin_graphql_api_id": "gid://shopify/Customer/" + strconv.FormatInt(p.ID(), 10),
		"email": nullable(p.Email), "phone": nullable(p.Phone), "first_name": nullable(p.FirstName), "last_name": nullable(p.LastName),
		"created_at": c.CreatedAt, "updated_at": c.UpdatedAt, "state": "disabled", "verified_email": true, "tags": "", "currency": currency,
		"email_marketing_consent": consent(p.AcceptsEmail, p.ConsentAt), "sms_marketing_consent": consent(p.AcceptsSMS, p.ConsentAt),
		"default_address": map[string]any{"country_code": country, "first_name": nullable(p.FirstName), "last_name": nullable(p.LastName)},
	}
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings, numbers and times always encode
	}
	return b
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
