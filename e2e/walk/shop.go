package walk

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
)

// Webhook posts a webhook as Shopify signs it, and expects it to be accepted.
func (p *Person) Webhook(topic string, body []byte) {
	p.Helper()
	p.WebhookAs(sandbox.ShopifyDelivery{Topic: topic, Shop: p.Secrets.ShopifyDomain, TriggeredAt: time.Now()}, body)
}

// WebhookAs is Webhook with its headers chosen.
func (p *Person) WebhookAs(d sandbox.ShopifyDelivery, body []byte) {
	p.Helper()
	p.Post(p.Base+"/hooks/shop/"+d.Topic, sandbox.SignShopify(p.Secrets.ShopifyClientKey, d, body), body)
}

// AbandonsCart tells of the cart as it is now.
func (p *Person) AbandonsCart() {
	p.Helper()
	p.UpdatedAt = time.Now().UTC()
	p.Webhook("checkouts/update", sandbox.CheckoutBody(p.Checkout))
}

// Applies enters a code at the checkout.
func (p *Person) Applies(code string) {
	p.Helper()
	with := p.Checkout
	with.Code, with.Terms, with.UpdatedAt = code, sandbox.Terms{Percentage: decimal.NewFromInt(10)}, time.Now().UTC()
	p.Webhook("checkouts/update", sandbox.CheckoutBody(with))
}

// Buys orders with a code, or without one where it is empty: orders/create and
// then orders/paid, as a shop sends them.
func (p *Person) Buys(code string) sandbox.Order {
	p.Helper()
	with := p.Checkout
	if with.Code = code; code != "" {
		with.Terms = sandbox.Terms{Percentage: decimal.NewFromInt(10)}
	}
	order := sandbox.NewOrder(with, int(with.ID%100000), time.Now().UTC())
	p.Webhook("orders/create", sandbox.OrderBody(order))
	order.Paid = true
	p.Webhook("orders/paid", sandbox.OrderBody(order))
	return order
}

// Replies sends an SMS to the shop's number, as Twilio tells it.
func (p *Person) Replies(text string) {
	p.Helper()
	form := url.Values{"MessageSid": {"SM" + p.Token + text}, "AccountSid": {p.Secrets.TwilioAccountSID}, "From": {p.Customer.Phone},
		"To": {p.Secrets.TwilioFrom}, "Body": {text}}
	address := p.Base + "/hooks/sms/inbound"
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	header.Set("X-Twilio-Signature", sandbox.SignTwilio(p.Secrets.TwilioAuthToken, address, form))
	p.Post(address, header, []byte(form.Encode()))
}

// Happens sends an event of this person through the API.
func (p *Person) Happens(kind string, fields map[string]any) {
	p.Helper()
	p.HappensTo(p.contact(), kind, fields)
}

// contact is this person as events tell of them.
func (p *Person) contact() map[string]any {
	known := map[string]any{"consent": map[string]any{"email": p.Customer.AcceptsEmail, "sms": p.Customer.AcceptsSMS}}
	if p.Customer.Email != "" {
		known["email"] = p.Customer.Email
	}
	if p.Customer.Phone != "" {
		known["phone"] = p.Customer.Phone
	}
	return known
}

// Address is one under which this person is known.
func (p *Person) Address() string { return cmp.Or(p.Customer.Email, p.Customer.Phone) }

// HappensTo sends an event of somebody through the API.
func (p *Person) HappensTo(contact map[string]any, kind string, fields map[string]any) {
	p.Helper()
	p.Call(http.MethodPost, "/v1/events", map[string]any{"id": rand.Text(), "type": kind, "contact": contact, "fields": fields}, nil)
}

// Imports adds codes to a coupon's list.
func (p *Person) Imports(coupon, codes string) {
	p.Helper()
	p.Post(p.Base+"/v1/coupons/"+coupon+"/codes", http.Header{
		"Authorization": {"Bearer " + p.Key}, "Content-Type": {"text/plain"}, "Idempotency-Key": {rand.Text()}}, []byte(codes+"\n"))
}

// Withholds lets a coupon be over, for everybody, until it is offered again.
func (p *Person) Withholds(coupon string) (offer func()) {
	p.Helper()
	var stands struct{ Source string }
	p.Call(http.MethodGet, "/v1/coupons/"+coupon, nil, &stands)
	apply := func(document string) {
		p.Helper()
		p.Call(http.MethodPost, "/v1/apply", map[string]any{"files": map[string]string{"campaigns/" + coupon + ".yaml": document}}, nil)
	}
	over := validFor.ReplaceAllString(stands.Source, `valid_until: "2000-01-01"`)
	require.NotEqual(p, stands.Source, over, "its codes are valid for some time")
	apply(over)
	return func() { p.Helper(); apply(stands.Source) }
}

// validFor is the line of a coupon's document that bounds its codes.
var validFor = regexp.MustCompile(`(?m)^valid_for: .*$`)

// Messages are those that the vendors took for this person, oldest first.
func (p *Person) Messages() []sandbox.Message {
	p.Helper()
	all, err := p.Sent()
	require.NoError(p, err)
	var mine []sandbox.Message
	for _, m := range all {
		if m.To != "" && (m.To == p.Customer.Email || m.To == p.Customer.Phone) {
			mine = append(mine, m)
		}
	}
	return mine
}

// Receives waits for the n-th message to this person.
func (p *Person) Receives(n int) sandbox.Message {
	p.Helper()
	var got []sandbox.Message
	p.Until(func() bool { got = p.Messages(); return len(got) >= n }, "message %d to arrive", n)
	return got[n-1]
}

// OrderID is the id under which a shop knows an order.
func OrderID(o sandbox.Order) string { return fmt.Sprint(o.ID) }
