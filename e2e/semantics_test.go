package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
)

func TestARedemptionThroughTheAPIAndTheShopsOrderAreOne(t *testing.T) {
	p := shared.person(t, "apiredeem")
	p.apply(t, map[string]string{"campaigns/thanked.yaml": `
campaign: thanked
trigger: {event: code.redeemed, where: event.coupon == "cart-10"}
steps:
  - tag: thanked
`})
	j, code := p.reminded()
	with := p.Checkout
	with.Code = code
	order := sandbox.NewOrder(with, 1, p.UpdatedAt)
	p.call(t, http.MethodPost, "/v1/codes/"+code+"/redeem", map[string]any{"order": map[string]any{
		"id": orderID(order), "total": "71.10", "discount": "7.90", "currency": "EUR"}}, nil)
	require.Equal(t, "redeemed", p.ends(j.ID).Outcome)
	p.webhook("orders/create", sandbox.OrderBody(order))
	p.ends(p.enters("thanked").ID)
	require.Equal(t, []string{orderID(order)}, p.orders(code))
	require.Len(t, p.journeys("thanked"), 1)
}

func TestARedemptionThatIsRolledBackIsAnEvent(t *testing.T) {
	p := shared.person(t, "rolledback")
	p.apply(t, map[string]string{
		"templates/deal/email.html": note("A deal"),
		"campaigns/deal.yaml": `
campaign: deal
trigger: {event: deal.wanted}
exit:
  - event: code.rolled_back
    as: rolled_back
  - {event: code.redeemed, where: event.order_id == "never", as: redeemed}
steps:
  - send: {email: deal, coupon: deal-10}
  - wait: 60d
---
coupon: deal-10
discount: {percentage: 10}
codes: {generate: "DEAL-########"}
`})
	p.happens("deal.wanted", nil)
	j := p.waitsAt(p.enters("deal").ID, "wait_60d")
	code := j.Codes[0].Code
	p.call(t, http.MethodPost, "/v1/codes/"+code+"/redeem", map[string]any{"order": map[string]any{"id": "o" + p.Token, "total": "80.00", "currency": "EUR"}}, nil)
	p.call(t, http.MethodPost, "/v1/codes/"+code+"/rollback", map[string]any{"order": "o" + p.Token}, nil)
	require.Equal(t, "rolled_back", p.ends(j.ID).Outcome)
}

func TestAContactsOneCodeServesTwoJourneysAndItsRedemptionEndsBoth(t *testing.T) {
	p := shared.person(t, "onepercontact")
	p.apply(t, map[string]string{
		"templates/mine/email.html": note("Yours"),
		"campaigns/mine.yaml": `
campaign: mine-first
trigger: {event: mine.wanted}
steps:
  - send: {email: mine, coupon: mine-10}
  - wait: 60d
---
campaign: mine-second
trigger: {event: mine.wanted}
steps:
  - wait: 2h
  - send: {email: mine, coupon: mine-10}
  - wait: 60d
---
coupon: mine-10
discount: {percentage: 10}
codes: {generate: "MINE-########"}
one_per: contact
`})
	p.happens("mine.wanted", nil)
	first, second := p.waitsAt(p.enters("mine-first").ID, "wait_60d"), p.waitsAt(p.enters("mine-second").ID, "wait_60d")
	require.Equal(t, first.Codes[0].Code, second.Codes[0].Code)
	p.buys(first.Codes[0].Code)
	require.Equal(t, "redeemed", p.ends(first.ID).Outcome)
	require.Equal(t, "redeemed", p.ends(second.ID).Outcome)
}

func TestEnteringAnewRestartsTheJourney(t *testing.T) {
	p := shared.person(t, "restarts")
	p.apply(t, map[string]string{
		"campaigns/again.yaml": `
campaign: again
trigger: {event: again.wanted}
entry: {key: event.no, while_inside: restart}
steps:
  - assign: again-10
  - wait: 60d
---
coupon: again-10
discount: {percentage: 10}
codes: {shop: "AGAIN-########"}
`})
	p.happens("again.wanted", map[string]any{"no": "1"})
	old := p.waitsAt(p.enters("again").ID, "wait_60d")
	p.happens("again.wanted", map[string]any{"no": "2"})
	require.Equal(t, "restarted", p.ends(old.ID).Outcome)
	var both []journey
	p.until(func() bool { both = p.journeys("again"); return len(both) == 2 }, "the new journey")
	p.waitsAt(both[0].ID, "wait_60d")
	p.until(func() bool {
		return p.show(old.ID).Codes[0].State == "withdrawn" || p.show(old.ID).Codes[0].State == "returned"
	},
		"the code that nobody saw to be taken back")
	p.signal(both[0].ID, "exit", nil)
	require.Equal(t, "stopped", p.ends(both[0].ID).Outcome)
}

