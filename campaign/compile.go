package campaign

import (
	"fmt"
	"slices"
)

const eventRedeemed = "code.redeemed"

// Compile turns the campaign into what a workflow follows. version is the
// number under which it is kept. It fails only for a Campaign that Parse would
// not have returned.
func (c *Campaign) Compile(version int) (*Program, error) {
	if len(c.Steps) == 0 {
		return nil, fmt.Errorf("compiling campaign %s: it has no steps", c.Name)
	}
	b := &builder{}
	b.list(c.Steps, endOfPlan)
	// A redemption is tried before everything else: by the built-in exit, or by
	// the file's own in its place.
	var first, others []pendingExit
	for i, exit := range c.Exits {
		rule := fmt.Sprintf("exit.%d", i)
		b.rule(rule, exit.Events, exit.Where, exit.Match)
		pending := pendingExit{rule, exit.outcome(), b.list(exit.Then, endOfPlan)}
		if slices.Contains(exit.Events, eventRedeemed) {
			first = append(first, pending)
		} else {
			others = append(others, pending)
		}
	}
	if len(first) == 0 {
		b.rule(RuleRedeemed, []string{eventRedeemed}, nil, "")
		first = []pendingExit{{RuleRedeemed, OutcomeRedeemed, endOfPlan}}
	}
	b.exits = append(first, others...)
	plan := Plan{Format: PlanFormat, Campaign: c.Name, Version: version, Lifetime: c.Lifetime}
	plan.Steps, plan.Exits = b.resolve()
	return &Program{Plan: plan, Docs: b.docs, Rules: b.rules}, nil
}

// label is the index of a step that may not be known yet.
type label *int

var endOfPlan = label(func() *int { end := End; return &end }())

// pendingStep is a step whose edges are labels.
type pendingStep struct {
	step                  Step
	next, then, otherwise label
	arms                  []label
}

type pendingExit struct {
	rule, outcome string
	then          label
}

// builder lays the steps out in the order of the file and ties their edges when
// all of them have an index.
type builder struct {
	steps []pendingStep
	docs  []StepDoc
	rules []Rule
	exits []pendingExit
}

func (b *builder) rule(id string, events []string, where *Condition, match string) {
	b.rules = append(b.rules, Rule{ID: id, Events: events, Where: where, Match: match})
}

// list adds steps that go on with after, and gives the first of them.
func (b *builder) list(steps []StepDoc, after label) label {
	if len(steps) == 0 {
		return after
	}
	starts := make([]label, len(steps))
	for i := range starts {
		starts[i] = new(int)
	}
	for i, s := range steps {
		next := after
		if i+1 < len(steps) {
			next = starts[i+1]
		}
		*starts[i] = len(b.steps)
		b.step(s, next)
	}
	return starts[0]
}

// step adds one step; its guard, if it has one, stands before it.
func (b *builder) step(s StepDoc, next label) {
	if s.If != nil && s.Verb != If {
		verb := new(int)
		b.add(s, pendingStep{
			step: Step{ID: "if_" + s.ID, Do: If, Says: ifSentence(s.If)},
			next: next, then: verb, otherwise: next,
		})
		*verb = len(b.steps)
	}
	p := pendingStep{step: Step{ID: s.ID, Do: s.Verb, Says: s.Name}, next: next, otherwise: next}
	if p.step.Says == "" {
		p.step.Says = sentence(s)
	}
	switch s.Verb {
	case Wait:
		p.step.Moment = s.Wait.moment()
	case EndVerb:
		p.next, p.otherwise = endOfPlan, endOfPlan
		if p.step.Outcome = s.End; s.End == "" {
			p.step.Outcome = OutcomeCompleted
		}
	case Assign, Call, Notify, Withdraw:
		p.step.Slow = true
	}
	at := b.add(s, p)
	for i, a := range s.Arms {
		b.arm(at, i, a, next)
	}
	if s.Verb == If {
		b.steps[at].then = b.list(s.Then, next)
	}
	if len(s.Else) > 0 {
		b.steps[at].otherwise = b.list(s.Else, next)
	}
}

func (b *builder) add(doc StepDoc, p pendingStep) int {
	b.steps, b.docs = append(b.steps, p), append(b.docs, doc)
	return len(b.steps) - 1
}

func (b *builder) arm(at, i int, a ArmDoc, next label) {
	arm := Arm{Clocky: a.clock()}
	if a.clock() {
		arm.Clock = WaitDoc{For: a.After, Until: a.Until, Offset: a.Offset}.moment()
	} else {
		arm.Rule = fmt.Sprintf("%s.%d", b.steps[at].step.ID, i)
		b.rule(arm.Rule, a.Events, a.Where, a.Match)
	}
	b.steps[at].step.Arms = append(b.steps[at].step.Arms, arm)
	b.steps[at].arms = append(b.steps[at].arms, b.list(a.Then, next))
}

// moment gives the compiled form. A wait for an offset of the expiry is the
// workflow's own arithmetic; days, times of day, dates and paths are somebody's
// clock or data.
func (w WaitDoc) moment() Moment {
	dated := w.Until != "" && w.Until != UntilExpiry
	return Moment{
		For: w.For, Until: w.Until, Offset: w.Offset,
		Local: dated || len(w.Days) > 0 || w.At != "" || w.Between != "",
	}
}

// resolve replaces the labels by indices.
func (b *builder) resolve() ([]Step, []Exit) {
	steps := make([]Step, len(b.steps))
	for i, p := range b.steps {
		steps[i] = p.step
		steps[i].Next, steps[i].Else = *p.next, *p.otherwise
		if p.then != nil {
			steps[i].Then = *p.then
		}
		for a, then := range p.arms {
			steps[i].Arms[a].Then = *then
		}
	}
	var exits []Exit
	for _, e := range b.exits {
		exits = append(exits, Exit{Rule: e.rule, Outcome: e.outcome, Then: *e.then})
	}
	return steps, exits
}

// Rule finds an event rule by its id.
func (p *Program) Rule(id string) (Rule, bool) {
	i := slices.IndexFunc(p.Rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return p.Rules[i], true
}

// Listens gives the event types that this version reacts to, sorted.
func (p *Program) Listens() []string {
	var types []string
	for _, r := range p.Rules {
		types = append(types, r.Events...)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// MatchFields gives the fields by which rules find journeys of other contacts,
// sorted.
func (p *Program) MatchFields() []string {
	var fields []string
	for _, r := range p.Rules {
		if r.Match != "" {
			fields = append(fields, r.Match)
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}
