// Package activities acts for the workflows: it assigns codes, sends messages and
// writes down what happened. Every activity is safe to run again: what it did is
// found in Postgres under the journey and the step.
package activities

import (
	"log/slog"
	"sync"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// Activities are the journey's hands; its methods are the activities.
type Activities struct {
	Store       *store.Store
	Connections Connections
	Executions  Executions
	Project     Project
	Limits      Limits
	Log         *slog.Logger
	Observe     Observer

	templates templates
	underWay  sync.WaitGroup // steps
}

// Connections is what the activities know of the configured accounts. An empty
// name asks for the project's default.
type Connections interface {
	Outlet(channel, name string) (Outlet, bool)
	Issuer(name string) (integrations.Issuer, bool)
	Caller(name string) (integrations.Caller, bool)
}

// Outlet is one connection over which messages go out, and its guard.
type Outlet struct {
	Name    string
	Channel integrations.Channel
	// Guard says why this address may not be written to, NotLive or OnlyTo; "" where
	// it may: the connection is live, or a sandbox, or lists the address in only_to.
	Guard func(address string) string
	// EvidenceWindow is how long silence about a message means nothing.
	EvidenceWindow time.Duration
	// Resend says what an unknown outcome comes to after that: sent again, or
	// parked for a person.
	Resend bool
}

// Project is what the project's file says to all campaigns.
type Project struct {
	Zone       *time.Location
	Currency   string
	PublicURL  string
	QuietHours map[string]string   // channel -> window in which marketing waits: "21:00-08:00"
	Teams      map[string][]string // team -> e-mail addresses
	KeepBodies time.Duration       // how long vendors' payloads are kept
	Clock      campaign.Clock      // the development clock; its start is each journey's own
}

// Observer counts what happened. Its labels hold no personal data.
type Observer interface {
	Sent(channel, connection, outcome string)
	Skipped(channel, reason string)
	// NotDone counts a step each time that it is held, skipped or failed.
	NotDone(campaign, verb, status, reason string)
	Claimed(coupon, status string, took time.Duration)
	Ended(campaign, outcome string)
}

// Step names one step of one journey; the input of every activity that does one.
type Step struct {
	Journey string         `json:"journey"`
	ID      string         `json:"id"`
	Index   int            `json:"index"`
	Clock   campaign.Clock `json:"clock,omitzero"`
	// Due is when the step came to be done; `late` counts from it.
	Due time.Time `json:"due,omitzero"`
	// Event is the id of the event that took the arm or exit the step is in.
	Event string `json:"event,omitempty"`
}

// Statuses of a Result.
const (
	Done    = "done"
	Skipped = "skipped" // not done, for Reason; the step's else is taken
	Failed  = "failed"  // refused for good, for Reason; the step's else is taken
	Held    = "held"    // to be asked again at Until, or after a resume signal
)

// Result is what became of a step.
type Result struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	// Until is when a held step is to be asked again; zero: only when resumed.
	Until time.Time `json:"until,omitzero"`
	// Expiry is when the journey's newest code expires; zero: no change.
	Expiry time.Time `json:"expiry,omitzero"`
	// Late says that Moment had passed already.
	Late bool `json:"late,omitempty"`
	// Moment is when a wait ends.
	Moment time.Time `json:"moment,omitzero"`
	// Holds is the verdict of a condition.
	Holds bool `json:"holds,omitempty"`
}

// Reasons for which a step is held or not done. Those of messages are the words
// of the ledger.
const (
	NoAddress        = "no_address"
	NoConsent        = "no_consent"
	Suppressed       = "suppressed"
	TooLate          = "too_late"
	CodeExpired      = "code_expired"
	CodeUsed         = "code_used"
	NoCode           = "no_code"
	AlreadyHad       = "already_had"
	VendorRefused    = "vendor_refused"
	NotLive          = "not_live"
	OnlyTo           = "only_to"
	NoConnection     = "no_connection"
	JourneyOver      = "journey_over"
	RenderError      = "render_error"
	ExpressionError  = "expression_error"
	UnknownOutcome   = "unknown_outcome"
	OutOfWindow      = "out_of_window"
	CampaignPaused   = "campaign_paused"
	KillSwitch       = "kill_switch"
	EventsWaiting    = "events_waiting"
	WaitingForSupply = "waiting_for_codes"
	Paused           = "paused" // by hand
)

// Reasons for which a wait was over at once. A wait for the expiry of a code that
// there isn't has NoCode.
const (
	Late   = "late"    // its moment had passed
	NoDate = "no_date" // the contact or the trigger has no such date
)
