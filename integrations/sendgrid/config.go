// Package sendgrid sends e-mail through Twilio SendGrid and reads its signed
// event webhooks.
//
// Documentation: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
package sendgrid

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/mail"
	"strings"
	"time"

	"scrip.dev/scrip/integrations"
)

const (
	kind          = "sendgrid"
	defaultMaxAge = 30 * 24 * time.Hour
	longestMaxAge = 80 * 24 * time.Hour
)

// Descriptor is the vendor's entry in the catalogue.
var Descriptor = integrations.Descriptor{
	Kind:  kind,
	Title: "SendGrid",
	Docs:  "https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send",
	Does: []string{
		"sends e-mail: own templates, or dynamic templates kept at SendGrid",
		"receives the signed event webhook: deliveries, bounces, complaints, unsubscribes",
	},
	Example: `kind: sendgrid
api_key: ${SENDGRID_API_KEY}
from: shop@example.com
from_name: Example Shop
reply_to: help@example.com          # optional
asm_group: 4711                     # optional: unsubscribe group of marketing mails
webhook_public_key: ${SENDGRID_WEBHOOK_PUBLIC_KEY}
region: eu                          # optional: global (default) or eu
rate: 50/s                          # optional
`,
	Setup: setup,
	New:   New,
}

// Config is a connection's settings.
type Config struct {
	APIKey   integrations.Secret `yaml:"api_key"`
	From     string              `yaml:"from"`      // a verified sender
	FromName string              `yaml:"from_name"` // optional
	ReplyTo  string              `yaml:"reply_to"`  // optional
	// ASMGroup is the unsubscribe group that marketing mails belong to; 0: none.
	ASMGroup int `yaml:"asm_group"`
	// WebhookPublicKey verifies the event webhook: Settings, Mail Settings, Event
	// Webhooks. Without it no webhook is taken.
	WebhookPublicKey string `yaml:"webhook_public_key"`
	// MaxAge refuses webhooks signed longer ago. SendGrid sends one again for a
	// day; the default of 30 days leaves room for more, and ends long before a
	// webhook that came once is forgotten (90 days), so that none is taken twice.
	MaxAge  time.Duration `yaml:"max_age"`
	Region  string        `yaml:"region"`   // global (default) or eu
	BaseURL string        `yaml:"base_url"` // another address of the API
	// RetryOn lists 5xx statuses with which this account is known to have taken
	// nothing, besides a 503 with Retry-After, which says so itself.
	RetryOn []int             `yaml:"retry_on"`
	Rate    integrations.Rate `yaml:"rate"`
}

// Addresses of the API by region.
var regions = map[string]string{
	"global": "https://api.sendgrid.com",
	"eu":     "https://api.eu.sendgrid.com",
}

func (c *Config) validate() error {
	var p integrations.Problems
	p.Require(!c.APIKey.Empty(), "api_key", "create one with the scope mail.send under Settings, API Keys")
	p.Require(c.From != "", "from", "write the address of a verified sender")
	for key, address := range map[string]string{"from": c.From, "reply_to": c.ReplyTo} {
		if parsed, err := mail.ParseAddress(address); address != "" && (err != nil || parsed.Address != address) {
			p.Add(key, "is not a plain e-mail address; write it like shop@example.com, and a name under from_name")
		}
	}
	if strings.ContainsAny(c.FromName, "\r\n") {
		p.Add("from_name", "has a line break; write one line")
	}
	if c.ASMGroup < 0 {
		p.Add("asm_group", "is negative; write the number of the unsubscribe group")
	}
	if c.MaxAge <= 0 || c.MaxAge > longestMaxAge {
		p.Add("max_age", "lies outside of 0 to 80 days; write a duration like 15m, or leave it out")
	}
	if _, known := regions[c.Region]; !known {
		p.Add("region", "is not known; write global or eu")
	}
	if c.WebhookPublicKey != "" {
		if _, err := parsePublicKey(c.WebhookPublicKey); err != nil {
			p.Add("webhook_public_key", "can't be read; copy the verification key as SendGrid shows it")
		}
	}
	p.URL("base_url", c.BaseURL)
	p.Statuses("retry_on", c.RetryOn)
	return p.Err()
}

func (c *Config) address() string {
	if c.BaseURL != "" {
		return strings.TrimRight(c.BaseURL, "/")
	}
	return regions[c.Region]
}

// parsePublicKey reads the key in the form SendGrid shows it: base64 of DER.
func parsePublicKey(text string) (*ecdsa.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("reading a public key: not ECDSA P-256")
	}
	return key, nil
}

// connection is a channel that also receives webhooks.
type connection struct {
	*Mailer
	*Events
}

// Account: one API key or one verification key is one account.
func (m *Mailer) Account() []string {
	known := []string{m.cfg.APIKey.Reveal()}
	if m.cfg.WebhookPublicKey != "" {
		known = append(known, m.cfg.WebhookPublicKey)
	}
	return known
}

// New makes a connection: a Channel and Checker, and a Source too where the
// webhook's public key is given.
func New(s integrations.Settings) (any, error) {
	c := &Config{Region: "global", MaxAge: defaultMaxAge}
	if err := s.Decode(c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	mailer := newMailer(c, s)
	if c.WebhookPublicKey == "" {
		return mailer, nil
	}
	key, err := parsePublicKey(c.WebhookPublicKey)
	if err != nil {
		return nil, err
	}
	return connection{mailer, &Events{key: key, maxAge: c.MaxAge}}, nil
}
