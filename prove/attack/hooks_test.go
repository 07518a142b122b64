package attack_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

// forge sends a webhook that must be refused.
func (at *target) forge(what string, h hook, statuses ...int) {
	at.Helper()
	if len(statuses) == 0 {
		statuses = []int{http.StatusUnauthorized}
	}
	got := at.send(h)
	require.Contains(at, statuses, got.status, "%s was taken: %s", what, got.body)
	require.NotEmpty(at, got.code(), "%s: %s", what, got.body)
	noLeak(at, what, got)
}

func TestHooks_NoForgedSignatureIsTaken(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	flips := 0
	for _, s := range at.signers() {
		now := time.Now()
		good := s.sign(s.first, 1, now)
		at.forge(s.kind+" without a signature", good.changed(s.signature, ""))
		for _, wrong := range []string{"x", "v1,", "AAAA", "====", strings.Repeat("A", 44), strings.Repeat("A", 20_000), "v1,AAAA v1,BBBB", "v1a," + good.header.Get(s.signature), "\xff\xfe\xfd"} {
			at.forge(s.kind+" with a wrong signature", good.changed(s.signature, wrong))
		}
		at.forge(s.kind+" signed by another connection", s.sign(s.second, 1, now))
		other := good
		other.path = strings.Replace(good.path, "/hooks/"+s.first, "/hooks/"+s.second, 1)
		at.forge(s.kind+" sent to another connection", other)

		// Over another body, for all whose secret isn't sent as it is.
		if s.kind != "secret header" {
			for _, body := range []string{strings.Replace(good.body, "anna", "anne", 1) + " ", good.body + "\n", " " + good.body, "", "{}", strings.ToUpper(good.body)} {
				if body != good.body && !(s.kind == "twilio" && strings.TrimSpace(body) == good.body) {
					changed := good
					changed.body = body
					at.forge(s.kind+" over another body", changed)
				}
			}
		}
		if s.stale {
			age := map[string]time.Duration{"sendgrid": 40 * 24 * time.Hour, "standard webhooks": 6 * time.Minute}[s.kind]
			at.forge(s.kind+", stale", s.sign(s.first, 1, now.Add(-age)))
			at.forge(s.kind+", from the future", s.sign(s.first, 1, now.Add(age)))
			for name := range good.header {
				if strings.HasSuffix(name, "Timestamp") {
					at.forge(s.kind+" with another time", good.changed(name, "1"+good.header.Get(name)))
					at.forge(s.kind+" with a time that is none", good.changed(name, "now"))
					at.forge(s.kind+" without its time", good.changed(name, ""))
				}
			}
		}
		if s.signsID {
			at.forge(s.kind+" under another id", good.changed("Webhook-Id", "msg_2"))
			at.forge(s.kind+" without an id", good.changed("Webhook-Id", ""))
		}

		// Every bit of the signature counts, those that spell it included.
		signature := []byte(good.header.Get(s.signature))
		for i := s.from; i < len(signature); i++ {
			for bit := range 8 {
				flipped := append([]byte(nil), signature...)
				flipped[i] ^= 1 << bit
				// What no header can hold, and what is cut from its ends, is no signature.
				if flipped[i] < ' ' || flipped[i] == 0x7f || strings.TrimSpace(string(flipped)) != string(flipped) {
					continue
				}
				flips++
				at.forge(s.kind+" with a bit flipped", good.changed(s.signature, string(flipped)))
			}
		}
		require.Zero(t, value[int](at, `SELECT (SELECT count(*) FROM delivery) + (SELECT count(*) FROM delivery_queue) + (SELECT count(*) FROM delivery_key) + (SELECT count(*) FROM delivery_body)`), s.kind)
	}
	// The same webhooks with their signatures are taken: it was the signatures.
	for n, s := range at.signers() {
		got := at.send(s.sign(s.first, 1, time.Now()))
		require.Equal(t, http.StatusOK, got.status, "%s: %s", s.kind, got.body)
		require.Equal(t, n+1, value[int](at, `SELECT count(*) FROM delivery_queue`), s.kind)
	}
	proof.Found(t, proof.Finding{Tried: "webhooks of five kinds with one bit of the signature flipped", Times: flips, Found: "all refused, no row in delivery or its queue"})
}

func TestHooks_AReplayIsTakenOnce(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	for n, s := range at.signers() {
		good := s.sign(s.first, 1, time.Now())
		for range 5 {
			require.Equal(t, http.StatusOK, at.send(good).status, s.kind)
		}
		// Names that the signature doesn't cover make it no other webhook.
		for _, name := range []string{"X-Shopify-Event-Id", "X-Shopify-Webhook-Id", "X-Shopify-Triggered-At", "I-Twilio-Idempotency-Token", "X-Request-Id", "Traceparent"} {
			at.send(good.changed(name, "another"))
		}
		require.Equal(t, n+1, value[int](at, `SELECT count(*) FROM delivery`), "%s was taken twice", s.kind)
		require.Equal(t, n+1, value[int](at, `SELECT count(*) FROM delivery_queue`), s.kind)
	}
}

