package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/e2e/walk"
)

func TestARedemptionThroughTheAPIAndTheShopsOrderAreOne(t *testing.T) {
	p := shared.person(t, "apiredeem")
	p.apply(map[string]string{"campaigns/thanked.yaml": `
campaign: thanked
trigger: {event: code.redeemed, where: event.coupon == "cart-10"}
steps:
  - tag: thanked
`})
	j, code := p.Reminded()
	with := p.Checkout
	with.Code = code
	order := sandbox.NewOrder(with, 1, p.UpdatedAt)
	p.Call(http.MethodPost, "/v1/codes/"+code+"/redeem", map[string]any{"order": map[string]any{
		"id": walk.OrderID(order), "total": "71.10", "discount": "7.90", "currency": "EUR"}}, nil)
	require.Equal(t, "redeemed", p.Ends(j.ID).Outcome)
	p.Webhook("orders/create", sandbox.OrderBody(order))
	p.Ends(p.Enters("thanked").ID)
	require.Equal(t, []string{walk.OrderID(order)}, p.Orders(code))
	require.Len(t, p.Journeys("thanked"), 1)
}

func TestARedemptionThatIsRolledBackIsAnEvent(t *testing.T) {
	p := shared.person(t, "rolledback")
	p.apply(map[string]string{
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
	p.Happens("deal.wanted", nil)
	j := p.WaitsAt(p.Enters("deal").ID, "wait_60d")
	code := j.Codes[0].Code
	p.Call(http.MethodPost, "/v1/codes/"+code+"/redeem", map[string]any{"order": map[string]any{"id": "o" + p.Token, "total": "80.00", "currency": "EUR"}}, nil)
	p.Call(http.MethodPost, "/v1/codes/"+code+"/rollback", map[string]any{"order": "o" + p.Token}, nil)
	require.Equal(t, "rolled_back", p.Ends(j.ID).Outcome)
}

func TestAContactsOneCodeServesTwoJourneysAndItsRedemptionEndsBoth(t *testing.T) {
	p := shared.person(t, "onepercontact")
	p.apply(map[string]string{
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
	p.Happens("mine.wanted", nil)
	first, second := p.WaitsAt(p.Enters("mine-first").ID, "wait_60d"), p.WaitsAt(p.Enters("mine-second").ID, "wait_60d")
	require.Equal(t, first.Codes[0].Code, second.Codes[0].Code)
	p.Buys(first.Codes[0].Code)
	require.Equal(t, "redeemed", p.Ends(first.ID).Outcome)
	require.Equal(t, "redeemed", p.Ends(second.ID).Outcome)
}

func TestEnteringAnewRestartsTheJourney(t *testing.T) {
	p := shared.person(t, "restarts")
	p.apply(map[string]string{
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
	p.Happens("again.wanted", map[string]any{"no": "1"})
	old := p.WaitsAt(p.Enters("again").ID, "wait_60d")
	p.Happens("again.wanted", map[string]any{"no": "2"})
	require.Equal(t, "restarted", p.Ends(old.ID).Outcome)
	var both []walk.Journey
	p.Until(func() bool { both = p.Journeys("again"); return len(both) == 2 }, "the new journey")
	p.WaitsAt(both[0].ID, "wait_60d")
	p.Until(func() bool {
		return p.Show(old.ID).Codes[0].State == "withdrawn" || p.Show(old.ID).Codes[0].State == "returned"
	},
		"the code that nobody saw to be taken back")
	p.Signal(both[0].ID, "exit", nil)
	require.Equal(t, "stopped", p.Ends(both[0].ID).Outcome)
}

func TestACodeForFreeShippingIsMadeInTheShopAndRedeemed(t *testing.T) {
	p := shared.person(t, "shipping")
	p.apply(map[string]string{
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
	p.Happens("shipping.wanted", nil)
	j := p.WaitsAt(p.Enters("shipping").ID, "wait_60d")
	require.NotEmpty(t, j.Codes, j.Steps)
	p.Buys(j.Codes[0].Code)
	require.Equal(t, "redeemed", p.Ends(j.ID).Outcome)
}

func TestStopAndStartAgain(t *testing.T) {
	p := shared.person(t, "stopstart")
	p.apply(map[string]string{
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
	p.Happens("texted.wanted", nil)
	p.Ends(p.Enters("texted").ID)
	p.Receives(1)
	p.Replies("STOP")
	p.Until(func() bool { return strings.Contains(p.Known(), `"denied"`) }, "the consent to be withdrawn")
	p.Call(http.MethodPost, "/v1/events", map[string]any{"type": "texted.wanted", "contact": map[string]any{"phone": p.Customer.Phone}}, nil)
	var both []walk.Journey
	p.Until(func() bool { both = p.Journeys("texted"); return len(both) == 2 }, "the second journey")
	p.Ends(both[0].ID)
	require.Equal(t, 1, len(p.Messages()))
	p.Replies("START")
	p.Until(func() bool { return !strings.Contains(p.Known(), `"denied"`) }, "the consent to be given again")
	p.Call(http.MethodPost, "/v1/events", map[string]any{"type": "texted.wanted", "contact": map[string]any{"phone": p.Customer.Phone}}, nil)
	p.Receives(2)
}
