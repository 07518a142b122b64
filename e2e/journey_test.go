package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/e2e/walk"
)

func TestRedeemedInTime(t *testing.T) {
	p := shared.person(t, "redeemed")
	j, code := p.Reminded()
	p.Buys(code)
	require.Equal(t, "redeemed", p.Ends(j.ID).Outcome)
	require.Len(t, p.Messages(), 1)
	history := p.Show(j.ID)
	require.Equal(t, "redeemed", history.Codes[0].State)
	p.Until(func() bool { return p.Show(j.ID).Steps[0].Status == "delivered" }, "the delivery webhook")
}

func TestAppliedButNotBought(t *testing.T) {
	p := shared.person(t, "applied")
	j, code := p.Reminded()
	p.WaitsAt(j.ID, walk.FirstAwait)
	p.Applies(code)
	second := p.Receives(2)
	require.Contains(t, second.HTML, code)
	require.Equal(t, "completed", p.Ends(j.ID).Outcome)
	require.Len(t, p.Messages(), 3)
}

func TestTheLastCallGoesOutBySMSAndTheCodeExpires(t *testing.T) {
	p := shared.person(t, "lastcall")
	j, code := p.Reminded()
	require.Equal(t, "completed", p.Ends(j.ID).Outcome)
	messages := p.Messages()
	require.Len(t, messages, 2)
	require.Equal(t, "sms", messages[1].Channel)
	require.Contains(t, messages[1].Text, code)
	p.Until(func() bool { return p.Show(j.ID).Codes[0].State == "expired" }, "the code to expire")
}

func TestWithoutAPhoneTheLastCallIsAnEmail(t *testing.T) {
	p := shared.person(t, "nophone")
	p.Customer.Phone, p.Customer.AcceptsSMS = "", false
	j, _ := p.Reminded()
	j = p.Ends(j.ID)
	require.Equal(t, "completed", j.Outcome)
	require.Len(t, p.Messages(), 2)
	require.Equal(t, "email", p.Messages()[1].Channel)
	reasons := map[string]string{}
	for _, step := range j.Steps {
		reasons[step.Step] = step.Reason
	}
	require.Equal(t, "no_address", reasons["send_sms_last_call"])
}

func TestAnOrderWithoutTheCodeIsAnExit(t *testing.T) {
	p := shared.person(t, "nocode")
	j, _ := p.Reminded()
	p.Buys("")
	require.Equal(t, "bought_without_code", p.Ends(j.ID).Outcome)
	require.Len(t, p.Messages(), 1)
}

func TestAnOrderWithTheCodeEndsAsRedeemedAndOnce(t *testing.T) {
	p := shared.person(t, "once")
	j, code := p.Reminded()
	order := p.Buys(code)
	require.Equal(t, "redeemed", p.Ends(j.ID).Outcome)
	var history struct{ Redemptions []struct{ State string } }
	p.Call(http.MethodGet, "/v1/codes/"+code, nil, &history)
	require.Len(t, history.Redemptions, 1)

	order.CancelledAt = time.Now().UTC()
	p.Webhook("orders/cancelled", sandbox.OrderBody(order))
	p.Until(func() bool {
		p.Call(http.MethodGet, "/v1/codes/"+code, nil, &history)
		return history.Redemptions[0].State == "rolled_back"
	}, "the redemption to be rolled back")
}

func TestTheSameWebhookFiveTimesIsOneJourney(t *testing.T) {
	p := shared.person(t, "five")
	body := sandbox.CheckoutBody(p.Checkout)
	d := sandbox.ShopifyDelivery{Topic: "checkouts/update", Shop: p.Secrets.ShopifyDomain, EventID: "e" + p.Token, WebhookID: "w" + p.Token, TriggeredAt: time.Now()}
	for range 5 {
		p.WebhookAs(d, body)
	}
	j := p.Enters("cart-recovery")
	p.Receives(1)
	p.Buys("")
	p.Ends(j.ID)
	require.Len(t, p.Journeys("cart-recovery"), 1)
	require.Len(t, p.Messages(), 1)
}

func TestSeveralCheckoutUpdatesAreOneJourneyWithTheNewestCart(t *testing.T) {
	p := shared.person(t, "updates")
	for quantity := 1; quantity <= 4; quantity++ {
		p.Lines[0].Quantity = quantity
		p.AbandonsCart()
	}
	j := p.Enters("cart-recovery")
	p.Receives(1)
	p.Buys("")
	p.Ends(j.ID)
	require.Len(t, p.Journeys("cart-recovery"), 1)
}

func TestACheckoutThatBecomesAnOrderStartsNothing(t *testing.T) {
	p := shared.person(t, "converted")
	p.apply(map[string]string{"campaigns/converted.yaml": `
campaign: converted
trigger: {event: checkout.updated, where: event.quantity == 1, debounce: 6d}
entry: {key: event.checkout_token}
exit:
  - {event: order.created, match: checkout_token}
steps:
  - tag: left-a-cart
`})
	p.Lines[0].Quantity = 1 // too little for cart-recovery
	p.AbandonsCart()
	p.Until(func() bool { return strings.Contains(p.Explained("converted"), "waiting") }, "the entry to wait")
	p.Buys("")
	p.Until(func() bool { return strings.Contains(p.Explained("converted"), "refused") }, "the entry to be withdrawn")
	require.Empty(t, p.Journeys("converted"))
	require.Empty(t, p.Messages())
}

func TestUnsubscribedBetweenEntryAndSend(t *testing.T) {
	p := shared.person(t, "unsubscribed")
	j, _ := p.Reminded()
	p.WaitsAt(j.ID, walk.FirstAwait)
	link := strings.Trim(p.Messages()[0].Headers["List-Unsubscribe"], "<>")
	require.NotEmpty(t, link)
	answer, err := http.PostForm(link, url.Values{"List-Unsubscribe": {"One-Click"}})
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Less(t, answer.StatusCode, 300)
	p.Customer.AcceptsEmail = false
	p.Applies(p.Show(j.ID).Codes[0].Code)
	j = p.Ends(j.ID)
	require.Equal(t, "completed", j.Outcome)
	reasons := map[string]string{}
	for _, step := range j.Steps {
		reasons[step.Step] = step.Reason
	}
	require.Contains(t, []string{"no_consent", "suppressed"}, reasons["send_email_finish_your_order"])
}

func TestAReplyOfSTOPEndsSMS(t *testing.T) {
	p := shared.person(t, "stop")
	j, _ := p.Reminded()
	p.WaitsAt(j.ID, walk.FirstAwait)
	p.Replies("Stop")
	j = p.Ends(j.ID)
	require.Len(t, p.Messages(), 2, fmt.Sprint(j.Steps)) // the reminder, and the last call by mail
	require.Equal(t, "email", p.Messages()[1].Channel)
}
