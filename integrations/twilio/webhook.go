package twilio

import (
	"fmt"
	"io"
	"net/http"
	"net/url"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

// Topics: what stands behind the connection's name in a webhook's address.
const (
	topicStatus  = "status"
	topicInbound = "inbound"
)

// messageParam carries our message id in the address of a status callback.
const messageParam = "m"

// Webhooks reads Twilio's status callbacks and inbound messages.
type Webhooks struct{ cfg *Config }

var (
	_ integrations.Source    = (*Webhooks)(nil)
	_ integrations.Responder = (*Webhooks)(nil)
)

// Receive verifies a webhook. Twilio signs no time, so an old one is recognised
// by its key alone: the message and, for a status, which one.
func (w *Webhooks) Receive(r integrations.Request) (integrations.Receipt, error) {
	if r.Topic != topicStatus && r.Topic != topicInbound {
		return integrations.Receipt{}, errTopic
	}
	signature := r.Header.Get(signatureHeader)
	if signature == "" {
		return integrations.Receipt{}, integrations.ErrUnsigned
	}
	params, err := url.ParseQuery(string(r.Body))
	if r.URL == nil || !signed(w.cfg.AuthToken.Reveal(), signature, r.URL, params, r.Body) {
		return integrations.Receipt{}, integrations.ErrSignature
	}
	sid := params.Get("MessageSid")
	if err != nil || sid == "" || len(sid) > 64 {
		return integrations.Receipt{}, integrations.ErrMalformed
	}
	if params.Get("AccountSid") != w.cfg.AccountSID {
		return integrations.Receipt{}, integrations.ErrAccount
	}
	receipt := integrations.Receipt{Topic: r.Topic, Key: r.Topic + ":" + sid, Meta: map[string]string{}}
	if r.Topic == topicStatus {
		receipt.Key += fmt.Sprintf(":%.32s", params.Get("MessageStatus"))
	} else {
		// Twilio doesn't say when it was written. What a person wrote is compared
		// with what they said elsewhere, so the time is of the processes' clock.
		receipt.SentAt = r.At
	}
	if id := r.URL.Query().Get(messageParam); id != "" {
		receipt.Meta[messageParam] = id
	}
	return receipt, nil
}

var errTopic = &integrations.Refusal{Status: http.StatusBadRequest, Code: integrations.ErrTopic.Code,
	Message: "the address has to end in /status or /inbound; correct it in Twilio's console"}

// Normalise turns a status into evidence, and an inbound message into an event.
func (w *Webhooks) Normalise(d integrations.Delivery) (event.Batch, error) {
	params, err := url.ParseQuery(string(d.Body))
	if err != nil || params.Get("MessageSid") == "" {
		return event.Batch{}, fmt.Errorf("reading a Twilio webhook: its parameters can't be read")
	}
	if d.Topic == topicInbound {
		return inbound(params, d), nil
	}
	return status(params, d), nil
}

// Respond answers with no instructions: Twilio itself answers STOP and START.
func (w *Webhooks) Respond(rw http.ResponseWriter, _ integrations.Request) {
	rw.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = io.WriteString(rw, `<?xml version="1.0" encoding="UTF-8"?><Response/>`)
}
