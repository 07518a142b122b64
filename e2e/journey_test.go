package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
)

// journey is what the API tells of one.
type journey struct {
	ID       string
	Campaign string
	Version  int
	State    string
	Outcome  string
	Reason   string `json:"parked_reason"`
	Workflow string
	Codes    []struct{ Coupon, Code, State string }
	Steps    []struct{ Step, Status, Reason string }
	Status   struct {
		Step, Waiting, Held string
		Paused              bool
	}
}

// journeys are this person's in a campaign, the newest first.
func (p *person) journeys(campaign string) []journey {
	p.Helper()
	status, body := p.try(p.T, http.MethodGet, "/v1/contacts?q="+url.QueryEscape(p.Customer.Email), nil)
	if status == http.StatusNotFound {
		return nil
	}
	require.Equal(p, http.StatusOK, status, string(body))
	var contact struct{ Contact string }
	require.NoError(p, json.Unmarshal(body, &contact))
	var list struct{ Items []journey }
	p.call(p.T, http.MethodGet, "/v1/journeys?campaign="+campaign+"&contact="+contact.Contact, nil, &list)
	return list.Items
}

// enters waits for this person's journey.
func (p *person) enters(campaign string) journey {
	p.Helper()
	var found []journey
	p.until(func() bool { found = p.journeys(campaign); return len(found) > 0 }, "a journey in %s", campaign)
	return found[0]
}

func (p *person) show(id string) (j journey) {
	p.Helper()
	p.call(p.T, http.MethodGet, "/v1/journeys/"+id, nil, &j)
	return j
}

// ends waits for the end of a journey and gives it.
func (p *person) ends(id string) (j journey) {
	p.Helper()
	p.until(func() bool { j = p.show(id); return j.State == "ended" }, "journey %s to end", id)
	return j
}

// waitsAt waits until a journey has come to a step.
func (p *person) waitsAt(id, step string) (j journey) {
	p.Helper()
	p.until(func() bool { j = p.show(id); return j.Status.Step == step && j.Status.Waiting != "" }, "journey %s to wait at %s", id, step)
	return j
}

func (p *person) signal(id, name string, payload map[string]any) {
	p.Helper()
	p.call(p.T, http.MethodPost, "/v1/journeys/"+id+"/signal", map[string]any{"signal": name, "payload": payload}, nil)
}

// reminded leaves a cart and waits for the first mail and the code in it.
func (p *person) reminded() (journey, string) {
	p.Helper()
	p.abandonsCart()
	j := p.enters("cart-recovery")
	mail := p.receives(1)
	p.until(func() bool { j = p.show(j.ID); return len(j.Codes) > 0 }, "a code")
	require.Contains(p, mail.HTML, j.Codes[0].Code)
	require.Contains(p, mail.Text, j.Codes[0].Code)
	require.Equal(p, "cart-10", j.Codes[0].Coupon)
	return j, j.Codes[0].Code
}

const firstAwait = "await_code_applied_or_2d"

func TestRedeemedInTime(t *testing.T) {
	p := shared.person(t, "redeemed")
	j, code := p.reminded()
	p.buys(code)
	require.Equal(t, "redeemed", p.ends(j.ID).Outcome)
	require.Len(t, p.messages(), 1)
	history := p.show(j.ID)
	require.Equal(t, "redeemed", history.Codes[0].State)
	p.until(func() bool { return p.show(j.ID).Steps[0].Status == "delivered" }, "the delivery webhook")
}

func TestAppliedButNotBought(t *testing.T) {
	p := shared.person(t, "applied")
	j, code := p.reminded()
	p.waitsAt(j.ID, firstAwait)
	p.applies(code)
	second := p.receives(2)
	require.Contains(t, second.HTML, code)
	require.Equal(t, "completed", p.ends(j.ID).Outcome)
	require.Len(t, p.messages(), 3)
}

func TestTheLastCallGoesOutBySMSAndTheCodeExpires(t *testing.T) {
	p := shared.person(t, "lastcall")
	j, code := p.reminded()
	require.Equal(t, "completed", p.ends(j.ID).Outcome)
	messages := p.messages()
	require.Len(t, messages, 2)
	require.Equal(t, "sms", messages[1].Channel)
	require.Contains(t, messages[1].Text, code)
	p.until(func() bool { return p.show(j.ID).Codes[0].State == "expired" }, "the code to expire")
}

func TestWithoutAPhoneTheLastCallIsAnEmail(t *testing.T) {
	p := shared.person(t, "nophone")
	p.Customer.Phone, p.Customer.AcceptsSMS = "", false
	j, _ := p.reminded()
	j = p.ends(j.ID)
	require.Equal(t, "completed", j.Outcome)
	require.Len(t, p.messages(), 2)
	require.Equal(t, "email", p.messages()[1].Channel)
	reasons := map[string]string{}
	for _, step := range j.Steps {
		reasons[step.Step] = step.Reason
	}
	require.Equal(t, "no_address", reasons["send_sms_last_call"])
}

