// Package shopify reads a Shopify shop's webhooks, makes codes in the shop, and
// keeps its webhook subscriptions right.
//
// Documentation: https://shopify.dev/docs/api/admin-graphql
package shopify

import (
	"regexp"
	"strings"

	"scrip.dev/scrip/integrations"
)

const (
	kind           = "shopify"
	defaultVersion = "2026-07"
)

// Descriptor is the vendor's entry in the catalogue.
var Descriptor = integrations.Descriptor{
	Kind:  kind,
	Title: "Shopify",
	Docs:  "https://shopify.dev/docs/api/admin-graphql",
	Does: []string{
		"receives webhooks of checkouts, orders, refunds, customers, consent and privacy requests",
		"makes codes in the shop: one discount per coupon, with its codes",
		"keeps the shop's webhook subscriptions right",
	},
	Example: `kind: shopify
shop: example.myshopify.com
client_secret: ${SHOPIFY_CLIENT_SECRET}   # verifies the webhooks
access_token: ${SHOPIFY_ACCESS_TOKEN}     # or client_id: the token is then fetched and renewed
api_version: "2026-07"                    # optional
rate: 10/s                                # optional
`,
	Setup: setup,
	New:   New,
}

// Config is a connection's settings.
type Config struct {
	Shop string `yaml:"shop"` // the myshopify.com domain
	// ClientSecret is the app's; webhooks are signed with it.
	ClientSecret integrations.Secret `yaml:"client_secret"`
	// AccessToken is that of an app made in the shop's admin. With ClientID in its
	// place, the token is fetched by the client-credentials grant and renewed.
	// Without either, the connection only receives.
	AccessToken integrations.Secret `yaml:"access_token"`
	ClientID    string              `yaml:"client_id"`
	APIVersion  string              `yaml:"api_version"` // default 2026-07
	BaseURL     string              `yaml:"base_url"`    // another address of the API
	RetryOn     []int               `yaml:"retry_on"`    // statuses known to have done nothing
	Rate        integrations.Rate   `yaml:"rate"`
}

var (
	shopForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.myshopify\.(com|io)$`)
	versionForm = regexp.MustCompile(`^(20[0-9]{2}-(01|04|07|10)|unstable)$`)
)

func (c *Config) validate() error {
	var p integrations.Problems
	if !shopForm.MatchString(c.Shop) {
		p.Add("shop", "is not a shop's domain; write it like example.myshopify.com, not the domain customers see")
	}
	p.Require(!c.ClientSecret.Empty(), "client_secret", "it stands in the app's settings; webhooks are signed with it")
	if !c.AccessToken.Empty() && c.ClientID != "" {
		p.Add("access_token", "and client_id exclude each other; write one of the two")
	}
	if !versionForm.MatchString(c.APIVersion) {
		p.Add("api_version", "is not a version; write it like %s, in quotes", defaultVersion)
	}
	p.URL("base_url", c.BaseURL)
	p.Statuses("retry_on", c.RetryOn)
	return p.Err()
}

func (c *Config) address() string {
	if c.BaseURL != "" {
		return strings.TrimRight(c.BaseURL, "/")
	}
	return "https://" + c.Shop
}

// connection receives webhooks and calls the shop.
type connection struct {
	*Webhooks
	*Admin
}

// New makes a connection: a Source, and an Issuer, Reconciler and Checker too
// where the settings give access to the shop.
func New(s integrations.Settings) (any, error) {
	c := &Config{APIVersion: defaultVersion}
	if err := s.Decode(c); err != nil {
		return nil, err
	}
	c.Shop = strings.ToLower(c.Shop)
	if err := c.validate(); err != nil {
		return nil, err
	}
	webhooks := &Webhooks{cfg: c}
	if c.AccessToken.Empty() && c.ClientID == "" {
		return webhooks, nil
	}
	return connection{webhooks, newAdmin(c, s)}, nil
}
