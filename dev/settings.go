package dev

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"

	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/store"
)

// env is the environment that scrip.yaml is read in: the process's, and the
// sandbox's addresses and secrets where the process doesn't set them.
func (e *environment) env(s sandbox.Secrets, ownSecret, databaseURL string) func(string) string {
	sandboxed := map[string]string{
		"DATABASE_URL":                      databaseURL,
		"SCRIP_LISTEN":                      strings.TrimPrefix(e.baseURL, "http://"),
		"SCRIP_PUBLIC_URL":                  e.baseURL,
		"SCRIP_SANDBOX_URL":                 e.baseURL + "/sandbox/api",
		"SCRIP_SANDBOX_SHOPIFY_DOMAIN":      s.ShopifyDomain,
		"SCRIP_SANDBOX_SHOPIFY_TOKEN":       s.ShopifyAccessToken,
		"SCRIP_SANDBOX_SHOPIFY_SECRET":      s.ShopifyClientKey,
		"SCRIP_SANDBOX_SENDGRID_KEY":        s.SendGridAPIKey,
		"SCRIP_SANDBOX_SENDGRID_PUBLIC_KEY": s.SendGridPublicKey,
		"SCRIP_SANDBOX_TWILIO_SID":          s.TwilioAccountSID,
		"SCRIP_SANDBOX_TWILIO_TOKEN":        s.TwilioAuthToken,
		"SCRIP_SANDBOX_TWILIO_FROM":         s.TwilioFrom,
		"SCRIP_SANDBOX_OWN_SECRET":          ownSecret,
	}
	return func(name string) string {
		if value := os.Getenv(name); value != "" {
			return value
		}
		return sandboxed[name]
	}
}

// temporalAddress leaves the environment's server where it names one.
func (e *environment) temporalAddress(own string) string {
	if os.Getenv("TEMPORAL_ADDRESS") != "" {
		return ""
	}
	return own
}

// temporalUI is where the UI of our own server will be; empty where the
// environment names another server, or the port is left to chance.
func (e *environment) temporalUI() string {
	if os.Getenv("TEMPORAL_ADDRESS") != "" || e.UIPort == 0 {
		return ""
	}
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(e.UIPort))
}

// lookUpCode tells the sandbox's shop of codes that it didn't make itself.
func (e *environment) lookUpCode(ctx context.Context, code string) (sandbox.Terms, bool, error) {
	known, err := e.store.Code(ctx, "", code)
	if errors.Is(err, store.ErrNotFound) {
		return sandbox.Terms{}, false, nil
	}
	if err != nil {
		return sandbox.Terms{}, false, err
	}
	coupon, err := e.store.Coupon(ctx, e.store.Pool, known.Coupon)
	if err != nil {
		return sandbox.Terms{}, false, err
	}
	d := coupon.Doc.Discount
	return sandbox.Terms{Percentage: d.Percentage, Amount: d.Amount, FreeShipping: d.FreeShipping, MinOrder: coupon.Doc.Limits.MinOrder}, true, nil
}