func TestAnOrderWithoutTheCodeIsAnExit(t *testing.T) {
	p := shared.person(t, "nocode")
	j, _ := p.reminded()
	p.buys("")
	require.Equal(t, "bought_without_code", p.ends(j.ID).Outcome)
	require.Len(t, p.messages(), 1)
}

func TestAnOrderWithTheCodeEndsAsRedeemedAndOnce(t *testing.T) {
	p := shared.person(t, "once")
	j, code := p.reminded()
	order := p.buys(code)
	require.Equal(t, "redeemed", p.ends(j.ID).Outcome)
	var history struct{ Redemptions []struct{ State string } }
	p.call(t, http.MethodGet, "/v1/codes/"+code, nil, &history)
	require.Len(t, history.Redemptions, 1)

	order.CancelledAt = time.Now().UTC()
	p.webhook("orders/cancelled", sandbox.OrderBody(order))
	p.until(func() bool {
		p.call(t, http.MethodGet, "/v1/codes/"+code, nil, &history)
		return history.Redemptions[0].State == "rolled_back"
	}, "the redemption to be rolled back")
}

func TestTheSameWebhookFiveTimesIsOneJourney(t *testing.T) {
	p := shared.person(t, "five")
	body := sandbox.CheckoutBody(p.Checkout)
	d := sandbox.ShopifyDelivery{Topic: "checkouts/update", Shop: p.secrets.ShopifyDomain, EventID: "e" + p.Token, WebhookID: "w" + p.Token, TriggeredAt: time.Now()}
	for range 5 {
		p.webhookAs(d, body)
	}
	j := p.enters("cart-recovery")
	p.receives(1)
	p.buys("")
	p.ends(j.ID)
	require.Len(t, p.journeys("cart-recovery"), 1)
	require.Len(t, p.messages(), 1)
}

func TestSeveralCheckoutUpdatesAreOneJourneyWithTheNewestCart(t *testing.T) {
	p := shared.person(t, "updates")
	for quantity := 1; quantity <= 4; quantity++ {
		p.Lines[0].Quantity = quantity
		p.abandonsCart()
	}
	j := p.enters("cart-recovery")
	p.receives(1)
	p.buys("")
	p.ends(j.ID)
	require.Len(t, p.journeys("cart-recovery"), 1)
}

func TestACheckoutThatBecomesAnOrderStartsNothing(t *testing.T) {
	p := shared.person(t, "converted")
	p.apply(t, map[string]string{"campaigns/converted.yaml": `
campaign: converted
trigger: {event: checkout.updated, where: event.quantity == 1, debounce: 6d}
entry: {key: event.checkout_token}
exit:
  - {event: order.created, match: checkout_token}
steps:
  - tag: left-a-cart
`})
	p.Lines[0].Quantity = 1 // too little for cart-recovery
	p.abandonsCart()
	p.until(func() bool { return strings.Contains(p.explained("converted"), "waiting") }, "the entry to wait")
	p.buys("")
	p.until(func() bool { return strings.Contains(p.explained("converted"), "refused") }, "the entry to be withdrawn")
	require.Empty(t, p.journeys("converted"))
	require.Empty(t, p.messages())
}

// explained is what `scrip why` says.
func (p *person) explained(campaign string) string {
	status, body := p.try(p.T, http.MethodGet, "/v1/contacts?q="+url.QueryEscape(p.Customer.Email), nil)
	if status != http.StatusOK {
		return ""
	}
	var contact struct{ Contact string }
	require.NoError(p, json.Unmarshal(body, &contact))
	_, body = p.try(p.T, http.MethodGet, "/v1/why?contact="+contact.Contact+"&campaign="+campaign, nil)
	return string(body)
}

func TestUnsubscribedBetweenEntryAndSend(t *testing.T) {
	p := shared.person(t, "unsubscribed")
	j, _ := p.reminded()
	p.waitsAt(j.ID, firstAwait)
	link := strings.Trim(p.messages()[0].Headers["List-Unsubscribe"], "<>")
	require.NotEmpty(t, link)
	answer, err := http.PostForm(link, url.Values{"List-Unsubscribe": {"One-Click"}})
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Less(t, answer.StatusCode, 300)
	p.Customer.AcceptsEmail = false
	p.applies(p.show(j.ID).Codes[0].Code)
	j = p.ends(j.ID)
	require.Equal(t, "completed", j.Outcome)
	reasons := map[string]string{}
	for _, step := range j.Steps {
		reasons[step.Step] = step.Reason
	}
	require.Contains(t, []string{"no_consent", "suppressed"}, reasons["send_email_finish_your_order"])
}

func TestAReplyOfSTOPEndsSMS(t *testing.T) {
	p := shared.person(t, "stop")
	j, _ := p.reminded()
	p.waitsAt(j.ID, firstAwait)
	p.replies("Stop")
	j = p.ends(j.ID)
	require.Len(t, p.messages(), 2, fmt.Sprint(j.Steps)) // the reminder, and the last call by mail
	require.Equal(t, "email", p.messages()[1].Channel)
}