func TestACodeForFreeShippingIsMadeInTheShopAndRedeemed(t *testing.T) {
	p := shared.person(t, "shipping")
	p.apply(t, map[string]string{
		"templates/shipping/email.html": note("Free shipping"),
		"campaigns/shipping.yaml": `
campaign: shipping
trigger: {event: shipping.wanted}
steps:
  - send: {email: shipping, coupon: free-shipping}
  - wait: 60d
---
coupon: free-shipping
discount: {free_shipping: true}
codes: {shop: "SHIP-########"}
`})
	p.happens("shipping.wanted", nil)
	j := p.waitsAt(p.enters("shipping").ID, "wait_60d")
	require.NotEmpty(t, j.Codes, j.Steps)
	p.buys(j.Codes[0].Code)
	require.Equal(t, "redeemed", p.ends(j.ID).Outcome)
}

func TestStopAndStartAgain(t *testing.T) {
	p := shared.person(t, "stopstart")
	p.apply(t, map[string]string{
		"templates/texted/sms.txt": "Hello {{ code }}",
		"campaigns/texted.yaml": `
campaign: texted
trigger: {event: texted.wanted}
steps:
  - send: {sms: texted, coupon: texted-10, kind: marketing}
---
coupon: texted-10
discount: {percentage: 10}
codes: {generate: "TEXT-########"}
`})
	p.happens("texted.wanted", nil)
	p.ends(p.enters("texted").ID)
	p.receives(1)
	p.replies("STOP")
	p.until(func() bool { return strings.Contains(p.explainedContact(), `"denied"`) }, "the consent to be withdrawn")
	p.call(t, http.MethodPost, "/v1/events", map[string]any{"type": "texted.wanted", "contact": map[string]any{"phone": p.Customer.Phone}}, nil)
	var both []journey
	p.until(func() bool { both = p.journeys("texted"); return len(both) == 2 }, "the second journey")
	p.ends(both[0].ID)
	require.Equal(t, 1, len(p.messages()))
	p.replies("START")
	p.until(func() bool { return !strings.Contains(p.explainedContact(), `"denied"`) }, "the consent to be given again")
	p.call(t, http.MethodPost, "/v1/events", map[string]any{"type": "texted.wanted", "contact": map[string]any{"phone": p.Customer.Phone}}, nil)
	p.receives(2)
}

// replies sends an SMS to the shop's number, as Twilio tells it.
func (p *person) replies(text string) {
	p.Helper()
	form := url.Values{"MessageSid": {"SM" + p.Token + text}, "AccountSid": {p.secrets.TwilioAccountSID}, "From": {p.Customer.Phone},
		"To": {p.secrets.TwilioFrom}, "Body": {text}}
	address := p.base + "/hooks/sms/inbound"
	request, err := http.NewRequestWithContext(p.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	require.NoError(p, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Twilio-Signature", sandbox.SignTwilio(p.secrets.TwilioAuthToken, address, form))
	answer, err := http.DefaultClient.Do(request)
	require.NoError(p, err)
	require.NoError(p, answer.Body.Close())
	require.Less(p, answer.StatusCode, 300)
}

// explainedContact is what the API shows of this person.
func (p *person) explainedContact() string {
	p.Helper()
	status, body := p.try(p.T, http.MethodGet, "/v1/contacts?q="+url.QueryEscape(p.Customer.Email), nil)
	if status != http.StatusOK {
		return ""
	}
	var contact struct{ Contact string }
	p.decode(body, &contact)
	_, body = p.try(p.T, http.MethodGet, "/v1/contacts/"+contact.Contact, nil)
	return string(body)
}
