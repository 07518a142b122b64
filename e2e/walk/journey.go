package walk

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"github.com/stretchr/testify/require"
)

// Journey is what the API tells of one.
type Journey struct {
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

// Contact is Scrip's id of this person; empty while they aren't known.
func (p *Person) Contact() string {
	p.Helper()
	status, body := p.Try(http.MethodGet, "/v1/contacts?q="+url.QueryEscape(p.Address()), nil)
	if status == http.StatusNotFound {
		return ""
	}
	require.Equal(p, http.StatusOK, status, string(body))
	var contact struct{ Contact string }
	p.Decode(body, &contact)
	return contact.Contact
}

// Journeys are this person's in a campaign, or in all, the newest first.
func (p *Person) Journeys(campaign string) []Journey {
	p.Helper()
	contact := p.Contact()
	if contact == "" {
		return nil
	}
	var list struct{ Items []Journey }
	p.Call(http.MethodGet, "/v1/journeys?campaign="+campaign+"&contact="+contact, nil, &list)
	return list.Items
}

// Enters waits for this person's journey.
func (p *Person) Enters(campaign string) Journey {
	p.Helper()
	var found []Journey
	p.Until(func() bool { found = p.Journeys(campaign); return len(found) > 0 }, "a journey in %s", campaign)
	return found[0]
}

// Wants sends an event and waits for the journey that it starts.
func (p *Person) Wants(kind, campaign string, fields map[string]any) Journey {
	p.Helper()
	p.Happens(kind, fields)
	return p.Enters(campaign)
}

// Show is one journey as it is now.
func (p *Person) Show(id string) (j Journey) {
	p.Helper()
	p.Call(http.MethodGet, "/v1/journeys/"+id, nil, &j)
	return j
}

// Ends waits for the end of a journey and gives it. The list is looked at, as it asks
// no workflow; whoever was erased has none.
func (p *Person) Ends(id string) Journey {
	p.Helper()
	ended := func(j Journey) bool { return j.ID == id && j.State == "ended" }
	p.Until(func() bool {
		if mine := p.Journeys(""); len(mine) > 0 {
			return slices.ContainsFunc(mine, ended)
		}
		return ended(p.Show(id))
	}, "journey %s to end", id)
	return p.Show(id)
}

// WaitsAt waits until a journey has come to a step.
func (p *Person) WaitsAt(id, step string) (j Journey) {
	p.Helper()
	p.Until(func() bool { j = p.Show(id); return j.Status.Step == step && j.Status.Waiting != "" }, "journey %s to wait at %s", id, step)
	return j
}

// Signal does by hand what a webhook would do.
func (p *Person) Signal(id, name string, payload map[string]any) {
	p.Helper()
	p.Call(http.MethodPost, "/v1/journeys/"+id+"/signal", map[string]any{"signal": name, "payload": payload}, nil)
}

// Reminded leaves a cart and waits for the first mail and the code in it.
func (p *Person) Reminded() (Journey, string) {
	p.Helper()
	p.AbandonsCart()
	j := p.Enters("cart-recovery")
	mail := p.Receives(1)
	p.Until(func() bool { j = p.Show(j.ID); return len(j.Codes) > 0 }, "a code")
	require.Contains(p, mail.HTML, j.Codes[0].Code)
	require.Contains(p, mail.Text, j.Codes[0].Code)
	require.Equal(p, "cart-10", j.Codes[0].Coupon)
	return j, j.Codes[0].Code
}

// FirstAwait is where a journey of cart-recovery waits after its first mail.
const FirstAwait = "await_code_applied_or_2d"

// why is Scrip's own explanation, for tests that fail.
func (p *Person) why() string {
	ask := func(path string) string {
		_, body, err := p.askOnce(http.MethodGet, p.Base+path, http.Header{"Authorization": {"Bearer " + p.Key}}, nil)
		if err != nil {
			return err.Error()
		}
		return string(body)
	}
	found := ask("/v1/contacts?q=" + url.QueryEscape(p.Address()))
	var contact struct{ Contact string }
	if json.Unmarshal([]byte(found), &contact) != nil || contact.Contact == "" {
		return found
	}
	return ask("/v1/why?contact=" + contact.Contact)
}

// Orders are those in which a code was used.
func (p *Person) Orders(code string) (orders []string) {
	p.Helper()
	var history struct {
		Redemptions []struct {
			Order string
		}
	}
	p.Call(http.MethodGet, "/v1/codes/"+code, nil, &history)
	for _, r := range history.Redemptions {
		orders = append(orders, r.Order)
	}
	return orders
}

// Explained is what `scrip why` says of this person in a campaign.
func (p *Person) Explained(campaign string) string {
	p.Helper()
	contact := p.Contact()
	if contact == "" {
		return ""
	}
	_, body := p.Try(http.MethodGet, "/v1/why?contact="+contact+"&campaign="+campaign, nil)
	return string(body)
}

// Known is what the API shows of this person; empty while they aren't known.
func (p *Person) Known() string {
	p.Helper()
	contact := p.Contact()
	if contact == "" {
		return ""
	}
	var shown json.RawMessage
	p.Call(http.MethodGet, "/v1/contacts/"+contact, nil, &shown)
	return string(shown)
}
