package integrations

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Class says what a vendor's answer means for us. It is decided once, in the
// vendor's folder, and acted on in one place, the activities.
type Class int

const (
	// Unknown: there may have been an effect; nobody told us. The zero value, so
	// that what was not thought of is never sent twice.
	Unknown Class = iota
	// Retry: certainly no effect, and it may work later.
	Retry
	// RateLimited: certainly no effect; RetryAfter says when.
	RateLimited
	// Invalid: certainly no effect, and never will have one as it is.
	Invalid
	// Auth: certainly no effect until a person mends the connection.
	Auth
	// Suppressed: the person can't or doesn't want to be reached there.
	Suppressed
)

var classNames = [...]string{"unknown", "retry", "rate_limited", "invalid", "auth", "suppressed"}

func (c Class) String() string { return classNames[c] }

// Error is a vendor's refusal or silence. Its text holds no personal data and no
// secret; Detail may, and is stored, never logged or put into a history.
type Error struct {
	Class      Class
	Vendor     string // the connection's kind
	Doing      string // gerund phrase: "sending an e-mail"
	Code       string // the vendor's own code or the HTTP status
	RetryAfter time.Duration
	Detail     string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s through %s: %s (%s)", e.Doing, e.Vendor, e.Class, e.Code)
}

// ClassOf gives an error's class; Unknown for foreign errors.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Unknown
}

// Refusal is why a webhook was not accepted. Status is what the vendor is
// answered, Code is stable, Message says what to do; none of them repeats the
// request.
type Refusal struct {
	Status  int
	Code    string
	Message string
}

func (r *Refusal) Error() string { return r.Message }

// MaxWebhook is the largest body, in bytes, that is taken from a vendor.
const MaxWebhook = 5 << 20

// Refusals that every source shares.
var (
	ErrSignature = &Refusal{http.StatusUnauthorized, "bad_signature", "the signature does not match; check that the connection's secret is the one the vendor signs with"}
	ErrUnsigned  = &Refusal{http.StatusUnauthorized, "missing_signature", "the signature header is missing; send the webhook signed"}
	ErrStale     = &Refusal{http.StatusUnauthorized, "stale_timestamp", "the signed timestamp is more than five minutes off; check the sender's clock, or send the webhook again"}
	ErrMalformed = &Refusal{http.StatusBadRequest, "malformed_body", "the body could not be read; send it in the format the vendor documents"}
	ErrTopic     = &Refusal{http.StatusBadRequest, "wrong_topic", "the topic in the path and the topic header differ; subscribe each topic to its own address"}
	ErrAccount   = &Refusal{http.StatusForbidden, "wrong_account", "the webhook comes from another account than the connection's"}
)
