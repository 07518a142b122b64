package campaign

import (
	"slices"
	"time"
)

// placement is where a list of steps stands, and so which steps it may hold.
type placement int

const (
	stepsAnywhere placement = iota
	stepsInstant            // an exit's then: nothing that waits
)

// verbs are the keys that make a step, in the order in which they are named to
// the author; laterVerbs are those that the grammar knows and Parse refuses.
var (
	verbs        = []string{"wait", "await", "send", "assign", "tag", "untag", "notify", "call", "withdraw", "end"}
	laterVerbs   = []string{"split", "sync", "start", "deactivate", "replace"}
	instantVerbs = []string{"tag", "untag", "notify", "call", "withdraw"}
	stepKeys     = append([]string{"id", "name", "if", "then", "else"}, verbs...)
	channels     = []string{"email", "sms"}
	laterSends   = []string{"whatsapp", "viber", "messenger", "intercom", "reply"}
)

// verbsWithElse can fail to be done, which is when their `else` runs.
var verbsWithElse = []Verb{Send, Assign, Call}

const defaultLate = 24 * time.Hour

func (r *reader) steps(n *node, where placement) []StepDoc {
	if n.kind != list {
		r.fail(n.pos, "steps are a list; each begins with a dash: `- send: {email: …}`")
		return nil
	}
	if len(n.items) == 0 {
		r.fail(n.pos, "expected at least one step")
	}
	var steps []StepDoc
	for _, item := range n.items {
		if s, ok := r.step(item, where); ok {
			steps = append(steps, s)
		}
	}
	return steps
}

func (r *reader) step(n *node, where placement) (StepDoc, bool) {
	s := StepDoc{Pos: n.pos}
	if r.keys(n, "a step", stepKeys, laterVerbs...) == nil {
		return s, false
	}
	verb, ok := r.verb(n)
	if !ok {
		return s, false
	}
	s.Verb = verb
	if id := n.get("id"); id != nil {
		s.ID = r.id(id, "`id`")
	}
	if name := n.get("name"); name != nil {
		s.Name = r.text(name, "`name`")
	}
	if where == stepsInstant && !slices.Contains(instantVerbs, string(verb)) {
		r.fail(n.get(string(verb)).pos, "an exit's `then` holds instant steps only: %s", listed(instantVerbs))
	}
	s.If = r.condition(n.get("if"), "`if`", InStep)
	if then := n.get("then"); then != nil && verb == If {
		s.Then = r.steps(then, where)
	}
	if e := n.get("else"); e != nil {
		s.Else = r.otherwise(e, n, verb, where)
	}
	r.body(&s, n.get(string(verb)), where)
	return s, true
}

// verb finds the one verb of a step.
func (r *reader) verb(n *node) (Verb, bool) {
	var found []entry
	for _, e := range n.entries {
		if slices.Contains(verbs, e.key) {
			found = append(found, e)
		} else if slices.Contains(laterVerbs, e.key) {
			return "", false // refused by its key
		}
	}
	hasIf, hasThen := n.get("if") != nil, n.get("then") != nil
	switch {
	case len(found) == 1 && !hasThen:
		return Verb(found[0].key), true
	case len(found) == 0 && hasIf && hasThen:
		return If, true
	case len(found) > 1:
		r.fail(found[1].pos, "a step has one verb: `%s` and `%s` are two steps; begin the second with its own dash", found[0].key, found[1].key)
	case len(found) == 1:
		r.fail(n.get("then").pos, "`then` belongs to an `if` alone; put the steps after this one, or into the arm of an `await`")
	case hasThen:
		r.fail(n.pos, "`then` needs an `if`")
	case hasIf:
		r.fail(n.pos, "`if` needs a `then`, or one verb to guard: %s", listed(verbs))
	default:
		r.fail(n.pos, "a step has one verb: %s", listed(append(slices.Clone(verbs), "if")))
	}
	return "", false
}

// otherwise reads an else, which runs when the step was not done.
func (r *reader) otherwise(e, step *node, verb Verb, where placement) []StepDoc {
	switch {
	case verb == If:
	case step.get("if") != nil:
		r.fail(e.pos, "`else` beside `if` needs `then`: write the guarded step under `then`")
	case !slices.Contains(verbsWithElse, verb):
		r.fail(e.pos, "`else` has no meaning for `%s`; it belongs to `if`, `send`, `assign` or `call`", verb)
	}
	return r.steps(e, where)
}

// body reads the value of the verb.
func (r *reader) body(s *StepDoc, n *node, where placement) {
	switch s.Verb {
	case Wait:
		s.Wait = r.wait(n)
	case Await:
		s.Arms = r.arms(n, where)
	case Send:
		s.Send = r.send(n)
	case Assign:
		s.Assign = r.assign(n)
	case Tag, Untag:
		s.Tags = r.strings(n, "`"+string(s.Verb)+"`", func(n *node, what string) string {
			return r.match(n, what, tagPattern, "in small letters, digits, hyphens and underscores (loyal)")
		})
	case Notify:
		s.Notify = r.notify(n)
	case Call:
		s.Call = r.call(n)
	case Withdraw:
		s.Withdraw = r.couponRef(n, "`withdraw`")
	case EndVerb:
		s.End = r.end(n)
	}
}

func (r *reader) end(n *node) string {
	if v, ok := n.raw.(bool); ok && v {
		return ""
	}
	if n.kind != scalar {
		r.fail(n.pos, "`end` is true, or the outcome of the journey (never_confirmed)")
		return ""
	}
	return r.id(n, "`end`")
}
