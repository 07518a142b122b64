package sendgrid

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

// Headers of the signed event webhook.
//
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
const (
	signatureHeader = "X-Twilio-Email-Event-Webhook-Signature"
	timestampHeader = "X-Twilio-Email-Event-Webhook-Timestamp"
)

// Events reads the signed event webhook.
type Events struct {
	key    *ecdsa.PublicKey
	maxAge time.Duration
}

var _ integrations.Source = (*Events)(nil)

var errStale = &integrations.Refusal{Status: http.StatusUnauthorized, Code: integrations.ErrStale.Code,
	Message: "the webhook was signed longer ago than the connection's max_age; raise it, where SendGrid was kept waiting for so long"}

// Receive verifies the signature over timestamp and raw body, a trailing line
// break included. One webhook holds many events and is sent again with the same
// body, so the body is the key.
func (e *Events) Receive(r integrations.Request) (integrations.Receipt, error) {
	signature, timestamp := r.Header.Get(signatureHeader), r.Header.Get(timestampHeader)
	if signature == "" || timestamp == "" {
		return integrations.Receipt{}, integrations.ErrUnsigned
	}
	der, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return integrations.Receipt{}, integrations.ErrSignature
	}
	signed := sha256.New()
	signed.Write([]byte(timestamp))
	signed.Write(r.Body)
	if !ecdsa.VerifyASN1(e.key, signed.Sum(nil), der) {
		return integrations.Receipt{}, integrations.ErrSignature
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return integrations.Receipt{}, integrations.ErrSignature
	}
	sentAt := time.Unix(seconds, 0)
	if r.At.Sub(sentAt).Abs() > e.maxAge {
		return integrations.Receipt{}, errStale
	}
	sum := sha256.Sum256(r.Body)
	return integrations.Receipt{Topic: "events", Key: hex.EncodeToString(sum[:]), SentAt: sentAt}, nil
}

// wireEvent is one event; our custom argument stands beside SendGrid's own keys.
//
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
type wireEvent struct {
	Event     string      `json:"event"`
	Email     string      `json:"email"`
	Timestamp json.Number `json:"timestamp"`
	EventID   string      `json:"sg_event_id"`
	VendorID  string      `json:"sg_message_id"`
	Type      string      `json:"type"`   // of a bounce: bounce or blocked
	Status    string      `json:"status"` // enhanced status code of a bounce
	Reason    string      `json:"reason"`
	Message   string      `json:"scrip_message"`
}

// Normalise turns each event into evidence about its message, and unsubscribes
// into events too. SendGrid often sends an event twice; within a webhook the
// second is left out. Of mails that another system sends over the same account only
// what closes an address counts.
func (e *Events) Normalise(d integrations.Delivery) (event.Batch, error) {
	var wired []wireEvent
	body := bytes.TrimSpace(d.Body)
	if len(body) > 0 && body[0] == '{' {
		body = append(append([]byte{'['}, body...), ']')
	}
	if err := json.Unmarshal(body, &wired); err != nil {
		return event.Batch{}, fmt.Errorf("reading SendGrid's events: the body is not an array of events")
	}
	var batch event.Batch
	seen := map[string]bool{}
	for _, w := range wired {
		if w.EventID != "" && seen[w.EventID] {
			continue
		}
		seen[w.EventID] = true
		w.addTo(&batch, d)
	}
	return batch, nil
}

func (w wireEvent) addTo(batch *event.Batch, d integrations.Delivery) {
	at := w.at(d)
	status, suppress, known := w.outcome()
	suppress = suppress && w.Email != ""
	if known && (suppress || w.Message != "") {
		evidence := event.Evidence{MessageID: w.Message, Status: status, Reason: w.code(), At: at}
		if w.Message != "" {
			evidence.VendorID = vendorID(w.VendorID)
		}
		if suppress {
			evidence.Suppress, evidence.Address = event.ChannelEmail, w.Email
		}
		batch.Evidence = append(batch.Evidence, evidence)
	}
	if w.Email == "" {
		return
	}
	switch w.Event {
	case "unsubscribe", "group_unsubscribe":
		batch.Events = append(batch.Events, w.consent(event.ContactOptedOut, event.Denied, at))
	case "group_resubscribe":
		batch.Events = append(batch.Events, w.consent(event.ContactOptedIn, event.Granted, at))
	}
}

func (w wireEvent) consent(name, state string, at time.Time) event.Event {
	return event.Event{
		Type: name, OccurredAt: at,
		Person: event.Person{
			Identities: []event.Identity{{Kind: event.Email, Value: w.Email}},
			Consents:   []event.Consent{{Channel: event.ChannelEmail, State: state, Source: "sendgrid " + w.Event, At: at}},
		},
		Fields: map[string]any{"channel": event.ChannelEmail, "source": "sendgrid " + w.Event},
	}
}

// outcome says what an event tells of its message, and whether its address must
// not be written to again.
func (w wireEvent) outcome() (status string, suppress, known bool) {
	switch w.Event {
	case "processed":
		return event.StatusAccepted, false, true
	case "deferred":
		return event.StatusDeferred, false, true
	case "delivered":
		return event.StatusDelivered, false, true
	case "open":
		return event.StatusOpened, false, true
	case "click":
		return event.StatusClicked, false, true
	case "bounce":
		if w.Type == "blocked" { // this message was refused, the address may be good
			return event.StatusFailed, false, true
		}
		return event.StatusBounced, true, true
	case "dropped":
		if drop, final := drops[w.Reason]; final {
			return drop.status, true, true
		}
		return event.StatusFailed, false, true
	case "spamreport":
		return event.StatusComplained, true, true
	case "unsubscribe", "group_unsubscribe":
		return event.StatusUnsubscribed, true, true
	}
	return "", false, false
}

// drops are the reasons for which SendGrid itself never sends to the address, and
// what they say of it: somebody who unsubscribed may come back, a mailbox that
// doesn't exist won't.
var drops = map[string]struct{ status, reason string }{
	"Bounced Address":        {event.StatusBounced, "bounced_address"},
	"Unsubscribed Address":   {event.StatusUnsubscribed, "unsubscribed_address"},
	"Spam Reporting Address": {event.StatusComplained, "spam_reporting_address"},
	"Invalid":                {event.StatusBounced, "invalid_address"},
}

// code gives the reason without the mail server's text, which repeats addresses.
func (w wireEvent) code() string {
	switch {
	case w.Event == "dropped" && drops[w.Reason].reason != "":
		return drops[w.Reason].reason
	case w.Event == "dropped":
		return "dropped"
	case w.Event == "bounce" && len(w.Status) <= 16:
		return strings.TrimSpace(w.Type + " " + w.Status)
	}
	return ""
}

// at is the event's time in Unix seconds; the webhook's where it has none.
func (w wireEvent) at(d integrations.Delivery) time.Time {
	seconds, err := w.Timestamp.Int64()
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return d.ReceivedAt
	}
	return time.Unix(seconds, 0).UTC()
}

// vendorID cuts the name of the machine from an event's message id; what is left
// is the X-Message-Id of the send.
func vendorID(id string) string {
	for _, machine := range []string{".recvd", ".filter"} {
		if before, _, found := strings.Cut(id, machine); found {
			return before
		}
	}
	return id
}
