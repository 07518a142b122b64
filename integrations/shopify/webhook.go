package shopify

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"scrip.dev/scrip/integrations"
)

// Webhooks reads the shop's webhooks.
type Webhooks struct{ cfg *Config }

var _ integrations.Source = (*Webhooks)(nil)

// Families of headers: those of webhooks about events, and the older ones. Where
// a request has both, the former count.
//
// https://shopify.dev/docs/apps/build/webhooks/subscribe/https
const (
	eventsPrefix  = "Shopify-"
	classicPrefix = "X-Shopify-"
)

// headers reads the values of the family a request is signed with.
type headers struct {
	all    http.Header
	prefix string
}

func family(all http.Header) headers {
	if all.Get(eventsPrefix+"Hmac-Sha256") != "" {
		return headers{all, eventsPrefix}
	}
	return headers{all, classicPrefix}
}

func (h headers) get(name string) string { return h.all.Get(h.prefix + name) }

// Receive verifies a webhook. The signature covers the body alone, and with no
// time. So the topic is pinned by the address it was subscribed to, and has to
// agree with the header; a body that is sent again under another id is
// recognised by the store, by its hash.
// What the shop has signed is kept as it is: a body that can't be read becomes a dead
// letter, where a refusal would have the shop give up the subscription in time.
func (w *Webhooks) Receive(r integrations.Request) (integrations.Receipt, error) {
	h := family(r.Header)
	if err := w.verify(h.get("Hmac-Sha256"), r.Body); err != nil {
		return integrations.Receipt{}, err
	}
	if !agrees(r.Topic, h) {
		return integrations.Receipt{}, integrations.ErrTopic
	}
	if !strings.EqualFold(h.get("Shop-Domain"), w.cfg.Shop) {
		return integrations.Receipt{}, integrations.ErrAccount
	}
	receipt := integrations.Receipt{Topic: r.Topic, Key: r.Topic + ":" + identity(h, r)}
	if at, err := time.Parse(time.RFC3339, h.get("Triggered-At")); err == nil {
		receipt.SentAt = at
	}
	return receipt, nil
}

func (w *Webhooks) verify(signature string, body []byte) error {
	if signature == "" {
		return integrations.ErrUnsigned
	}
	given, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return integrations.ErrSignature
	}
	mac := hmac.New(sha256.New, []byte(w.cfg.ClientSecret.Reveal()))
	mac.Write(body)
	if !hmac.Equal(mac.Sum(nil), given) {
		return integrations.ErrSignature
	}
	return nil
}

// agrees compares the topic in the address with the one in the header. Webhooks
// about events name the resource in the singular, and the action apart: the
// address orders/create agrees with Order and create.
func agrees(pinned string, h headers) bool {
	told := strings.ToLower(h.get("Topic"))
	if action := h.get("Action"); action != "" && !strings.Contains(told, "/") {
		told = strings.TrimSuffix(told, "s") + "s/" + strings.ToLower(action)
	}
	return pinned != "" && told == pinned
}

// identity is the event's id, which stays the same over several subscriptions;
// else the delivery's, which webhooks about events have alone; else the body.
func identity(h headers, r integrations.Request) string {
	for _, name := range []string{"Event-Id", "Webhook-Id"} {
		if id := cmp.Or(h.get(name), h.all.Get(classicPrefix+name)); id != "" && len(id) <= 100 {
			return id
		}
	}
	sum := sha256.Sum256(r.Body)
	return hex.EncodeToString(sum[:])
}
