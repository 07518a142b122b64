package integrations

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// longestRetryAfter bounds what a vendor may ask us to wait.
const longestRetryAfter = 24 * time.Hour

// Classifier turns what came back from a vendor into an *Error.
type Classifier struct {
	Vendor string
	// RetryOn lists statuses with which this vendor is known to have taken
	// nothing, besides those that say so themselves.
	RetryOn []int
	Now     func() time.Time // default time.Now
}

// ClassOfStatus says what an HTTP status means for us where the vendor says
// nothing more exact. A 2xx is no error and is not asked about.
func ClassOfStatus(status int, retryAfter bool) Class {
	switch status {
	case http.StatusTooManyRequests:
		return RateLimited
	case http.StatusServiceUnavailable:
		if retryAfter {
			return RateLimited
		}
		return Unknown
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusPaymentRequired,
		http.StatusProxyAuthRequired, http.StatusNetworkAuthenticationRequired:
		return Auth
	case http.StatusMisdirectedRequest, http.StatusLocked, http.StatusTooEarly:
		return Retry
	case http.StatusRequestTimeout, 499: // the vendor's side gave up on a request it may have passed on
		return Unknown
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return Invalid
	}
	// A redirect is not followed with a body, so nothing was done.
	if status >= 300 && status < 500 {
		return Invalid
	}
	return Unknown
}

// Status classes an answer; nil for a 2xx.
func (c Classifier) Status(doing string, status int, header http.Header) *Error {
	if status >= 200 && status < 300 {
		return nil
	}
	after, given := c.retryAfter(header)
	class := ClassOfStatus(status, given)
	if class == Unknown && slices.Contains(c.RetryOn, status) {
		class = Retry
	}
	e := &Error{Class: class, Vendor: c.Vendor, Doing: doing, Code: strconv.Itoa(status)}
	if class == RateLimited || class == Retry {
		e.RetryAfter = after
	}
	return e
}

// Transport classes a call that ended without an answer. An *Error in the chain
// is handed on as it is.
func (c Classifier) Transport(doing string, err error) *Error {
	if already, ok := errors.AsType[*Error](err); ok {
		return already
	}
	e := &Error{Class: Unknown, Vendor: c.Vendor, Doing: doing, Code: reasonOf(err)}
	switch failure, ok := errors.AsType[*TransportError](err); {
	case errors.Is(err, ErrPrivateAddress):
		e.Class = Invalid
	case ok && !failure.Written:
		e.Class = Retry
	}
	return e
}

// Refused makes the error of an answer whose meaning the vendor's own code told.
func (c Classifier) Refused(doing string, class Class, code string) *Error {
	return &Error{Class: class, Vendor: c.Vendor, Doing: doing, Code: code}
}

// retryAfter reads both forms of the header (RFC 9110, 10.2.3).
func (c Classifier) retryAfter(header http.Header) (time.Duration, bool) {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, longestRetryAfter.Seconds()) * float64(time.Second)), true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	return min(max(at.Sub(now()), 0), longestRetryAfter), true
}

// reasonOf names why a call failed without repeating the error, whose text may
// hold an address or a query.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, ErrDeadline):
		return "deadline_passed"
	case errors.Is(err, ErrPrivateAddress):
		return "private_address"
	case errors.Is(err, ErrAnswerTooLarge):
		return "answer_too_large"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case isDNS(err):
		return "dns"
	case isTimeout(err):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused"
	case isTLS(err):
		return "tls"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return "connect"
	}
	return "connection_lost"
}

func isDNS(err error) bool {
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func isTLS(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	return record || alert || verification || host || authority
}
