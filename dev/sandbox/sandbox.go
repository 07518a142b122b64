// Package sandbox speaks the HTTP APIs of SendGrid, Twilio and Shopify well
// enough for the real clients to run against it unchanged, and shows what they
// did: an inbox, a phone and a little shop.
//
// It behaves as the vendors do where that matters to Scrip: it refuses what they
// refuse, answers as they answer, signs and sends the webhooks they send, and
// retries those. It can be told to fail in the ways vendors fail. Nothing leaves
// the machine.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// Options says where the sandbox lives and whom it calls.
type Options struct {
	// PublicURL is Scrip's base address, under which the sandbox is mounted at
	// /sandbox: http://127.0.0.1:8080
	PublicURL string
	// HookURL is where Scrip takes a connection's webhooks. The topic is the
	// vendor's ("checkouts/update"), "inbound" for messages to a phone number, or
	// empty.
	HookURL func(connection, topic string) string
	// Connections are the names of the three connections; default shop, email, sms.
	Connections Connections
	// Secrets are what both sides know; see LoadSecrets.
	Secrets Secrets
	// Dir keeps messages, discounts and the shop's orders between runs.
	Dir string
	// Delay is between taking a message and each of its webhooks. Zero means 800 ms,
	// negative means none.
	Delay time.Duration
	// Gather is how long SendGrid's events wait for others to be told of in the same
	// webhook; SendGrid's own wait up to half a minute. Zero: each goes by itself.
	Gather time.Duration
	// TemporalUI is the base address of Temporal's UI, for links to it; empty where
	// it isn't known.
	TemporalUI string
	// LookUpCode tells of codes that are not made through the Shopify API, such as
	// shared and imported ones. nil: there are none.
	LookUpCode func(ctx context.Context, code string) (Terms, bool, error)
	Now        func() time.Time // default time.Now
	Logger     *slog.Logger     // nil: none
	HTTP       *http.Client     // sends the webhooks; default: a client of its own
}

// Connections are the names that scrip.yaml gives the three vendors.
type Connections struct{ Shopify, SendGrid, Twilio string }

// Terms are what a code gives in the shop.
type Terms struct {
	Percentage   decimal.Decimal // 10 is ten per cent
	Amount       decimal.Decimal // in the shop's currency
	FreeShipping bool
	MinOrder     decimal.Decimal
}

// Sandbox is an http.Handler for everything below /sandbox.
type Sandbox struct {
	o        Options
	mux      http.Handler
	messages *mailbox
	shopify  *shopify
	shop     *shop
	faults   faults
	watchers watchers
	webhooks webhookLog
	gathered gathered
	signer   signer

	ctx     context.Context
	cancel  context.CancelFunc
	pending sync.WaitGroup
}

// New opens the sandbox with what it kept in Dir.
func New(o Options) (*Sandbox, error) {
	o = withDefaults(o)
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the sandbox: %w", err)
	}
	s := &Sandbox{o: o}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var err error
	if s.signer, err = newSigner(o.Secrets.SendGridPrivateKey); err != nil {
		return nil, fmt.Errorf("opening the sandbox: %w", err)
	}
	if s.messages, err = openMailbox(o.Dir); err != nil {
		return nil, fmt.Errorf("opening the sandbox's messages: %w", err)
	}
	if s.shopify, err = openShopify(o.Dir, o.Now); err != nil {
		return nil, fmt.Errorf("opening the sandbox's discounts: %w", err)
	}
	if s.shop, err = openShop(o.Dir); err != nil {
		return nil, fmt.Errorf("opening the sandbox's shop: %w", err)
	}
	s.mux = s.routes()
	return s, nil
}

func withDefaults(o Options) Options {
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	if o.Connections == (Connections{}) {
		o.Connections = Connections{Shopify: "shop", SendGrid: "email", Twilio: "sms"}
	}
	if o.Delay == 0 {
		o.Delay = 800 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 15 * time.Second}
	}
	return o
}

// routes keeps browsers of other sites from pressing the sandbox's buttons; the
// vendors' clients are no browsers.
func (s *Sandbox) routes() http.Handler {
	mux := http.NewServeMux()
	s.sendGridRoutes(mux)
	s.twilioRoutes(mux)
	s.shopifyRoutes(mux)
	s.fraudRoutes(mux)
	s.pageRoutes(mux)
	s.shopRoutes(mux)
	mux.HandleFunc("GET /sandbox/messages", s.listMessages)
	mux.HandleFunc("GET /sandbox/faults", s.listFaults)
	mux.HandleFunc("POST /sandbox/faults", s.addFault)
	mux.HandleFunc("DELETE /sandbox/faults", s.clearFaults)
	return http.NewCrossOriginProtection().Handler(mux)
}

func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Settle waits until every webhook that is due has been answered, or given up.
func (s *Sandbox) Settle() { s.pending.Wait() }

// Close drops the webhooks that are still due and closes the files.
func (s *Sandbox) Close() error {
	s.cancel()
	s.pending.Wait()
	s.watchers.close()
	return errors.Join(s.messages.close(), s.shopify.close(), s.shop.close())
}

// maxBody is more than any of the three vendors takes.
const maxBody = 30 << 20
