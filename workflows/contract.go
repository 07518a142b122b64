// Package workflows holds the deterministic side: what happens next in a journey,
// and nothing else. It reads no clock but Temporal's, knows ids but no people, and
// acts only through activities.
package workflows

import (
	"encoding/json"
	"time"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
)

// TaskQueue is where journeys and their activities run.
const TaskQueue = "scrip"

// JourneyType is the journey's workflow type.
const JourneyType = "Journey"

// Search attributes of a journey, set when it starts.
const (
	AttributeCampaign = "ScripCampaign" // keyword
	AttributeContact  = "ScripContact"  // keyword: our opaque id
	AttributeVersion  = "ScripVersion"  // int
)

// Signals that a journey understands. Those from SignalRedeemed on are also meant
// to be sent by hand; they do what the webhook would do.
const (
	SignalEvents   = "events"   // Delivery: what a webhook told, from the dispatcher
	SignalExpiry   = "expiry"   // ExpiryChange: a code was extended or issued anew
	SignalTrigger  = "trigger"  // the trigger was updated; read from Postgres when needed
	SignalRedeemed = "redeemed" // Redeemed: the code was used in an order
	SignalApplied  = "applied"  // the code was entered at a checkout
	SignalExit     = "exit"     // ExitRequest: end now
	SignalSkip     = "skip"     // end the wait under way, as if its time had come
	SignalPause    = "pause"    // stop before the next step
	SignalResume   = "resume"   // go on, after a pause or when what held a step is mended
)

// QueryStatus is the query that tells where a journey stands: Status.
const QueryStatus = "status"

// JourneyInput is a journey's whole input: ids and edges, nobody's data.
type JourneyInput struct {
	Journey string         `json:"journey"`
	Plan    campaign.Plan  `json:"plan"`
	Clock   campaign.Clock `json:"clock,omitzero"`
	State   *State         `json:"state,omitempty"` // set when a journey continues as new
}

// State is where a journey stands; it travels when a journey continues as new.
type State struct {
	At      int        `json:"at"`                // index of the step to do
	Began   time.Time  `json:"began"`             // when the journey began; bounds its lifetime
	Since   time.Time  `json:"since,omitzero"`    // when the step began, if it has begun
	Until   time.Time  `json:"until,omitzero"`    // when the wait under way ends, if worked out
	Expiry  time.Time  `json:"expiry,omitzero"`   // when the newest code expires
	Event   string     `json:"event,omitempty"`   // id of the event that took the last arm or exit
	Pending []Delivery `json:"pending,omitempty"` // deliveries that nothing has taken yet
	Seen    []int64    `json:"seen,omitempty"`    // deliveries that came, so that none counts twice
	Paused  bool       `json:"paused,omitempty"`
	// Remarks are kept when the journey ends: no step of its own costs it anything.
	Remarks []activities.Remark `json:"remarks,omitempty"`
}

// Delivery is one webhook as far as it concerns a journey: for each of its events
// the rules of the journey's version that it satisfies.
type Delivery struct {
	ID     int64   `json:"delivery"`
	Events []Event `json:"events"`
}

// Event is one event of a Delivery.
type Event struct {
	ID    string   `json:"id"`
	Type  string   `json:"type"`
	Rules []string `json:"rules"`
}

// ExpiryChange is the payload of SignalExpiry.
type ExpiryChange struct {
	At time.Time `json:"at"`
}

// Redeemed is the payload of SignalRedeemed; Order is the shop's order id, if
// there is one.
type Redeemed struct {
	Order string `json:"order,omitempty"`
}

// UnmarshalJSON also takes an order id that was typed as a number.
func (r *Redeemed) UnmarshalJSON(b []byte) error {
	var loose struct {
		Order json.RawMessage `json:"order"`
	}
	if err := json.Unmarshal(b, &loose); err != nil {
		return err
	}
	var number json.Number // as it was typed, however many digits it has
	if json.Unmarshal(loose.Order, &r.Order) != nil && json.Unmarshal(loose.Order, &number) == nil {
		r.Order = number.String()
	}
	return nil
}

// ExitRequest is the payload of SignalExit; Outcome is "stopped" by default.
type ExitRequest struct {
	Outcome string `json:"outcome,omitempty"`
}

// JourneyResult is how a journey ended.
type JourneyResult struct {
	Outcome string `json:"outcome"`
}

// Status answers QueryStatus.
type Status struct {
	Step    string    `json:"step"`              // id of the step under way
	Says    string    `json:"says"`              // the same in words
	Waiting string    `json:"waiting,omitempty"` // what for, in words
	Until   time.Time `json:"until,omitzero"`    // until when at the latest
	Held    string    `json:"held,omitempty"`    // the reason a step is held for
	Paused  bool      `json:"paused,omitempty"`
	Outcome string    `json:"outcome,omitempty"`
}

// JourneyWorkflowID is the id under which a journey runs.
func JourneyWorkflowID(campaign, journey string) string { return campaign + "/" + journey }
