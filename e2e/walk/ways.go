package walk

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Way is one person's way through an example campaign.
type Way struct {
	Campaign, Name string
	Walk           func(*Person) Journey // gives the journey when it has ended
	Outcome        string
	Messages       int // how many the person got
}

// Ways are all of them: every branch of every example campaign.
var Ways = []Way{
	{"cart-recovery", "redeemed", func(p *Person) Journey {
		j, code := p.Reminded()
		p.WaitsAt(j.ID, FirstAwait)
		p.Buys(code)
		return p.Ends(j.ID)
	}, "redeemed", 1},
	{"cart-recovery", "applied", func(p *Person) Journey {
		j, code := p.Reminded()
		p.WaitsAt(j.ID, FirstAwait)
		p.Applies(code)
		return p.Ends(j.ID)
	}, "completed", 3},
	{"cart-recovery", "last-call-by-mail", func(p *Person) Journey {
		p.Customer.Phone, p.Customer.AcceptsSMS = "", false
		j, _ := p.Reminded()
		return p.Ends(j.ID)
	}, "completed", 2},
	{"cart-recovery", "bought-without-code", func(p *Person) Journey {
		j, _ := p.Reminded()
		p.WaitsAt(j.ID, FirstAwait)
		p.Buys("")
		return p.Ends(j.ID)
	}, "bought_without_code", 1},
	{"cart-recovery", "by-hand", func(p *Person) Journey {
		j, _ := p.Reminded()
		p.WaitsAt(j.ID, FirstAwait)
		p.Signal(j.ID, "pause", nil)
		p.Signal(j.ID, "skip", nil)
		p.Signal(j.ID, "resume", nil)
		p.Signal(j.ID, "redeemed", map[string]any{"order": "1001"})
		return p.Ends(j.ID)
	}, "redeemed", 1},
	{"cart-recovery", "redeemed-at-a-till", func(p *Person) Journey {
		j, code := p.Reminded()
		p.WaitsAt(j.ID, FirstAwait)
		p.Call(http.MethodPost, "/v1/codes/"+code+"/hold", map[string]any{"reference": "c" + p.Token}, nil)
		p.Call(http.MethodPost, "/v1/codes/"+code+"/redeem", map[string]any{"reference": "c" + p.Token,
			"order": map[string]any{"id": "o" + p.Token, "total": "80.00", "discount": "8.00", "currency": "EUR"}}, nil)
		return p.Ends(j.ID)
	}, "redeemed", 1},
	{"welcome", "confirmed", func(p *Person) Journey {
		j := p.Wants("contact.opt_in_requested", "welcome", map[string]any{"channel": "email", "confirm_url": "https://shop.example.com/confirm"})
		p.WaitsAt(j.ID, "await_contact_opted_in_or_2d")
		p.Happens("contact.opted_in", map[string]any{"channel": "email"})
		return p.Ends(j.ID)
	}, "completed", 3},
	{"welcome", "confirmed-when-reminded", func(p *Person) Journey {
		j := p.Wants("contact.opt_in_requested", "welcome", map[string]any{"channel": "email", "confirm_url": "https://shop.example.com/confirm"})
		p.WaitsAt(j.ID, "await_contact_opted_in_or_5d")
		p.Happens("contact.opted_in", map[string]any{"channel": "email"})
		return p.Ends(j.ID)
	}, "completed", 4},
	{"welcome", "never-confirmed", func(p *Person) Journey {
		return p.Ends(p.Wants("contact.opt_in_requested", "welcome", map[string]any{"channel": "email", "confirm_url": "https://shop.example.com/confirm"}).ID)
	}, "never_confirmed", 2},
	{"ten-orders", "thanked", func(p *Person) Journey {
		for range 10 {
			p.Happens("order.paid", map[string]any{"total": 20})
		}
		return p.Ends(p.Enters("ten-orders").ID)
	}, "completed", 1},
	{"ten-orders", "by-sms", func(p *Person) Journey {
		p.Customer.AcceptsEmail = false
		for range 10 {
			p.Happens("order.paid", map[string]any{"total": 20})
		}
		return p.Ends(p.Enters("ten-orders").ID)
	}, "completed", 1},
	{"review-thanks", "approved", func(p *Person) Journey {
		j := p.Wants("review.submitted", "review-thanks", map[string]any{"verified_purchase": true, "product_id": p.Token, "review_id": "r" + p.Token})
		p.Until(func() bool { return strings.HasPrefix(p.Show(j.ID).Status.Step, "await_review_approved") }, "the review to be looked at")
		p.Happens("review.approved", map[string]any{"review_id": "r" + p.Token})
		return p.Ends(j.ID)
	}, "completed", 1},
	{"review-thanks", "not-approved", func(p *Person) Journey {
		return p.Ends(p.Wants("review.submitted", "review-thanks", map[string]any{"verified_purchase": true, "product_id": p.Token, "review_id": "r" + p.Token}).ID)
	}, "not_approved", 0},
	{"review-thanks", "removed", func(p *Person) Journey {
		j := p.Wants("review.submitted", "review-thanks", map[string]any{"verified_purchase": true, "product_id": p.Token, "review_id": "r" + p.Token})
		p.Until(func() bool { return strings.HasPrefix(p.Show(j.ID).Status.Step, "await_review_approved") }, "the review to be looked at")
		p.Happens("review.removed", map[string]any{"review_id": "r" + p.Token})
		return p.Ends(j.ID)
	}, "review_removed", 0},
	{"review-thanks", "trusted", func(p *Person) Journey {
		return p.Ends(p.Wants("review.submitted", "review-thanks", map[string]any{"verified_purchase": true, "product_id": p.Token, "review_id": "r" + p.Token + "-risk-15"}).ID)
	}, "completed", 1},
	{"bulk-buyer", "thanked", func(p *Person) Journey {
		p.Imports("bulk-50", "BULK-"+p.Token)
		return p.Ends(p.Wants("order.paid", "bulk-buyer", map[string]any{"quantity": 25, "total": 500, "order_id": "o" + p.Token}).ID)
	}, "completed", 1},
	{"bulk-buyer", "returned", func(p *Person) Journey {
		order := map[string]any{"quantity": 25, "total": 500, "order_id": "o" + p.Token}
		j := p.Wants("order.paid", "bulk-buyer", order)
		p.Happens("order.refunded", order)
		return p.Ends(j.ID)
	}, "returned", 0},
	{"sorry-after-ticket", "reopened", func(p *Person) Journey {
		j := p.Wants("ticket.solved", "sorry-after-ticket", map[string]any{"ticket_id": "t" + p.Token, "tags": []string{"damaged"}})
		p.WaitsAt(j.ID, "await_ticket_reopened_or_2w")
		p.Happens("ticket.reopened", map[string]any{"ticket_id": "t" + p.Token})
		return p.Ends(j.ID)
	}, "reopened", 1},
	{"sorry-after-ticket", "kept", func(p *Person) Journey {
		return p.Ends(p.Wants("ticket.solved", "sorry-after-ticket", map[string]any{"ticket_id": "t" + p.Token, "tags": []string{"damaged"}}).ID)
	}, "completed", 1},
	{"sorry-after-ticket", "not-reached", func(p *Person) Journey {
		p.Customer.Email = ""
		return p.Ends(p.Wants("ticket.solved", "sorry-after-ticket", map[string]any{"ticket_id": "t" + p.Token, "tags": []string{"damaged"}}).ID)
	}, "not_reached", 0},
	{"referral-advocate", "rewarded", func(p *Person) Journey {
		p.brings()
		return p.Ends(p.Enters("referral-advocate").ID)
	}, "completed", 1},
	{"referral-advocate", "friend-returned", func(p *Person) Journey {
		friend := p.brings()
		j := p.Enters("referral-advocate")
		p.HappensTo(friend, "order.cancelled", map[string]any{"order_id": "o" + p.Token})
		return p.Ends(j.ID)
	}, "friend_returned", 0},
	{"referral-advocate", "rewarded-by-sms", func(p *Person) Journey {
		p.Customer.AcceptsEmail = false
		p.brings()
		return p.Ends(p.Enters("referral-advocate").ID)
	}, "completed", 1},
	{"referral-advocate", "yearly-limit", func(p *Person) Journey {
		var events []map[string]any
		for n := range 21 {
			events = append(events, map[string]any{"id": fmt.Sprintf("%s-%d", p.Token, n), "type": "referral.completed", "contact": p.advocate(),
				"fields": map[string]any{"advocate_id": "a" + p.Token, "friend_id": "f" + p.Token, "friend_order_number": 1, "same_household": false, "order_id": "o" + p.Token}})
		}
		p.Call(http.MethodPost, "/v1/events", events, nil)
		return p.Ends(p.Enters("referral-advocate").ID)
	}, "yearly_limit", 0},
	{"flash20-not-bought", "not-bought", func(p *Person) Journey {
		p.Lines[0].Quantity = 1 // too little for cart-recovery
		p.Applies("FLASH20")
		return p.Ends(p.Enters("flash20-not-bought").ID)
	}, "completed", 1},
	{"flash20-not-bought", "bought", func(p *Person) Journey {
		p.Lines[0].Quantity = 1
		p.Applies("FLASH20")
		j := p.Enters("flash20-not-bought")
		p.Receives(1)
		p.Buys("")
		return p.Ends(j.ID)
	}, "bought", 1},
	{"flash20-not-bought", "redeemed", func(p *Person) Journey {
		p.Lines[0].Quantity = 1
		p.Applies("FLASH20")
		j := p.Enters("flash20-not-bought")
		p.Receives(1)
		p.Until(func() bool { j = p.Show(j.ID); return len(j.Codes) > 0 }, "a code")
		p.Buys(j.Codes[0].Code)
		return p.Ends(j.ID)
	}, "redeemed", 1},
	{"goodwill", "by-mail", func(p *Person) Journey {
		p.Happens("account.opened", nil)
		p.Until(func() bool { return p.Contact() != "" }, "the contact")
		p.Call(http.MethodPost, "/v1/campaigns/goodwill/start", map[string]any{"contact": p.Contact()}, nil)
		return p.Ends(p.Enters("goodwill").ID)
	}, "completed", 1},
	{"goodwill", "plus-on-the-phone", func(p *Person) Journey {
		p.Customer.AcceptsEmail = false
		p.Call(http.MethodPost, "/v1/events", map[string]any{"id": p.Token, "type": "order.paid", "contact": p.contact(),
			"occurred_at": time.Now().AddDate(0, -3, 0), "fields": map[string]any{"total": 1200}}, nil)
		p.Until(func() bool { return p.Contact() != "" }, "the contact")
		p.Call(http.MethodPost, "/v1/campaigns/goodwill/start", map[string]any{"contact": p.Contact()}, nil)
		return p.Ends(p.Enters("goodwill").ID)
	}, "completed", 0},
	{"goodwill", "no-code", func(p *Person) Journey {
		p.Happens("account.opened", nil)
		p.Until(func() bool { return p.Contact() != "" }, "the contact")
		defer p.Withholds("goodwill")()
		p.Call(http.MethodPost, "/v1/campaigns/goodwill/start", map[string]any{"contact": p.Contact()}, nil)
		return p.Ends(p.Enters("goodwill").ID)
	}, "no_code", 0},
}

// advocate is this person as an own system knows them.
func (p *Person) advocate() map[string]any {
	contact := p.contact()
	contact["external_id"] = "a" + p.Token
	return contact
}

// brings is this person, an advocate, bringing a friend who buys.
func (p *Person) brings() (friend map[string]any) {
	p.Helper()
	p.HappensTo(p.advocate(), "account.opened", nil)
	friend = map[string]any{"email": "friend-" + p.Customer.Email}
	p.HappensTo(friend, "referral.completed", map[string]any{"advocate_id": "a" + p.Token, "friend_id": "f" + p.Token,
		"friend_order_number": 1, "same_household": false, "order_id": "o" + p.Token})
	return friend
}
