package sandbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- Twilio's signature is defined with it
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// phoneBehaviour is what a magic number makes of a message.
type phoneBehaviour struct {
	Suffix  string // the number's last digits: the error code that it gives
	Does    string // for the page that lists them
	refuse  bool   // by the API, else reported as undelivered later
	message string
}

// phoneBehaviours are the magic numbers: +1 555 55 21610, and the like.
// https://www.twilio.com/docs/api/errors
var phoneBehaviours = []phoneBehaviour{
	{Suffix: "21610", Does: "has unsubscribed: the API refuses", refuse: true, message: "Attempt to send to unsubscribed recipient"},
	{Suffix: "21211", Does: "is no valid number: the API refuses", refuse: true, message: "Invalid 'To' Phone Number"},
	{Suffix: "21614", Does: "is no mobile number: the API refuses", refuse: true, message: "'To' number is not a valid mobile number"},
	{Suffix: "21612", Does: "can't be reached from this sender: the API refuses", refuse: true, message: "Message cannot be sent with the current combination of 'To' and/or 'From' parameters"},
	{Suffix: "21408", Does: "is in a region that isn't enabled: the API refuses", refuse: true, message: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number"},
	{Suffix: "20429", Does: "meets the rate limit: the API answers 429", refuse: true, message: "Too Many Requests"},
	{Suffix: "30003", Does: "is switched off: undelivered later"},
	{Suffix: "30005", Does: "is unknown to its network: undelivered later"},
	{Suffix: "30006", Does: "is a landline: undelivered later"},
	{Suffix: "30007", Does: "is filtered by its carrier: undelivered later"},
	{Suffix: "30008", Does: "fails for an unknown reason: undelivered later"},
}

// smsStatuses reports on a message to its status callback.
// https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
func (s *Sandbox) smsStatuses(m Message) (all []report) {
	steps := []Status{{Name: "queued"}, {Name: "sent"}, {Name: "delivered"}}
	for _, b := range phoneBehaviours {
		if !b.refuse && strings.HasSuffix(m.To, b.Suffix) {
			steps[2] = Status{Name: "undelivered", Code: b.Suffix}
		}
	}
	for _, step := range steps {
		all = append(all, report{step, func(time.Time) (webhook, bool) {
			form := s.messageForm(m)
			form.Set("SmsStatus", step.Name)
			form.Set("MessageStatus", step.Name)
			if step.Code != "" {
				form.Set("ErrorCode", step.Code)
			}
			return s.signedForm(step.Name, m.StatusURL, form), m.StatusURL != ""
		}})
	}
	return all
}

// reply is a message that somebody writes on the phone, as Twilio passes it on.
// https://www.twilio.com/docs/messaging/guides/webhook-request
func (s *Sandbox) reply(from, text string) error {
	m := Message{ID: "SM" + randomHex(16), Channel: "sms", Inbound: true, At: s.o.Now(), From: from, To: s.o.Secrets.TwilioFrom, Text: text}
	m.Statuses = []Status{{Name: "received", At: m.At}}
	for _, earlier := range s.messages.all() {
		if earlier.Channel == "sms" && earlier.To == from {
			m.Service = earlier.Service
			if earlier.From != "" {
				m.To = earlier.From
			}
		}
	}
	if err := s.take(m); err != nil {
		return fmt.Errorf("keeping the reply: %w", err)
	}
	form := s.messageForm(m)
	form.Set("Body", text)
	form.Set("SmsStatus", "received")
	form.Set("SmsMessageSid", m.ID)
	form.Set("NumMedia", "0")
	form.Set("NumSegments", strconv.Itoa(segments(text)))
	if kind := optOutType(text); kind != "" {
		form.Set("OptOutType", kind)
	}
	s.later(func(ctx context.Context) {
		s.post(ctx, s.signedForm("inbound", s.o.HookURL(s.o.Connections.Twilio, "inbound"), form))
	})
	return nil
}

// optOutType is how Twilio's Advanced Opt-Out reads a message; empty for an
// ordinary one.
func optOutType(text string) string {
	switch strings.ToUpper(strings.TrimSpace(text)) {
	case "STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT":
		return "STOP"
	case "START", "YES", "UNSTOP":
		return "START"
	case "HELP", "INFO":
		return "HELP"
	}
	return ""
}

func (s *Sandbox) messageForm(m Message) url.Values {
	form := url.Values{
		"MessageSid": {m.ID}, "SmsSid": {m.ID}, "AccountSid": {s.o.Secrets.TwilioAccountSID},
		"From": {m.From}, "To": {m.To}, "ApiVersion": {"2010-04-01"},
	}
	if m.Service != "" {
		form.Set("MessagingServiceSid", m.Service)
	}
	return form
}

func (s *Sandbox) signedForm(topic, address string, form url.Values) webhook {
	header := http.Header{
		"Content-Type":               {"application/x-www-form-urlencoded; charset=UTF-8"},
		"User-Agent":                 {"TwilioProxy/1.1"},
		"I-Twilio-Idempotency-Token": {randomHex(16)},
		"X-Twilio-Signature":         {SignTwilio(s.o.Secrets.TwilioAuthToken, address, form)},
	}
	return webhook{vendor: vendorTwilio, topic: topic, url: address, header: header, body: []byte(form.Encode())}
}

// SignTwilio gives the X-Twilio-Signature of a form that is sent to an address.
// https://www.twilio.com/docs/usage/security#validating-requests
func SignTwilio(authToken, address string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(authToken))
	mac.Write([]byte(address))
	keys := make([]string, 0, len(form))
	for k := range form {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		values := slices.Clone(form[k])
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			mac.Write([]byte(k + v))
		}
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
