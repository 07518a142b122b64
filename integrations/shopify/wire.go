package shopify

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"scrip.dev/scrip/event"
)

// The resources in webhooks' bodies, as far as they are read. Every value may be
// null, and one that isn't what it should be is as if it weren't there: a
// webhook with one odd field still counts.
//
// https://shopify.dev/docs/api/webhooks

// text takes a string or a number.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if json.Unmarshal(data, &n) == nil && len(n) <= 40 {
		*t = text(n)
	}
	return nil
}

// amount takes a decimal in a string or a number.
type amount struct{ decimal.Decimal }

func (a *amount) UnmarshalJSON(data []byte) error {
	if parsed, err := event.ParseAmount(strings.Trim(string(data), `"`)); err == nil {
		a.Decimal = parsed
	}
	return nil
}

// moment takes a time in RFC 3339.
type moment struct{ time.Time }

func (m *moment) UnmarshalJSON(data []byte) error {
	at, err := time.Parse(time.RFC3339, strings.Trim(string(data), `"`))
	// In UTC a time may leave the years that JSON can hold.
	if at = at.UTC(); err == nil && at.Year() >= 1 && at.Year() <= 9999 {
		m.Time = at
	}
	return nil
}

// flag takes a boolean.
type flag bool

func (f *flag) UnmarshalJSON(data []byte) error {
	*f = string(data) == "true"
	return nil
}

type discountCode struct {
	Code   text   `json:"code"`
	Amount amount `json:"amount"` // what it took off, also where its type is percentage
}

type lineItem struct {
	SKU       text   `json:"sku"`
	ProductID text   `json:"product_id"`
	VariantID text   `json:"variant_id"`
	Title     text   `json:"title"`
	Quantity  amount `json:"quantity"`
	Price     amount `json:"price"`
}

type address struct {
	CountryCode text `json:"country_code"`
}

// cart is what checkouts and orders have in common.
type cart struct {
	ID               text           `json:"id"`
	CartToken        text           `json:"cart_token"`
	Email            text           `json:"email"`
	ContactEmail     text           `json:"contact_email"`
	Phone            text           `json:"phone"`
	SMSPhone         text           `json:"sms_marketing_phone"`
	AcceptsMarketing flag           `json:"buyer_accepts_marketing"`
	AcceptsSMS       flag           `json:"buyer_accepts_sms_marketing"`
	Locale           text           `json:"customer_locale"`
	Currency         text           `json:"currency"`
	TotalPrice       amount         `json:"total_price"`
	SubtotalPrice    amount         `json:"subtotal_price"`
	TotalDiscounts   amount         `json:"total_discounts"`
	DiscountCodes    []discountCode `json:"discount_codes"`
	LineItems        []lineItem     `json:"line_items"`
	SourceName       text           `json:"source_name"`
	CreatedAt        moment         `json:"created_at"`
	UpdatedAt        moment         `json:"updated_at"`
	Customer         *customer      `json:"customer"`
	BillingAddress   *address       `json:"billing_address"`
	ShippingAddress  *address       `json:"shipping_address"`
	Test             flag           `json:"test"`
}

type checkout struct {
	cart
	Token       text   `json:"token"`
	RecoveryURL text   `json:"abandoned_checkout_url"`
	CompletedAt moment `json:"completed_at"`
}

type order struct {
	cart
	CheckoutToken     text   `json:"checkout_token"`
	OrderNumber       amount `json:"order_number"`
	FinancialStatus   text   `json:"financial_status"`
	FulfillmentStatus text   `json:"fulfillment_status"`
	CancelReason      text   `json:"cancel_reason"`
	CancelledAt       moment `json:"cancelled_at"`
	Tags              text   `json:"tags"`
}

type refund struct {
	ID           text        `json:"id"`
	OrderID      text        `json:"order_id"`
	CreatedAt    moment      `json:"created_at"`
	Transactions []settled   `json:"transactions"`
	Lines        []restocked `json:"refund_line_items"`
}

type settled struct {
	Kind     text   `json:"kind"`
	Status   text   `json:"status"`
	Amount   amount `json:"amount"`
	Currency text   `json:"currency"`
}

type restocked struct {
	Quantity amount `json:"quantity"`
}

type marketingConsent struct {
	State     text   `json:"state"`
	OptIn     text   `json:"opt_in_level"`
	UpdatedAt moment `json:"consent_updated_at"`
	From      text   `json:"consent_collected_from"`
}

type customer struct {
	ID             text              `json:"id"`
	Email          text              `json:"email"`
	Phone          text              `json:"phone"`
	FirstName      text              `json:"first_name"`
	LastName       text              `json:"last_name"`
	Locale         text              `json:"locale"`
	Tags           text              `json:"tags"`
	State          text              `json:"state"`
	OrdersCount    amount            `json:"orders_count"`
	TotalSpent     amount            `json:"total_spent"`
	CreatedAt      moment            `json:"created_at"`
	UpdatedAt      moment            `json:"updated_at"`
	EmailConsent   *marketingConsent `json:"email_marketing_consent"`
	SMSConsent     *marketingConsent `json:"sms_marketing_consent"`
	DefaultAddress *address          `json:"default_address"`
}

// consentUpdate is the body of both consent topics.
type consentUpdate struct {
	ID           text              `json:"id"`
	CustomerID   text              `json:"customer_id"`
	Email        text              `json:"email"`
	EmailAddress text              `json:"email_address"`
	Phone        text              `json:"phone"`
	EmailConsent *marketingConsent `json:"email_marketing_consent"`
	SMSConsent   *marketingConsent `json:"sms_marketing_consent"`
}

// privacyRequest is the body of the three privacy topics.
type privacyRequest struct {
	ShopDomain  text      `json:"shop_domain"`
	Customer    *customer `json:"customer"`
	DataRequest *struct {
		ID text `json:"id"`
	} `json:"data_request"`
}
