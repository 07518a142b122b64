// Package twilio sends SMS through Twilio and reads its status and inbound
// webhooks.
//
// Documentation: https://www.twilio.com/docs/messaging/api/message-resource
package twilio

import (
	"regexp"
	"strings"
	"time"

	"scrip.dev/scrip/integrations"
)

const (
	kind           = "twilio"
	defaultAddress = "https://api.twilio.com"
)

// Descriptor is the vendor's entry in the catalogue.
var Descriptor = integrations.Descriptor{
	Kind:  kind,
	Title: "Twilio",
	Docs:  "https://www.twilio.com/docs/messaging/api/message-resource",
	Does: []string{
		"sends SMS through a messaging service or a sender, and looks up what became of one",
		"receives message status (topic status) and answers like STOP (topic inbound)",
	},
	Example: `kind: twilio
account_sid: AC0123456789abcdef0123456789abcdef
auth_token: ${TWILIO_AUTH_TOKEN}     # also verifies the webhooks
api_key: ${TWILIO_API_KEY}           # optional, with api_secret: used to send instead of the token
api_secret: ${TWILIO_API_SECRET}
messaging_service: MG0123456789abcdef0123456789abcdef   # or from: "+4915112345678"
rate: 10/s                           # optional
listed_after: 30s                    # how long Twilio may take to list a message; then it certainly has none
`,
	Setup: setup,
	New:   New,
}

// Config is a connection's settings.
type Config struct {
	AccountSID string `yaml:"account_sid"`
	// AuthToken verifies webhooks; Twilio signs with it even where an API key sends.
	AuthToken integrations.Secret `yaml:"auth_token"`
	APIKey    string              `yaml:"api_key"` // optional: SK…
	APISecret integrations.Secret `yaml:"api_secret"`
	// MessagingService (MG…) or From, a number in E.164, a short code or a name.
	MessagingService string `yaml:"messaging_service"`
	From             string `yaml:"from"`
	BaseURL          string `yaml:"base_url"` // another address of the API
	// RetryOn lists 5xx statuses with which this account is known to have taken
	// nothing, besides a 503 with Retry-After, which says so itself.
	RetryOn []int             `yaml:"retry_on"`
	Rate    integrations.Rate `yaml:"rate"`
	// ListedAfter is how long after the deadline of its call a message that Twilio
	// took is certainly in its list; default 30 s.
	ListedAfter time.Duration `yaml:"listed_after"`
}

var (
	accountForm = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)
	serviceForm = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
	keyForm     = regexp.MustCompile(`^SK[0-9a-fA-F]{32}$`)
	// The SDK refuses other credentials when sending; so it is found out earlier.
	secretForm = regexp.MustCompile(`^[a-zA-Z0-9]*$`)
)

func (c *Config) validate() error {
	var p integrations.Problems
	if !accountForm.MatchString(c.AccountSID) {
		p.Add("account_sid", "is not an account SID; it is AC and 32 hexadecimal digits, on the console's first page")
	}
	p.Require(!c.AuthToken.Empty(), "auth_token", "it stands below the account SID; webhooks are signed with it")
	if !secretForm.MatchString(c.AuthToken.Reveal()) {
		p.Add("auth_token", "has characters that no auth token has; copy it again")
	}
	if c.APIKey != "" && !keyForm.MatchString(c.APIKey) {
		p.Add("api_key", "is not an API key SID; it is SK and 32 hexadecimal digits")
	}
	if !secretForm.MatchString(c.APISecret.Reveal()) {
		p.Add("api_secret", "has characters that no API secret has; copy it again")
	}
	if (c.APIKey == "") != c.APISecret.Empty() {
		p.Add("api_secret", "and api_key go together; write both or neither")
	}
	if (c.MessagingService == "") == (c.From == "") {
		p.Add("messaging_service", "or from: write exactly one of the two")
	}
	if c.MessagingService != "" && !serviceForm.MatchString(c.MessagingService) {
		p.Add("messaging_service", "is not a messaging service SID; it is MG and 32 hexadecimal digits")
	}
	p.URL("base_url", c.BaseURL)
	p.Statuses("retry_on", c.RetryOn)
	if c.ListedAfter < 0 {
		p.Add("listed_after", "must not be negative")
	}
	return p.Err()
}

func (c *Config) address() string {
	if c.BaseURL != "" {
		return strings.TrimRight(c.BaseURL, "/")
	}
	return defaultAddress
}

// connection is a channel that also receives webhooks.
type connection struct {
	*Sender
	*Webhooks
}

// Account is the SID with what proves that it is one's own.
func (s *Sender) Account() []string {
	return []string{s.cfg.AccountSID + " " + s.cfg.AuthToken.Reveal()}
}

// New makes a connection: a Channel, Finder, Checker, Source and Responder.
func New(s integrations.Settings) (any, error) {
	c := &Config{ListedAfter: 30 * time.Second}
	if err := s.Decode(c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	return connection{newSender(c, s), &Webhooks{cfg: c}}, nil
}
