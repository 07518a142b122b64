// Package integrations holds the small contracts that vendors fulfil.
//
// A vendor is one folder below this one: its configuration, its client, its
// webhooks, its tests, and a Descriptor that the catalogue lists. It implements
// those of the contracts here that it can; nothing else in the project knows
// its name.
package integrations

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/shopspring/decimal"

	"scrip.dev/scrip/event"
)

// Request is one webhook as it came in: the raw bytes that were signed.
type Request struct {
	Method string
	URL    *url.URL // the public address the vendor called, as it signed it
	Topic  string   // what stands after /hooks/{connection}/ in the path; may be empty
	Header http.Header
	Body   []byte
	At     time.Time // when it came in
}

// Receipt is what a verified webhook is stored under.
type Receipt struct {
	Topic string            // the vendor's event name, verified where it can be
	Key   string            // the same for a redelivery of the same webhook
	Meta  map[string]string // what Normalise needs besides the body; no secrets
	// SentAt is when the vendor says it happened, or when it came in where it
	// doesn't say but the moment counts; zero otherwise.
	SentAt time.Time
}

// Delivery is a stored webhook on its way to becoming events.
type Delivery struct {
	Connection string
	Topic      string
	Meta       map[string]string
	Body       []byte
	SentAt     time.Time
	ReceivedAt time.Time
}

// Source turns a vendor's webhooks into events.
type Source interface {
	// Receive verifies a webhook over its raw bytes, in constant time, and says
	// under which key it is stored. It does not decode more than that needs.
	// Its errors are a *Refusal.
	Receive(Request) (Receipt, error)
	// Normalise is pure: the same delivery gives the same batch. An error means
	// that this delivery can never be understood; it goes to the dead letters.
	Normalise(Delivery) (event.Batch, error)
}

// Member is a connection to an account to which others may belong. A vendor tells of
// all that an account sent through whichever connection takes its webhooks.
type Member interface {
	// Account gives what the connections of one account have in common, and no
	// others have. It may hold secrets: it is compared and shown to nobody.
	Account() []string
}

// Responder is a Source whose vendor expects a certain answer to a webhook.
type Responder interface {
	Respond(http.ResponseWriter, Request)
}

// Message is one rendered message to one person.
type Message struct {
	ID         string // ours; the vendor carries it back in its webhooks
	To         string // address: e-mail, or phone in E.164
	Subject    string // e-mail
	HTML       string // e-mail
	Text       string // e-mail's text part, or the whole SMS
	TemplateID string // a template kept at the vendor, instead of the four above
	Data       map[string]any
	Marketing  bool
	// UnsubscribeURL is the one-click address (RFC 8058); empty for transactional.
	UnsubscribeURL string
	// StatusURL is where the vendor reports on this message, where it is told per
	// message.
	StatusURL string
	// Deadline is the wall-clock moment after which the call may not be written.
	Deadline time.Time
}

// Sent is a vendor's word that it took a message.
type Sent struct {
	VendorID string
	At       time.Time
}

// Channel sends messages. An error is always an *Error; its class says whether
// the vendor certainly took nothing.
type Channel interface {
	// Channel names what it carries: event.ChannelEmail, event.ChannelSMS …
	Channel() string
	Send(context.Context, Message) (Sent, error)
}

// Finder is a Channel that can be asked what became of a message whose call
// ended without an answer.
type Finder interface {
	// Find returns found=false only where the vendor certainly doesn't have it.
	Find(ctx context.Context, m Message, since time.Time) (sent Sent, found bool, err error)
}

// Offer is a coupon as a shop has to know it.
type Offer struct {
	Coupon     string          // our name, used as the discount's title
	ExternalID string          // the shop's id of the discount; empty before the first code
	Percentage decimal.Decimal // 10 means ten percent
	Amount     decimal.Decimal
	Currency   string
	// FreeShipping excludes Percentage and Amount.
	FreeShipping bool
	MinOrder     decimal.Decimal // zero: none
	PerContact   int             // uses per customer; zero: unlimited
	StartsAt     time.Time
	EndsAt       time.Time // zero: open
}

// ErrOfferGone says that the discount of an offer is no longer in the shop.
var ErrOfferGone = errors.New("the discount is no longer in the shop")

// Issuer makes codes in a shop.
type Issuer interface {
	// Issue makes the code exist in the shop under the offer and returns the
	// discount's id there. Asked again with the same code it succeeds again, so an
	// unknown outcome may be tried again. A code issued so is used once. The error
	// wraps ErrOfferGone where the offer has to be made anew.
	Issue(ctx context.Context, o Offer, code string) (externalID string, err error)
	// Withdraw makes the code unusable. Withdrawing what isn't there succeeds.
	Withdraw(ctx context.Context, o Offer, code string) error
}

// Profile is what is written into a person's record at another system.
type Profile struct {
	Identities []event.Identity
	Fields     map[string]any
}

// ProfileSync writes a code or a tag into a profile, list or row elsewhere.
type ProfileSync interface {
	Sync(ctx context.Context, p Profile) error
}

// Caller makes the request of a `call` step and returns its JSON answer.
type Caller interface {
	Call(ctx context.Context, method, path string, body any) (answer any, err error)
}

// Checker is asked by `scrip doctor` whether the account can be used. It
// changes nothing at the vendor.
type Checker interface {
	Check(context.Context) error
}

// Reconciler makes the vendor's webhook subscriptions what they should be.
type Reconciler interface {
	// Reconcile returns one sentence for each thing it changed.
	Reconcile(ctx context.Context, hookURL string) (changes []string, err error)
}

// Settings is what a vendor's New gets.
type Settings struct {
	Name   string // the connection's name in scrip.yaml
	Decode func(into any) error
	HTTP   *http.Client // for vendors without an SDK; see NewHTTPClient
	Now    func() time.Time
}

// Descriptor is a vendor's entry in the catalogue.
type Descriptor struct {
	Kind  string // the word in scrip.yaml: shopify
	Title string // the vendor's own name
	Docs  string // where the vendor documents what we use
	Does  []string
	// Example is a connection as it would stand in scrip.yaml, without secrets.
	Example string
	// Setup says in Markdown what has to be done at the vendor, and what its
	// webhooks become.
	Setup string
	New   func(Settings) (any, error)
}
