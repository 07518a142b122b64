package attack_test

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // Twilio's signature is defined with it
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"
)

// hook is one webhook, signed.
type hook struct {
	path   string
	body   string
	header http.Header
}

// signer makes the webhooks of one kind of connection, as its vendor does.
type signer struct {
	kind      string
	first     string // the connection that is attacked
	second    string // one of the same kind, with another secret
	signature string // the header that holds the signature, in base64 from `from` on
	from      int
	stale     bool // the signature has a time
	signsID   bool // the signature covers the webhook's own id
	// sign signs n's webhook with the secret of the connection, for the path of the
	// first one.
	sign func(connection string, n int, at time.Time) hook
}

func (at *target) signers() []signer {
	return []signer{
		{kind: "shopify", first: "shop", second: "shop2", signature: "X-Shopify-Hmac-Sha256", sign: at.shopify},
		{kind: "sendgrid", first: "mail", second: "mail2", signature: "X-Twilio-Email-Event-Webhook-Signature", stale: true, sign: at.sendgrid},
		{kind: "twilio", first: "sms", second: "sms2", signature: "X-Twilio-Signature", sign: at.twilio},
		{kind: "standard webhooks", first: "own", second: "own2", signature: "Webhook-Signature", from: len("v1,"), stale: true, signsID: true, sign: at.standard},
		{kind: "secret header", first: "till", second: "till2", signature: "X-Till-Secret", sign: at.secret},
	}
}

func (at *target) shopify(connection string, n int, when time.Time) hook {
	body := fmt.Sprintf(`{"id": %d, "token": "c%d", "email": "anna@example.com", "total_price": "80.00"}`, n, n)
	mac := hmac.New(sha256.New, []byte(map[string]string{"shop": "first-client-secret", "shop2": "other-client-secret"}[connection]))
	mac.Write([]byte(body))
	return hook{"/hooks/shop/checkouts/update", body, http.Header{
		"X-Shopify-Hmac-Sha256": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}, "X-Shopify-Topic": {"checkouts/update"}, "X-Shopify-Shop-Domain": {"first.myshopify.com"},
		"X-Shopify-Event-Id": {fmt.Sprintf("event-%d", n)}, "X-Shopify-Webhook-Id": {fmt.Sprintf("hook-%d", n)}, "X-Shopify-Triggered-At": {when.UTC().Format(time.RFC3339)}}}
}

func (at *target) sendgrid(connection string, n int, when time.Time) hook {
	body := fmt.Sprintf("[{\"event\":\"delivered\",\"email\":\"anna@example.com\",\"timestamp\":%d,\"sg_event_id\":\"e%d\",\"sg_message_id\":\"m.recvd-1\"}]\r\n", when.Unix(), n)
	return at.sendgridOf(connection, body, when)
}

func (at *target) sendgridOf(connection, body string, when time.Time) hook {
	stamp := strconv.FormatInt(when.Unix(), 10)
	sum := sha256.Sum256([]byte(stamp + body))
	signature, err := ecdsa.SignASN1(rand.Reader, map[string]*ecdsa.PrivateKey{"mail": at.secrets.mail, "mail2": at.secrets.mail2}[connection], sum[:])
	require.NoError(at, err)
	return hook{"/hooks/mail", body, http.Header{
		"X-Twilio-Email-Event-Webhook-Signature": {base64.StdEncoding.EncodeToString(signature)}, "X-Twilio-Email-Event-Webhook-Timestamp": {stamp}}}
}

func (at *target) twilio(connection string, n int, _ time.Time) hook {
	form := url.Values{"AccountSid": {"AC0123456789abcdef0123456789abcdef"}, "MessageSid": {fmt.Sprintf("SM%032d", n)}, "MessageStatus": {"delivered"}, "To": {"+4915112345678"}}
	return at.twilioOf(connection, "/hooks/sms/status?m=ms_1", form)
}

func (at *target) twilioOf(connection, path string, form url.Values) hook {
	mac := hmac.New(sha1.New, []byte(map[string]string{"sms": "firsttoken", "sms2": "othertoken"}[connection]))
	mac.Write([]byte("https://scrip.example.com" + path))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		mac.Write([]byte(name + form.Get(name)))
	}
	return hook{path, form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "X-Twilio-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}}}
}

func (at *target) standard(connection string, n int, when time.Time) hook {
	body := fmt.Sprintf(`{"type": "order.paid", "id": "A-%d", "contact": {"email": "anna@example.com"}}`, n)
	id, stamp := fmt.Sprintf("msg_%d", n), strconv.FormatInt(when.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(map[string]string{"own": "first-first-first-first", "own2": "other-other-other-other"}[connection]))
	mac.Write([]byte(id + "." + stamp + "." + body))
	return hook{"/hooks/own", body, http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}}}
}

func (at *target) secret(connection string, n int, _ time.Time) hook {
	body := fmt.Sprintf(`{"type": "order.paid", "id": "T-%d", "contact": {"email": "anna@example.com"}}`, n)
	return hook{"/hooks/till", body, http.Header{"X-Till-Secret": {map[string]string{"till": "first-till-secret", "till2": "other-till-secret"}[connection]}}}
}

// changed is the hook with other headers; a value of "" takes one out.
func (h hook) changed(nameAndValue ...string) hook {
	h.header = h.header.Clone()
	for i := 0; i < len(nameAndValue); i += 2 {
		h.header.Del(nameAndValue[i])
		if nameAndValue[i+1] != "" {
			h.header.Set(nameAndValue[i], nameAndValue[i+1])
		}
	}
	return h
}

var held = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}, Timeout: time.Minute}

func (at *target) send(h hook) reply {
	at.Helper()
	return at.do(call{method: "POST", path: h.path, body: h.body, header: h.header, client: held})
}
