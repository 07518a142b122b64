package e2e_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// record writes the histories of these journeys where the replay tests find them:
// make histories.
var record = flag.String("record", "", "the release under whose name histories are written into workflows/testdata")

// way is one person's way through an example campaign.
type way struct {
	campaign, name string
	walk           func(*person) journey // gives the journey when it has ended
	outcome        string
	messages       int // how many the person got
}

var ways = []way{
	{"cart-recovery", "redeemed", func(p *person) journey {
		j, code := p.reminded()
		p.waitsAt(j.ID, firstAwait)
		p.buys(code)
		return p.ends(j.ID)
	}, "redeemed", 1},
	{"cart-recovery", "applied", func(p *person) journey {
		j, code := p.reminded()
		p.waitsAt(j.ID, firstAwait)
		p.applies(code)
		return p.ends(j.ID)
	}, "completed", 3},
	{"cart-recovery", "last-call-by-mail", func(p *person) journey {
		p.Customer.Phone, p.Customer.AcceptsSMS = "", false
		j, _ := p.reminded()
		return p.ends(j.ID)
	}, "completed", 2},
	{"cart-recovery", "bought-without-code", func(p *person) journey {
		j, _ := p.reminded()
		p.waitsAt(j.ID, firstAwait)
		p.buys("")
		return p.ends(j.ID)
	}, "bought_without_code", 1},
	{"cart-recovery", "by-hand", func(p *person) journey {
		j, _ := p.reminded()
		p.waitsAt(j.ID, firstAwait)
		p.signal(j.ID, "pause", nil)
		p.signal(j.ID, "skip", nil)
		p.signal(j.ID, "resume", nil)
		p.signal(j.ID, "redeemed", map[string]any{"order": "1001"})
		return p.ends(j.ID)
	}, "redeemed", 1},
	{"welcome", "confirmed", func(p *person) journey {
		j := p.wants("contact.opt_in_requested", "welcome", map[string]any{"channel": "email", "confirm_url": "https://shop.example.com/confirm"})
		p.waitsAt(j.ID, "await_contact_opted_in_or_2d")
		p.happens("contact.opted_in", map[string]any{"channel": "email"})
		return p.ends(j.ID)
	}, "completed", 3},
	{"welcome", "never-confirmed", func(p *person) journey {
		return p.ends(p.wants("contact.opt_in_requested", "welcome", map[string]any{"channel": "email", "confirm_url": "https://shop.example.com/confirm"}).ID)
	}, "never_confirmed", 2},
	{"ten-orders", "thanked", func(p *person) journey {
		for range 10 {
			p.happens("order.paid", map[string]any{"total": 20})
		}
		return p.ends(p.enters("ten-orders").ID)
	}, "completed", 1},
	{"review-thanks", "approved", func(p *person) journey {
		j := p.wants("review.submitted", "review-thanks", map[string]any{"verified_purchase": true, "product_id": p.Token, "review_id": "r" + p.Token})
		p.until(func() bool { return strings.HasPrefix(p.show(j.ID).Status.Step, "await_review_approved") }, "the review to be looked at")
		p.happens("review.approved", map[string]any{"review_id": "r" + p.Token})
		return p.ends(j.ID)
	}, "completed", 1},
	{"review-thanks", "removed", func(p *person) journey {
		j := p.wants("review.submitted", "review-thanks", map[string]any{"verified_purchase": true, "product_id": p.Token, "review_id": "r" + p.Token})
		p.until(func() bool { return strings.HasPrefix(p.show(j.ID).Status.Step, "await_review_approved") }, "the review to be looked at")
		p.happens("review.removed", map[string]any{"review_id": "r" + p.Token})
		return p.ends(j.ID)
	}, "review_removed", 0},
	{"bulk-buyer", "thanked", func(p *person) journey {
		p.imports("bulk-50", "BULK-"+p.Token)
		return p.ends(p.wants("order.paid", "bulk-buyer", map[string]any{"quantity": 25, "total": 500, "order_id": "o" + p.Token}).ID)
	}, "completed", 1},
	{"sorry-after-ticket", "reopened", func(p *person) journey {
		j := p.wants("ticket.solved", "sorry-after-ticket", map[string]any{"ticket_id": "t" + p.Token, "tags": []string{"damaged"}})
		p.waitsAt(j.ID, "await_ticket_reopened_or_2w")
		p.happens("ticket.reopened", map[string]any{"ticket_id": "t" + p.Token})
		return p.ends(j.ID)
	}, "reopened", 1},
	{"referral-advocate", "rewarded", func(p *person) journey {
		p.call(p.T, http.MethodPost, "/v1/events", map[string]any{"type": "account.opened", "contact": map[string]any{
			"email": p.Customer.Email, "external_id": "a" + p.Token, "consent": map[string]any{"email": true}}}, nil)
		p.call(p.T, http.MethodPost, "/v1/events", map[string]any{"type": "referral.completed",
			"contact": map[string]any{"email": "friend-" + p.Customer.Email},
			"fields":  map[string]any{"advocate_id": "a" + p.Token, "friend_id": "f" + p.Token, "friend_order_number": 1, "same_household": false, "order_id": "o" + p.Token}}, nil)
		return p.ends(p.enters("referral-advocate").ID)
	}, "completed", 1},
	{"referral-advocate", "friend-returned", func(p *person) journey {
		p.call(p.T, http.MethodPost, "/v1/events", map[string]any{"type": "account.opened", "contact": map[string]any{
			"email": p.Customer.Email, "external_id": "a" + p.Token, "consent": map[string]any{"email": true}}}, nil)
		friend := map[string]any{"email": "friend-" + p.Customer.Email}
		p.call(p.T, http.MethodPost, "/v1/events", map[string]any{"type": "referral.completed", "contact": friend,
			"fields": map[string]any{"advocate_id": "a" + p.Token, "friend_id": "f" + p.Token, "friend_order_number": 1, "same_household": false, "order_id": "o" + p.Token}}, nil)
		j := p.enters("referral-advocate")
		p.call(p.T, http.MethodPost, "/v1/events", map[string]any{"type": "order.cancelled", "contact": friend, "fields": map[string]any{"order_id": "o" + p.Token}}, nil)
		return p.ends(j.ID)
	}, "friend_returned", 0},
	{"flash20-not-bought", "not-bought", func(p *person) journey {
		p.Lines[0].Quantity = 1 // too little for cart-recovery
		p.applies("FLASH20")
		return p.ends(p.enters("flash20-not-bought").ID)
	}, "completed", 1},
	{"flash20-not-bought", "bought", func(p *person) journey {
		p.Lines[0].Quantity = 1
		p.applies("FLASH20")
		j := p.enters("flash20-not-bought")
		p.receives(1)
		p.buys("")
		return p.ends(j.ID)
	}, "bought", 1},
	{"goodwill", "by-mail", func(p *person) journey {
		p.happens("account.opened", nil)
		var contact struct{ Contact string }
		p.until(func() bool {
			status, body := p.try(p.T, http.MethodGet, "/v1/contacts?q="+url.QueryEscape(p.Customer.Email), nil)
			return status == http.StatusOK && json.Unmarshal(body, &contact) == nil
		}, "the contact")
		p.call(p.T, http.MethodPost, "/v1/campaigns/goodwill/start", map[string]any{"contact": contact.Contact}, nil)
		return p.ends(p.enters("goodwill").ID)
	}, "completed", 1},
}