func TestHooks_AreTiedToTheirAddress(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	now := time.Now()
	shop, sms := at.shopify("shop", 1, now), at.twilio("sms", 1, now)
	for _, topic := range []string{"/orders/paid", "/orders%2Fpaid", "/checkouts/update/", "/checkouts/updatE", "/checkouts%00/update", "", "/", "/checkouts/update%20"} {
		elsewhere := shop
		elsewhere.path = "/hooks/shop" + topic
		at.forge("a checkout sent as "+topic, elsewhere, 400, 401, 404, 422)
	}
	for _, told := range []string{"orders/paid", "", "checkouts/update, orders/paid", "checkouts/update\t\torders/paid"} {
		at.forge("a checkout that says it is "+told, shop.changed("X-Shopify-Topic", told), 400, 401, 422)
	}
	both := shop.changed("Shopify-Topic", "orders/paid", "Shopify-Hmac-Sha256", shop.header.Get("X-Shopify-Hmac-Sha256"))
	both.path = "/hooks/shop/checkouts/update"
	at.forge("a checkout with both families of headers, at odds", both, 400, 401, 422)
	for _, domain := range []string{"", "other.myshopify.com", "first.myshopify.com.evil.example"} {
		at.forge("a checkout of the shop "+domain, shop.changed("X-Shopify-Shop-Domain", domain), 400, 401, 403, 422)
	}
	for _, path := range []string{"/hooks/sms/inbound?m=ms_1", "/hooks/sms/status?m=ms_2", "/hooks/sms/status", "/hooks/sms/status?m=ms_1&x=1", "/hooks/sms/status%3Fm=ms_1", "/hooks/sms/status/?m=ms_1", "/hooks/sms/status?m=ms_1&bodySHA256=00"} {
		elsewhere := sms
		elsewhere.path = path
		at.forge("a status sent to "+path, elsewhere, 400, 401)
	}
	forwarded := sms.changed("X-Forwarded-Host", "evil.example", "X-Original-Url", "/hooks/sms/status?m=ms_2")
	forwarded.path = "/hooks/sms/status?m=ms_2"
	at.forge("a status with another address in its headers", forwarded)
	for _, path := range []string{"/hooks/", "/hooks/nobody", "/hooks/nobody/orders/paid", "/hooks/api", "/hooks/scrip", "/hooks/manual", "/hooks/SHOP/checkouts/update", "/hooks/shop%00", "/hooks/..%2fshop", "/hooks/%ff"} {
		elsewhere := shop
		elsewhere.path = path
		at.forge("a webhook to "+path, elsewhere, 404)
	}
	for _, method := range []string{"PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FETCH"} {
		got := at.do(call{method: method, path: shop.path, body: shop.body, header: shop.header})
		require.Equal(t, http.StatusMethodNotAllowed, got.status, method)
		require.NotContains(t, got.body, "anna@example.com", "%s tells what was sent", method)
	}
	require.Zero(t, value[int](at, `SELECT (SELECT count(*) FROM delivery) + (SELECT count(*) FROM delivery_queue)`))
}

// told is what the delivery webhooks have made of a message.
func (at *target) told(id string) string {
	at.Helper()
	return value[string](at, `SELECT concat_ws('|', state, coalesce(vendor_id, '-'), delivery, accepted_at, delivered_at, reason, updated_at) FROM message WHERE id = $1`, id)
}

// Each connection's own webhooks are well signed. What they say of a message of
// another connection is nobody's word.
func TestHooks_AConnectionSaysNothingAboutAnothersMessages(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	f := at.furnish()
	text := "ms_00000000000000000002"
	at.exec(`INSERT INTO message (id, send_key, journey_id, step, contact_id, channel, kind, connection, address, state, attempt)
		VALUES ($1, 'b', $2, 'hello', $3, 'sms', 'marketing', 'sms', '+4915112345678', 'unknown', 1)`, text, f.journey, f.contact)
	now := time.Now()
	status := func(connection, id, sid string) hook {
		return at.twilioOf(connection, "/hooks/"+connection+"/status?m="+id, url.Values{"AccountSid": {"AC0123456789abcdef0123456789abcdef"},
			"MessageSid": {sid}, "MessageStatus": {"delivered"}, "To": {"+4915112345678"}})
	}
	mail := func(connection, id, event string) hook {
		h := at.sendgridOf(connection, fmt.Sprintf(`[{"event":%q,"email":"anna@example.com","timestamp":%d,"sg_event_id":%q,"sg_message_id":"%s.recvd-1","scrip_message":%q}]`,
			event, now.Unix(), store.NewID("ev"), connection, id), now)
		h.path = "/hooks/" + connection
		return h
	}
	before, foreign := []string{at.told(f.message), at.told(text)}, 0
	for _, id := range []string{f.message, text} {
		for _, h := range []hook{mail("mail2", id, "delivered"), mail("mail2", id, "deferred"), mail("mail2", id, "click"), status("sms2", id, "SM2"+id[9:])} {
			require.Equal(t, http.StatusOK, at.send(h).status)
			foreign++
		}
	}
	// Nor does a connection of another kind.
	require.Equal(t, http.StatusOK, at.send(status("sms", f.message, "SM3")).status)
	require.Equal(t, http.StatusOK, at.send(mail("mail", text, "delivered")).status)
	foreign += 2
	at.dispatch()
	require.Equal(t, before, []string{at.told(f.message), at.told(text)}, "a connection moved another one's message")
	require.Zero(t, value[int](at, `SELECT count(*) FROM message_evidence`), "what was said is kept for later")
	require.Zero(t, value[int](at, `SELECT count(*) FROM dead_letter WHERE connection <> 'own'`))

	// The same said by the connections that sent them counts.
	require.Equal(t, http.StatusOK, at.send(mail("mail", f.message, "delivered")).status)
	require.Equal(t, http.StatusOK, at.send(status("sms", text, "SM4")).status)
	at.dispatch()
	for _, id := range []string{f.message, text} {
		require.True(t, strings.HasPrefix(at.told(id), "accepted|"), at.told(id))
		require.Contains(t, at.told(id), "|delivered|")
	}
	proof.Found(t, proof.Finding{Promise: 4, Tried: "delivery webhooks, well signed, about messages of another connection", Times: foreign, Found: "no message moved, nothing kept for later; the same from its own connection counted"})
}
