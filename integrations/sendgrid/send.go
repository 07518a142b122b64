package sendgrid

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sendgrid/rest"
	"github.com/sendgrid/sendgrid-go"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

// messageArg is the custom argument that carries our message id; SendGrid
// repeats it in every event about the message.
const messageArg = "scrip_message"

// maxDetail is how much of an error's text is kept, in bytes.
const maxDetail = 2000

const sending = "sending an e-mail"

// Mailer sends through SendGrid's SDK. SendGrid has neither idempotency keys nor
// a way to look a message up: without an answer, its outcome is unknown until an
// event tells.
type Mailer struct {
	cfg      *Config
	client   *rest.Client
	classify integrations.Classifier
	pacer    *integrations.Pacer
	now      func() time.Time
}

var (
	_ integrations.Channel = (*Mailer)(nil)
	_ integrations.Checker = (*Mailer)(nil)
)

func newMailer(c *Config, s integrations.Settings) *Mailer {
	return &Mailer{
		cfg:      c,
		client:   &rest.Client{HTTPClient: s.HTTP},
		classify: integrations.Classifier{Vendor: kind, RetryOn: c.RetryOn, Now: s.Now},
		pacer:    integrations.NewPacer(kind, c.Rate),
		now:      s.Now,
	}
}

// Channel names what is carried.
func (m *Mailer) Channel() string { return event.ChannelEmail }

// Send hands one message to SendGrid; accepted is a 202.
func (m *Mailer) Send(ctx context.Context, message integrations.Message) (integrations.Sent, error) {
	body, err := m.body(message)
	if err != nil {
		return integrations.Sent{}, err
	}
	if err := m.pacer.Take(ctx, sending); err != nil {
		return integrations.Sent{}, err
	}
	request := m.request(http.MethodPost, "/v3/mail/send")
	request.Body = body
	answer, err := m.call(integrations.WithDeadline(ctx, message.Deadline), sending, request)
	if err != nil {
		return integrations.Sent{}, err
	}
	if answer.StatusCode != http.StatusAccepted {
		// SendGrid answers a 200 to what it only checks; else something in between did.
		return integrations.Sent{}, m.classify.Refused(sending, integrations.Unknown, strconv.Itoa(answer.StatusCode))
	}
	return integrations.Sent{VendorID: http.Header(answer.Headers).Get("X-Message-Id"), At: m.now()}, nil
}

// Check asks which scopes the key has.
//
// https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions/retrieve-a-list-of-scopes-for-which-this-user-has-access
func (m *Mailer) Check(ctx context.Context) error {
	const checking = "checking the API key"
	answer, err := m.call(ctx, checking, m.request(http.MethodGet, "/v3/scopes"))
	if err != nil {
		return err
	}
	var granted struct {
		Scopes []string `json:"scopes"`
	}
	if err := json.Unmarshal([]byte(answer.Body), &granted); err != nil {
		return m.classify.Refused(checking, integrations.Unknown, "malformed_answer")
	}
	if !slices.Contains(granted.Scopes, "mail.send") {
		return m.classify.Refused(checking, integrations.Auth, "scope mail.send is missing")
	}
	return nil
}

func (m *Mailer) request(method rest.Method, path string) rest.Request {
	request := sendgrid.GetRequest(m.cfg.APIKey.Reveal(), path, m.cfg.address())
	request.Method = method
	return request
}

func (m *Mailer) call(ctx context.Context, doing string, request rest.Request) (*rest.Response, error) {
	answer, err := m.client.SendWithContext(ctx, request)
	if answer == nil {
		return nil, m.classify.Transport(doing, err)
	}
	// The status line decides, even where the rest of the answer was lost.
	failure := m.classify.Status(doing, answer.StatusCode, answer.Headers)
	if failure == nil {
		return answer, nil
	}
	failure.Detail = answer.Body[:min(len(answer.Body), maxDetail)]
	if failure.Class == integrations.RateLimited && failure.RetryAfter == 0 {
		failure.RetryAfter = m.untilReset(answer.Headers)
	}
	return nil, failure
}

// untilReset reads the header in which SendGrid says, in Unix seconds, when a
// rate limit ends; it sends no Retry-After.
func (m *Mailer) untilReset(header http.Header) time.Duration {
	reset, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil {
		return 0
	}
	return min(max(time.Unix(reset, 0).Sub(m.now()), 0), time.Hour)
}