// wants sends an event and waits for the journey that it starts.
func (p *person) wants(kind, campaign string, fields map[string]any) journey {
	p.Helper()
	p.happens(kind, fields)
	return p.enters(campaign)
}

func (p *person) imports(coupon, codes string) {
	p.Helper()
	request, err := http.NewRequestWithContext(p.Context(), http.MethodPost, p.base+"/v1/coupons/"+coupon+"/codes", strings.NewReader(codes+"\n"))
	require.NoError(p, err)
	request.Header.Set("Authorization", "Bearer "+p.key)
	request.Header.Set("Content-Type", "text/plain")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(p, err)
	require.NoError(p, answer.Body.Close())
	require.Less(p, answer.StatusCode, 300)
}

func TestExampleCampaigns(t *testing.T) {
	for _, w := range ways {
		t.Run(w.campaign+"/"+w.name, func(t *testing.T) {
			p := shared.person(t, w.campaign)
			j := w.walk(p)
			require.Equal(t, w.outcome, j.Outcome)
			require.Equal(t, w.messages, len(p.messages()))
			if *record == "" {
				return
			}
			folder := filepath.Join("..", "workflows", "testdata", *record)
			require.NoError(t, os.MkdirAll(folder, 0o755))
			history := p.cli(t, "workflow", "show", "-w", j.Workflow, "--output", "json")
			require.NoError(t, os.WriteFile(filepath.Join(folder, w.campaign+"."+w.name+".json"), []byte(history), 0o644))
		})
	}
}

func TestEveryExampleCampaignIsWalked(t *testing.T) {
	files, err := os.ReadDir(filepath.Join("..", "examples", "campaigns"))
	require.NoError(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), ".yaml")
		walked := false
		for _, w := range ways {
			walked = walked || w.campaign == name
		}
		require.True(t, walked, "%s has no way through it in this test", name)
	}
}
