// Package event holds what happened, in one form for every vendor.
//
// A vendor's webhook is normalised into a Batch: the events it tells of, in the
// order in which campaigns see them, and what it says about messages that were
// sent. The package knows nobody else in this project.
package event

import (
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Types that Scrip itself understands. Sources may send others; a campaign can
// react to any type.
const (
	CheckoutUpdated  = "checkout.updated"
	OrderCreated     = "order.created"
	OrderPaid        = "order.paid"
	OrderCancelled   = "order.cancelled"
	OrderRefunded    = "order.refunded"
	ContactOptedIn   = "contact.opted_in"
	ContactOptedOut  = "contact.opted_out"
	OptInRequested   = "contact.opt_in_requested"
	ContactUpdated   = "contact.updated"
	CodeApplied      = "code.applied"
	CodeRedeemed     = "code.redeemed"
	CodeRolledBack   = "code.rolled_back"
	CodeExpired      = "code.expired"
	CodeAssigned     = "code.assigned"
	CouponLow        = "coupon.low"
	CouponEmpty      = "coupon.empty"
	LimitReached     = "coupon.limit_reached"
	CouponExpired    = "coupon.expired"
	MessageDelivered = "message.delivered"
)

// Kinds of identity.
const (
	Email    = "email"
	Phone    = "phone"
	External = "external" // an id in another system; its realm says which
)

// Channels on which a person consents and is written to.
const (
	ChannelEmail = "email"
	ChannelSMS   = "sms"
)

// Identity is one way in which a system knows a person.
type Identity struct {
	Kind  string `json:"kind"`            // Email, Phone or External
	Realm string `json:"realm,omitempty"` // for External: the connection whose id it is
	Value string `json:"value"`           // as the source wrote it; the store normalises it
}

// Consent is what a person allowed on one channel.
type Consent struct {
	Channel string    `json:"channel"`          // ChannelEmail, ChannelSMS …
	State   string    `json:"state"`            // "granted", "denied" or "pending"
	Source  string    `json:"source,omitempty"` // where it was given, for the record
	At      time.Time `json:"at"`               // when it was given; zero means when the event happened
}

// Consent states.
const (
	Granted = "granted"
	Denied  = "denied"
	Pending = "pending"
)

// Person is what one event tells of a person. Empty fields say nothing and
// change nothing.
type Person struct {
	Identities []Identity     `json:"identities,omitempty"`
	FirstName  string         `json:"first_name,omitempty"`
	LastName   string         `json:"last_name,omitempty"`
	Locale     string         `json:"locale,omitempty"`    // BCP 47
	TimeZone   string         `json:"time_zone,omitempty"` // IANA
	Country    string         `json:"country,omitempty"`   // ISO 3166-1 alpha-2
	Tags       []string       `json:"tags,omitempty"`      // added, never removed
	Attributes map[string]any `json:"attributes,omitempty"`
	Consents   []Consent      `json:"consents,omitempty"`
}

// Order is the money side of an order event, for the redemption record.
type Order struct {
	ID       string          `json:"id"`       // the shop's order id
	Total    decimal.Decimal `json:"total"`    // what was paid, in Currency
	Discount decimal.Decimal `json:"discount"` // what the code took off, in Currency
	Currency string          `json:"currency"` // ISO 4217
}

// Event is one thing that happened.
type Event struct {
	Type       string         `json:"type"` // dotted: order.paid
	OccurredAt time.Time      `json:"occurred_at"`
	Person     Person         `json:"person"`          // whose event it is; empty for a coupon's
	Token      string         `json:"token,omitempty"` // a cart or checkout that may be linked to a person later
	Code       string         `json:"code,omitempty"`  // for code.*: the code string
	Order      *Order         `json:"order,omitempty"` // for code.redeemed and code.rolled_back, and order.*
	Fields     map[string]any `json:"fields"`          // what campaigns read as event.NAME; JSON types only
}

// What a vendor says became of a message.
const (
	StatusAccepted     = "accepted"
	StatusDeferred     = "deferred"
	StatusDelivered    = "delivered"
	StatusOpened       = "opened"
	StatusClicked      = "clicked"
	StatusFailed       = "failed" // not delivered: blocked, dropped, undeliverable
	StatusBounced      = "bounced"
	StatusComplained   = "complained"
	StatusUnsubscribed = "unsubscribed"
)

// Evidence is what a channel vendor tells, after the call, about one message.
type Evidence struct {
	MessageID string    `json:"message_id,omitempty"` // ours, where the vendor carries it
	VendorID  string    `json:"vendor_id,omitempty"`  // the vendor's
	Status    string    `json:"status"`
	Reason    string    `json:"reason,omitempty"` // the vendor's code, without personal data
	At        time.Time `json:"at"`
	// Suppress names the channel on which the address must not be written to
	// again: set on hard bounces, complaints and unsubscribes.
	Suppress string `json:"suppress,omitempty"`
	Address  string `json:"address,omitempty"` // the address the vendor named, for the suppression
}

// Batch is all that one webhook tells. Events come in the order in which
// campaigns see them: code events before order events.
type Batch struct {
	Events   []Event    `json:"events,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// NormaliseCode gives the form in which codes are compared: shops ignore case.
func NormaliseCode(code string) string { return strings.ToUpper(strings.TrimSpace(code)) }
