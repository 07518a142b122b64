// Package generic receives events from own systems and from any tool that can
// call an address, in the shape of the project's own API.
//
// Signatures: https://github.com/standard-webhooks/standard-webhooks
package generic

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

const (
	kind = "webhook"
	// tolerance is how far a signed timestamp may be off.
	tolerance = 5 * time.Minute
)

// Descriptor is the vendor's entry in the catalogue.
var Descriptor = integrations.Descriptor{
	Kind:  kind,
	Title: "Webhook",
	Docs:  "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
	Does: []string{
		"receives events from own systems and automation tools, signed as Standard Webhooks or with a secret header",
	},
	Example: `kind: webhook
secret: ${WEBHOOK_SECRET}          # whsec_…: the sender signs as Standard Webhooks
# header: X-Scrip-Secret           # instead: the sender puts the secret into this header
`,
	Setup: setup,
	New:   New,
}

// Config is a connection's settings.
type Config struct {
	// Secret signs, or is sent as it is where Header is given.
	Secret integrations.Secret `yaml:"secret"`
	// Header carries the secret, for senders that can't sign.
	Header string `yaml:"header"`
}

// shortestSecret is what a secret must have at least, in bytes.
const shortestSecret = 16

var headerForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

func (c *Config) validate() error {
	var p integrations.Problems
	secret := c.Secret.Reveal()
	switch {
	case c.Secret.Empty():
		p.Require(false, "secret", "make one with: echo whsec_$(openssl rand -base64 32)")
	case c.Header != "" && len(secret) < shortestSecret:
		p.Add("secret", "is shorter than %d characters; make one with: openssl rand -hex 32", shortestSecret)
	case c.Header == "":
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(key) < shortestSecret {
			p.Add("secret", "is not whsec_ and at least %d bytes in base64; make one with: echo whsec_$(openssl rand -base64 32)", shortestSecret)
		}
	}
	if c.Header != "" && !headerForm.MatchString(c.Header) {
		p.Add("header", "is not a header's name; write it like X-Scrip-Secret")
	}
	return p.Err()
}

// Webhook is the Source.
type Webhook struct {
	cfg *Config
	// verifier is nil where a header carries the secret.
	verifier *standardwebhooks.Webhook
}

var _ integrations.Source = (*Webhook)(nil)

// New makes a connection: a Source.
func New(s integrations.Settings) (any, error) {
	c := &Config{}
	if err := s.Decode(c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Header != "" {
		return &Webhook{cfg: c}, nil
	}
	verifier, err := standardwebhooks.NewWebhook(c.Secret.Reveal())
	if err != nil {
		return nil, fmt.Errorf("reading the secret: it is not base64")
	}
	return &Webhook{cfg: c, verifier: verifier}, nil
}

// Receive verifies a webhook. Its id, in the header webhook-id, is its key; a
// sender with a secret header that gives none is deduplicated by its body.
func (w *Webhook) Receive(r integrations.Request) (integrations.Receipt, error) {
	id := r.Header.Get(standardwebhooks.HeaderWebhookID)
	receipt := integrations.Receipt{Topic: r.Topic}
	if w.verifier == nil {
		if err := w.compare(r.Header.Get(w.cfg.Header)); err != nil {
			return integrations.Receipt{}, err
		}
	} else {
		sentAt, err := w.verify(r)
		if err != nil {
			return integrations.Receipt{}, err
		}
		receipt.SentAt = sentAt
	}
	if !json.Valid(r.Body) {
		return integrations.Receipt{}, integrations.ErrMalformed
	}
	if id == "" || len(id) > 128 {
		sum := sha256.Sum256([]byte(id + "\n" + string(r.Body)))
		id = hex.EncodeToString(sum[:])
	}
	receipt.Key = id
	return receipt, nil
}

// SignsKey says that a webhook's id can be trusted as its sender's: it is under the
// signature, or came with the secret. The same body under another id is another
// event.
func (w *Webhook) SignsKey() bool { return true }

// compare takes the same time wherever two secrets differ, and for any length.
func (w *Webhook) compare(given string) error {
	if given == "" {
		return integrations.ErrUnsigned
	}
	want, got := sha256.Sum256([]byte(w.cfg.Secret.Reveal())), sha256.Sum256([]byte(given))
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return integrations.ErrSignature
	}
	return nil
}

func (w *Webhook) verify(r integrations.Request) (time.Time, error) {
	for _, header := range []string{standardwebhooks.HeaderWebhookID, standardwebhooks.HeaderWebhookTimestamp, standardwebhooks.HeaderWebhookSignature} {
		if r.Header.Get(header) == "" {
			return time.Time{}, integrations.ErrUnsigned
		}
	}
	// The library's own tolerance is against its own clock.
	if err := w.verifier.VerifyIgnoringTimestamp(r.Body, r.Header); err != nil {
		return time.Time{}, integrations.ErrSignature
	}
	seconds, err := strconv.ParseInt(r.Header.Get(standardwebhooks.HeaderWebhookTimestamp), 10, 64)
	if err != nil {
		return time.Time{}, integrations.ErrSignature
	}
	sentAt := time.Unix(seconds, 0)
	if r.At.Sub(sentAt).Abs() > tolerance {
		return time.Time{}, integrations.ErrStale
	}
	return sentAt, nil
}

// Normalise reads the body as the API does; see event.DecodeJSON for its shape.
// An external_id is this connection's.
func (w *Webhook) Normalise(d integrations.Delivery) (event.Batch, error) {
	events, err := event.DecodeJSON(d.Body)
	if err != nil {
		return event.Batch{}, fmt.Errorf("reading events: %w", err)
	}
	for i := range events {
		e := &events[i]
		if e.OccurredAt.IsZero() {
			e.OccurredAt = d.SentAt
		}
		if e.OccurredAt.IsZero() {
			e.OccurredAt = d.ReceivedAt
		}
		for k := range e.Person.Identities {
			if own := &e.Person.Identities[k]; own.Kind == event.External && own.Realm == "" {
				own.Realm = d.Connection
			}
		}
	}
	return event.Batch{Events: event.InOrder(events)}, nil
}
