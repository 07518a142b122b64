// Package campaign is what people write: campaign, coupon and segment documents.
//
// It parses and checks them, compiles a campaign into the Plan that a workflow
// follows and the Rules that the dispatcher evaluates, and does the arithmetic of
// expiry, windows and time zones. It is pure: no I/O, no clock but the one that
// is handed in, and it knows nobody else in this project.
package campaign

import (
	"time"

	"github.com/shopspring/decimal"
)

// Campaign is one `campaign:` document.
type Campaign struct {
	Name        string
	Description string
	Owner       string
	Trigger     Trigger
	Entry       Entry
	Exits       []ExitDoc
	Lifetime    time.Duration
	TimeZone    string
	Steps       []StepDoc
	Source      string // the document as written
	Pos         Pos
}

// Trigger is what starts a journey.
type Trigger struct {
	Manual   bool
	Events   []string
	Where    *Condition
	Debounce time.Duration
	Contact  string // path in the event to the external id of the person whose journey it is
}

// Policies of Entry.WhileInside.
const (
	Ignore   = "ignore"
	Update   = "update"
	Restart  = "restart"
	Parallel = "parallel"
)

// Entry is who may come in, and how often.
type Entry struct {
	Once        bool          // the contact is the key
	Key         string        // path: event.FIELD; empty: the event's id
	Cooldown    time.Duration // minimum distance between entries of one contact
	WhileInside string        // Ignore by default
}

// ExitDoc is one `exit:` of the file.
type ExitDoc struct {
	Events []string
	Where  *Condition
	Match  string
	As     string
	Then   []StepDoc
	Pos    Pos
}

// StepDoc is a step as written; Plan.Steps[i] was compiled from Program.Docs[i].
type StepDoc struct {
	ID, Name string
	Verb     Verb
	If       *Condition
	Then     []StepDoc
	Else     []StepDoc

	Wait     *WaitDoc
	Arms     []ArmDoc
	Send     *SendDoc
	Assign   *AssignDoc
	Tags     []string
	Notify   map[string]string // team -> Liquid
	Call     *CallDoc
	Withdraw string
	End      string
	Pos      Pos
}

// WaitDoc is when a wait ends: first For or Until + Offset, then Days, then At or
// Between in the contact's zone.
type WaitDoc struct {
	For     time.Duration
	Until   string // "expiry", a date, or a path
	Offset  time.Duration
	Days    []time.Weekday
	At      string // "10:00"
	Between string // "09:00-19:00"
}

// ArmDoc is one arm of an await.
type ArmDoc struct {
	Events []string
	Where  *Condition
	Match  string
	After  time.Duration
	Until  string
	Offset time.Duration
	Then   []StepDoc
	Pos    Pos
}

// Kinds of message.
const (
	Marketing     = "marketing"
	Transactional = "transactional"
)

// SendDoc is a `send:` step.
type SendDoc struct {
	Channel    string // event.ChannelEmail, event.ChannelSMS
	Template   string
	Coupon     string // "" without one; name or name/set
	Kind       string // Marketing by default
	Connection string // "" means the project's default for the channel
	Between    string
	Late       time.Duration // 24 h by default
	With       map[string]any
}

// AssignDoc is an `assign:` step.
type AssignDoc struct {
	Coupon   string
	New      bool
	ValidFor time.Duration // 0: the coupon's
	// ValidForDays is to ValidFor what it is in Coupon.
	ValidForDays bool
}

// CallDoc is a `call:` step; Path and the strings in JSON are Liquid.
type CallDoc struct {
	Connection, Method, Path string
	JSON                     map[string]any
}

// Kinds of pool.
const (
	PoolShared   = "shared"
	PoolList     = "list"
	PoolGenerate = "generate"
	PoolShop     = "shop"
)

// What happens when a coupon has no code left.
const (
	EmptyWait = "wait"
	EmptySkip = "skip"
)

// Coupon is one `coupon:` document.
type Coupon struct {
	Name        string
	Description string
	Owner       string
	Discount    Discount
	Pool        string // PoolShared …
	Code        string // PoolShared: the code
	MaxUses     int    // PoolShared: 0 is unlimited
	Sets        []string
	DrawRandom  bool   // PoolList: random order instead of the imported one
	Pattern     string // PoolGenerate, PoolShop: "CART-########"
	Alphabet    string // of the pattern's # characters
	Connection  string // PoolShop: "" means the project's shop
	ValidFor    time.Duration
	// ValidForDays says that ValidFor was written in days or weeks alone, and so
	// lasts to the end of its last day.
	ValidForDays bool
	ValidUntil   string // a date, to the end of that day in the project's zone, or date and time
	ValidFrom    string
	OnePer       string // "journey" (default) or "contact"
	Redeemable   string // "anyone" (default) or "holder"
	Limits       Limits
	LowAt        []int
	OnEmpty      OnEmpty
	Source       string
	Pos          Pos
}

// Discount is what the coupon gives; exactly one of its kinds is set.
type Discount struct {
	Percentage   decimal.Decimal `json:"percentage,omitzero"`
	Amount       decimal.Decimal `json:"amount,omitzero"`
	Currency     string          `json:"currency,omitempty"`
	FreeShipping bool            `json:"free_shipping,omitempty"`
	Text         string          `json:"text,omitempty"`
}

// Limits bound the use of a coupon; zero is unlimited.
type Limits struct {
	PerContact int             `json:"per_contact,omitempty"`
	Total      int             `json:"total,omitempty"`
	Budget     decimal.Decimal `json:"budget,omitzero"`
	MinOrder   decimal.Decimal `json:"min_order,omitzero"`
}

// OnEmpty is what a claim does when the pool is empty: wait in order for Wait (0
// does not wait), then take Fallback if there is one, else skip.
type OnEmpty struct {
	Wait     time.Duration
	Fallback string
}

// Segment is one `segment:` document.
type Segment struct {
	Name        string
	Description string
	Where       *Condition
	Source      string
	Pos         Pos
}

// Pos is a place in a file.
type Pos struct {
	File         string
	Line, Column int // from 1
}

// Program is a compiled campaign version.
type Program struct {
	Plan  Plan
	Docs  []StepDoc // Docs[i] is what Plan.Steps[i] was compiled from
	Rules []Rule    // arms, the built-in exit, exits; in no order of precedence
}
