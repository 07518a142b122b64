package twilio

import (
	"net/url"
	"strconv"
	"strings"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

// MessageReceived is the event of an inbound message that is no keyword.
const MessageReceived = "message.received"

// statuses is what a message's status means; a later one may come first.
//
// https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
var statuses = map[string]string{
	"accepted":            event.StatusAccepted,
	"scheduled":           event.StatusAccepted,
	"queued":              event.StatusAccepted,
	"sending":             event.StatusAccepted,
	"sent":                event.StatusAccepted,
	"delivered":           event.StatusDelivered,
	"partially_delivered": event.StatusDelivered,
	"read":                event.StatusOpened,
	"undelivered":         event.StatusFailed,
	"failed":              event.StatusFailed,
	"canceled":            event.StatusFailed,
}

// hopeless are delivery errors after which a number is not written to again.
//
// https://www.twilio.com/docs/api/errors
var hopeless = map[string]string{
	"21610": event.StatusUnsubscribed, // the person answered STOP
	"30005": event.StatusBounced,      // the number is unknown or no longer exists
	"30006": event.StatusBounced,      // a landline, or a carrier that can't be reached
}

func status(params url.Values, d integrations.Delivery) event.Batch {
	meaning, known := statuses[params.Get("MessageStatus")]
	if !known {
		return event.Batch{}
	}
	evidence := event.Evidence{
		MessageID: d.Meta[messageParam],
		VendorID:  params.Get("MessageSid"),
		Status:    meaning,
		At:        d.ReceivedAt,
	}
	if code := params.Get("ErrorCode"); len(code) <= 16 {
		evidence.Reason = code
	}
	if final, found := hopeless[evidence.Reason]; found && meaning == event.StatusFailed {
		channel, address := addressOf(params.Get("To"))
		evidence.Status = final
		if address != "" {
			evidence.Suppress, evidence.Address = channel, address
		}
	}
	return event.Batch{Evidence: []event.Evidence{evidence}}
}

// Words that stop and start messages where Advanced Opt-Out isn't switched on.
//
// https://help.twilio.com/articles/223134027
var (
	stopWords  = wordSet("STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT")
	startWords = wordSet("START", "YES", "UNSTOP")
)

func wordSet(words ...string) map[string]bool {
	set := map[string]bool{}
	for _, word := range words {
		set[word] = true
	}
	return set
}

func inbound(params url.Values, d integrations.Delivery) event.Batch {
	channel, from := addressOf(params.Get("From"))
	if from == "" {
		return event.Batch{}
	}
	at := d.SentAt
	if at.IsZero() {
		at = d.ReceivedAt
	}
	e := event.Event{
		Type:       MessageReceived,
		OccurredAt: at,
		Person: event.Person{
			Identities: []event.Identity{{Kind: event.Phone, Value: from}},
			Country:    country(params.Get("FromCountry")),
		},
		Fields: map[string]any{"channel": channel},
	}
	var batch event.Batch
	switch keyword(params) {
	case "STOP":
		e.Type = event.ContactOptedOut
		e.Person.Consents = []event.Consent{{Channel: channel, State: event.Denied, Source: "twilio inbound STOP", At: at}}
		batch.Evidence = []event.Evidence{{VendorID: params.Get("MessageSid"), Status: event.StatusUnsubscribed,
			Reason: "STOP", At: at, Suppress: channel, Address: from}}
	case "START":
		e.Type = event.ContactOptedIn
		e.Person.Consents = []event.Consent{{Channel: channel, State: event.Granted, Source: "twilio inbound START", At: at}}
	default:
		e.Fields["text"] = params.Get("Body")
		e.Fields["media"] = count(params.Get("NumMedia"))
	}
	batch.Events = []event.Event{e}
	return batch
}

// keyword is Twilio's own verdict where it gives one, else the whole text.
func keyword(params url.Values) string {
	if told := params.Get("OptOutType"); told != "" {
		return told
	}
	word := strings.ToUpper(strings.Trim(params.Get("Body"), " \t\r\n.!\"'"))
	switch {
	case stopWords[word]:
		return "STOP"
	case startWords[word]:
		return "START"
	}
	return ""
}

// addressOf splits whatsapp:+4915112345678 into channel and number.
func addressOf(address string) (channel, number string) {
	if number, found := strings.CutPrefix(address, "whatsapp:"); found {
		return "whatsapp", number
	}
	return event.ChannelSMS, address
}

func country(code string) string {
	if len(code) != 2 {
		return ""
	}
	return strings.ToUpper(code)
}

func count(text string) float64 {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return float64(n)
}
