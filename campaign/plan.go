package campaign

import "time"

// PlanFormat is the number of the compiled form; a journey carries it so that a
// later build knows what it reads.
const PlanFormat = 1

// End is the index after the last step: the journey is over.
const End = -1

// Plan is a campaign version as a workflow follows it: a list of steps with
// edges between them, small enough to travel in the workflow's input. It holds
// no conditions, templates or texts but each step's name; those stay in Postgres
// and are read by the activities.
type Plan struct {
	Format   int           `json:"format"`
	Campaign string        `json:"campaign"`
	Version  int           `json:"version"`
	Steps    []Step        `json:"steps"`    // Steps[0] is the first
	Exits    []Exit        `json:"exits"`    // in order of precedence; the one for a redemption is first
	Lifetime time.Duration `json:"lifetime"` // bounds awaits without a clock
}

// Verb is what a step does.
type Verb string

// Verbs of the compiled form. `if` stands before the step that it guards.
const (
	Wait     Verb = "wait"
	Await    Verb = "await"
	Send     Verb = "send"
	Assign   Verb = "assign"
	If       Verb = "if"
	Tag      Verb = "tag"
	Untag    Verb = "untag"
	Notify   Verb = "notify"
	Call     Verb = "call"
	Withdraw Verb = "withdraw"
	EndVerb  Verb = "end"
)

// Step is one step of a plan.
type Step struct {
	ID   string `json:"id"`             // the key of the ledger; never positional
	Do   Verb   `json:"do"`             //
	Says string `json:"says"`           // its name in the UI: the file's, or a sentence
	Next int    `json:"next"`           // the step after this one was done, or End
	Else int    `json:"else"`           // the step after this one was not done; Next where the file has no else
	Then int    `json:"then,omitempty"` // If: the step when the condition holds

	Moment  Moment `json:"moment,omitzero"`   // Wait
	Arms    []Arm  `json:"arms,omitempty"`    // Await
	Outcome string `json:"outcome,omitempty"` // EndVerb: the journey's outcome
	// Slow is true for steps whose activity may take longer than a moment (another
	// system is called); the others run as local activities first. Plans of 0.1 have
	// it for sends, too.
	Slow bool `json:"slow,omitempty"`
}

// Moment is when a wait or an arm ends. Exactly one of For and Until is set, or
// neither where only a time of day is awaited.
type Moment struct {
	For   time.Duration `json:"for,omitempty"`
	Until string        `json:"until,omitempty"` // "expiry"; a date; or a path
	// Offset is added to Until; negative is before it.
	Offset time.Duration `json:"offset,omitempty"`
	// Local says that the moment depends on somebody's clock or data and an
	// activity has to work it out: days, at, between, a date or a path.
	Local bool `json:"local,omitempty"`
}

// UntilExpiry is the Moment.Until of the newest code's expiry.
const UntilExpiry = "expiry"

// Arm is one branch of an await: either an event rule or a clock.
type Arm struct {
	Rule   string `json:"rule,omitempty"`      // id of the event rule that takes it
	Clock  Moment `json:"clock,omitzero"`      // For counts from the start of the await
	Then   int    `json:"then"`                // the step to go on with
	Clocky bool   `json:"clock_arm,omitempty"` // the arm is a clock
}

// Exit is a way out that is open during the whole journey.
type Exit struct {
	Rule    string `json:"rule"`    // id of the event rule
	Outcome string `json:"outcome"` // what the journey ends as
	Then    int    `json:"then"`    // first of its instant steps, or End
}

// RuleRedeemed is the id of the built-in exit on code.redeemed. It stands after
// the await arms and before the file's exits, and is absent from plans whose file
// has an exit of its own for code.redeemed.
const RuleRedeemed = "redeemed"

// Outcomes that a journey can end with besides the file's own labels.
const (
	OutcomeRedeemed  = "redeemed"
	OutcomeCompleted = "completed"
	OutcomeTimedOut  = "timed_out"
	OutcomeRestarted = "restarted"
	OutcomeStopped   = "stopped"
	OutcomeErased    = "erased"
	OutcomeMerged    = "merged"
	OutcomeFailed    = "failed"
	OutcomeLost      = "lost"
)

// Rule is one event rule of a version, an exit's or an arm's, as the dispatcher
// evaluates it when an event comes in.
type Rule struct {
	ID     string     // "exit.0", or the await's step id and the arm: "await_code_applied.0"
	Events []string   // event types
	Where  *Condition // nil: always
	Match  string     // field that must be equal in event and trigger; empty: the same contact
}
