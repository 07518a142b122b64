package twilio

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

const sending = "sending an SMS"

// Sender sends through Twilio's SDK. Twilio has no idempotency keys; what became
// of a message without an answer is looked up, see Find.
type Sender struct {
	cfg      *Config
	settings integrations.Settings
	classify integrations.Classifier
	pacer    *integrations.Pacer
}

var (
	_ integrations.Channel = (*Sender)(nil)
	_ integrations.Finder  = (*Sender)(nil)
	_ integrations.Checker = (*Sender)(nil)
)

func newSender(c *Config, s integrations.Settings) *Sender {
	return &Sender{
		cfg:      c,
		settings: s,
		classify: integrations.Classifier{Vendor: kind, RetryOn: c.RetryOn, Now: s.Now},
		pacer:    integrations.NewPacer(kind, c.Rate),
	}
}

// Channel names what is carried.
func (s *Sender) Channel() string { return event.ChannelSMS }

// Send hands one message to Twilio; accepted is a 201. A TemplateID is a content
// template (HX…), to whose variables Data is handed.
func (s *Sender) Send(ctx context.Context, m integrations.Message) (integrations.Sent, error) {
	params, problem := s.params(m)
	if problem != "" {
		return integrations.Sent{}, s.classify.Refused(sending, integrations.Invalid, problem)
	}
	if err := s.pacer.Take(ctx, sending); err != nil {
		return integrations.Sent{}, err
	}
	call := s.call(integrations.WithDeadline(ctx, m.Deadline))
	created, err := call.api().CreateMessage(params)
	if failure := s.failed(sending, call, err); failure != nil {
		return integrations.Sent{}, failure
	}
	if call.status != http.StatusCreated {
		// Something in between answered, or nothing was created.
		return integrations.Sent{}, s.classify.Refused(sending, integrations.Unknown, strconv.Itoa(call.status))
	}
	sent := integrations.Sent{At: s.settings.Now()}
	// The status line said that it was taken; an unreadable answer only hides the id.
	if created != nil && created.Sid != nil {
		sent.VendorID = *created.Sid
	}
	return sent, nil
}

func (s *Sender) params(m integrations.Message) (params *api.CreateMessageParams, problem string) {
	params = (&api.CreateMessageParams{}).SetTo(m.To)
	if s.cfg.MessagingService != "" {
		params.SetMessagingServiceSid(s.cfg.MessagingService)
	} else {
		params.SetFrom(s.cfg.From)
	}
	if m.StatusURL != "" {
		params.SetStatusCallback(m.StatusURL)
	}
	switch {
	case m.To == "":
		return nil, "no_address"
	case m.TemplateID == "" && m.Text == "":
		return nil, "no_content"
	case m.TemplateID == "":
		return params.SetBody(m.Text), ""
	}
	params.SetContentSid(m.TemplateID)
	if len(m.Data) > 0 {
		variables, err := json.Marshal(m.Data)
		if err != nil {
			return nil, "data_not_json"
		}
		params.SetContentVariables(string(variables))
	}
	return params, ""
}

// Check asks for one message, which every kind of key may read.
func (s *Sender) Check(ctx context.Context) error {
	const checking = "checking the account"
	call := s.call(ctx)
	_, err := call.api().PageMessage((&api.ListMessageParams{}).SetPageSize(1), "", "")
	if failure := s.failed(checking, call, err); failure != nil {
		return failure
	}
	return nil
}

// classes are error codes that say more than the HTTP status they come with.
//
// https://www.twilio.com/docs/api/errors
var classes = map[int]integrations.Class{
	20003: integrations.Auth,        // authentication failed
	20005: integrations.Auth,        // the account is not active
	20429: integrations.RateLimited, // too many requests; never processed
	21211: integrations.Invalid,     // To is not a phone number
	21217: integrations.Invalid,     // the number does not seem to be valid
	21408: integrations.Invalid,     // sending to this region isn't switched on
	21606: integrations.Invalid,     // From can't send SMS
	21608: integrations.Invalid,     // a trial account may only write to verified numbers
	21610: integrations.Suppressed,  // the person answered STOP
	21612: integrations.Invalid,     // To can't be reached from From
	21614: integrations.Invalid,     // To is not a mobile number
	21617: integrations.Invalid,     // the text is too long
	30001: integrations.RateLimited, // the queue is full
	63038: integrations.RateLimited, // the day's limit is reached
}

// failed classes a call: by Twilio's own code, else by status, else by what
// happened to the connection. Nil if Twilio said that it did as asked.
func (s *Sender) failed(doing string, call *call, err error) *integrations.Error {
	if call.status == 0 {
		if err == nil {
			err = errors.New("no answer")
		}
		return s.classify.Transport(doing, err)
	}
	failure := s.classify.Status(doing, call.status, call.header)
	if failure == nil {
		return nil
	}
	told, ok := errors.AsType[*client.TwilioRestError](err)
	if !ok {
		return failure
	}
	failure.Detail = told.Message
	if told.Code != 0 {
		failure.Code = strconv.Itoa(told.Code)
	}
	// A server error stays unknown whatever code it names.
	if class, known := classes[told.Code]; known && call.status < 500 {
		failure.Class = class
	}
	return failure
}
