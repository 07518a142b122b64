package starter

import (
	"time"

	"scrip.dev/scrip/store"
)

// codeHistory is everything that happened to one code.
type codeHistory struct {
	Code        string           `json:"code"`
	Coupon      string           `json:"coupon"`
	Set         string           `json:"set,omitempty"`
	Shop        string           `json:"shop,omitempty" doc:"the connection whose code it is"`
	State       string           `json:"state" doc:"available, issuing, withdrawn or used; else its holder's"`
	Import      string           `json:"import,omitempty"`
	ValidUntil  *time.Time       `json:"valid_until,omitempty" doc:"of its import"`
	Assignments []codeAssignment `json:"assignments" doc:"the oldest first"`
	Redemptions []redemption     `json:"redemptions" doc:"the oldest first"`
	Holds       []held           `json:"holds"`
}

type codeAssignment struct {
	Journey    string     `json:"journey,omitempty"`
	Contact    string     `json:"contact,omitempty"`
	State      string     `json:"state"`
	ClaimedAt  time.Time  `json:"claimed_at"`
	ExposedAt  *time.Time `json:"exposed_at,omitempty" doc:"since when somebody may have seen it"`
	AppliedAt  *time.Time `json:"applied_at,omitempty" doc:"since when it was put into a cart"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	ReturnedAt *time.Time `json:"returned_at,omitempty"`
	SharedWith []string   `json:"shared_with,omitempty" doc:"further journeys of the contact"`
}

func codeHistoryOf(h *store.CodeHistory) codeHistory {
	out := codeHistory{Code: h.Code, Coupon: h.Coupon, Set: h.Set, Shop: h.Realm, State: h.State, Import: h.ImportID, ValidUntil: optional(h.ValidUntil),
		Assignments: []codeAssignment{}, Redemptions: []redemption{}, Holds: []held{}}
	for _, a := range h.Assignments {
		out.Assignments = append(out.Assignments, codeAssignment{a.JourneyID, a.ContactID, a.State, a.ClaimedAt, optional(a.ExposedAt),
			optional(a.AppliedAt), optional(a.ExpiresAt), optional(a.ReturnedAt), a.SharedWith})
	}
	for _, r := range h.Redemptions {
		out.Redemptions = append(out.Redemptions, redemptionOf(r))
	}
	for _, hold := range h.Holds {
		out.Holds = append(out.Holds, held{h.Code, hold.Reference, hold.Until})
	}
	return out
}
