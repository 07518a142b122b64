package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// Header families of Shopify's webhooks.
const (
	FamilyClassic = "classic" // X-Shopify-Hmac-Sha256 …
	FamilyEvents  = "events"  // shopify-hmac-sha256 …
	FamilyBoth    = "both"
)

// ShopifyDelivery is what the headers of a webhook say.
type ShopifyDelivery struct {
	Topic       string // orders/paid
	Shop        string // sandbox.myshopify.com
	EventID     string // the same for every delivery of one event; default random
	WebhookID   string // of this delivery; default random
	TriggeredAt time.Time
	Family      string // default FamilyClassic
}

// SignShopify gives the headers of a webhook as Shopify signs it.
// https://shopify.dev/docs/apps/build/webhooks/subscribe/https
func SignShopify(secret string, d ShopifyDelivery, body []byte) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	fields := map[string]string{
		"Hmac-Sha256": base64.StdEncoding.EncodeToString(mac.Sum(nil)), "Topic": d.Topic, "Shop-Domain": d.Shop,
		"Api-Version": "2026-07", "Event-Id": or(d.EventID, randomHex(16)), "Webhook-Id": or(d.WebhookID, randomHex(16)),
		"Triggered-At": d.TriggeredAt.UTC().Format(time.RFC3339Nano),
	}
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Shopify-Captain-Hook"}}
	for name, value := range fields {
		if d.Family != FamilyEvents {
			header.Set("X-Shopify-"+name, value)
		}
		if d.Family == FamilyEvents || d.Family == FamilyBoth {
			header.Set("Shopify-"+name, value)
		}
	}
	if d.Family == FamilyEvents || d.Family == FamilyBoth {
		_, action, _ := strings.Cut(d.Topic, "/")
		header.Set("Shopify-Action", action)
	}
	return header
}
