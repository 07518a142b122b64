package campaign

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// reached is what some way to a step has brought with it.
type reached struct {
	code  bool            // a code of this journey
	event bool            // the event that took an arm
	steps map[string]bool // ids of the steps before
}

func (r reached) clone() reached {
	r.steps = maps.Clone(r.steps)
	return r
}

// join is what one way or the other has brought. event is left out: it ends
// with the arm.
func (r reached) join(o reached) reached {
	out := r.clone()
	out.code = out.code || o.code
	maps.Copy(out.steps, o.steps)
	return out
}

// messageVariables are the variables of texts that need nothing before them.
var messageVariables = []string{"contact", "trigger", "entry", "now", "project", "unsubscribe_url"}

// walk checks a list of steps and returns what is there after it.
func (l *linker) walk(steps []StepDoc, have reached) reached {
	for _, s := range steps {
		l.reads(s.If, have, s.Pos)
		have = l.linked(s, have)
		have.steps[s.ID] = true
	}
	return have
}

// linked checks one step with what is inside it.
func (l *linker) linked(s StepDoc, have reached) reached {
	without := have.clone()
	switch s.Verb {
	case Wait:
		l.path(s.Wait.Until, have, s.Pos)
	case Await:
		return l.await(s, have)
	case Send:
		l.couponNamed(s.Send.Coupon, s.Pos)
		l.connection(s.Send.Connection, s.Pos)
		have.code = have.code || s.Send.Coupon != ""
		l.template(s, have)
	case Assign:
		l.couponNamed(s.Assign.Coupon, s.Pos)
		have.code = true
	case If:
		then, otherwise := l.walk(s.Then, have.clone()), l.walk(s.Else, without)
		out := then.join(otherwise)
		out.event = have.event
		return out
	case Notify:
		for _, team := range slices.Sorted(maps.Keys(s.Notify)) {
			l.owner(team, s.Pos)
			l.liquid(s.Notify[team], have, s.Pos)
		}
	case Call:
		l.connection(s.Call.Connection, s.Pos)
		l.liquid(s.Call.Path, have, s.Pos)
		l.liquids(s.Call.JSON, have, s.Pos)
	case Withdraw:
		l.couponNamed(s.Withdraw, s.Pos)
	}
	if len(s.Else) > 0 {
		without.steps[s.ID] = true
		event := have.event
		have = have.join(l.walk(s.Else, without))
		have.event = event
	}
	return have
}

func (l *linker) await(s StepDoc, have reached) reached {
	out := have.clone()
	clocked := false
	for _, a := range s.Arms {
		clocked = clocked || a.clock()
		l.needs(a.Where, a.Pos)
		l.path(a.Until, have, a.Pos)
		inside := have.clone()
		inside.steps[s.ID] = true
		inside.event = inside.event || !a.clock()
		out = out.join(l.walk(a.Then, inside))
	}
	if !clocked {
		l.warn(s.Pos, "this `await` has no clock; it lasts until the journey's lifetime is over. Add an arm: `- after: 2d`")
	}
	out.event = have.event
	return out
}

// template checks that a message's template is there and has what it reads.
func (l *linker) template(s StepDoc, have reached) {
	if l.project.Templates == nil {
		return
	}
	t, ok := l.project.Templates[s.Send.Template]
	if !ok {
		l.fail(s.Pos, "there is no template `%s`%s; expected a folder templates/%s", s.Send.Template, maybe(s.Send.Template, slices.Sorted(maps.Keys(l.project.Templates))), s.Send.Template)
		return
	}
	if !slices.Contains(t.Channels(), s.Send.Channel) {
		l.fail(s.Pos, "the template `%s` has no text for %s; it has %s", s.Send.Template, s.Send.Channel, listed(t.Channels()))
		return
	}
	for _, variable := range t.Variables(s.Send.Channel) {
		if why := have.lacks(variable, s.Send.With); why != "" {
			l.fail(s.Pos, "the template `%s` reads `%s`, %s", s.Send.Template, variable, why)
		}
	}
}

// reads checks the variables of an `if`.
func (l *linker) reads(c *Condition, have reached, pos Pos) {
	if c == nil {
		return
	}
	l.needs(c, pos)
	for _, path := range c.Reads() {
		root, _, _ := strings.Cut(path, ".")
		if !slices.Contains(InStep.Variables(), root) {
			continue // a variable of a macro: tags.exists(t, …)
		}
		if why := have.lacks(path, nil); why != "" {
			l.fail(pos, "the expression reads `%s`, %s", path, why)
		}
	}
}

// path checks the path of an until.
func (l *linker) path(until string, have reached, pos Pos) {
	if !pathPattern.MatchString(until) {
		return // expiry without a code goes on at once; a date needs nothing
	}
	if why := have.lacks(until, nil); why != "" {
		l.fail(pos, "`until` reads `%s`, %s", until, why)
	}
}

// liquid checks a text of notify or call.
func (l *linker) liquid(text string, have reached, pos Pos) {
	if l.project.Liquid == nil || text == "" {
		return
	}
	variables, err := l.project.Liquid(text)
	if err != nil {
		l.fail(pos, "not valid Liquid: %s", err)
		return
	}
	for _, variable := range variables {
		if why := have.lacks(variable, nil); why != "" {
			l.fail(pos, "the text reads `%s`, %s", variable, why)
		}
	}
}

// liquids checks every text inside the JSON of a call.
func (l *linker) liquids(value any, have reached, pos Pos) {
	switch value := value.(type) {
	case string:
		l.liquid(value, have, pos)
	case []any:
		for _, v := range value {
			l.liquids(v, have, pos)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(value)) {
			l.liquids(value[k], have, pos)
		}
	}
}

// lacks says why a dotted path has no value here, or "".
func (r reached) lacks(path string, with map[string]any) string {
	root, rest, _ := strings.Cut(path, ".")
	field, _, _ := strings.Cut(rest, ".")
	if _, given := with[root]; given {
		return ""
	}
	switch root {
	case "code", "codes", "coupon":
		if !r.code {
			return "but no code is assigned on any way to this step; add `coupon:` to the `send`, or an `assign` before it"
		}
	case "event":
		if !r.event {
			return "but there is an event only inside the arm that it took; the one that started the journey is `trigger`"
		}
	case "steps":
		if field != "" && !r.steps[field] {
			return fmt.Sprintf("but no step `%s` stands before this one%s", field, maybe(field, slices.Sorted(maps.Keys(r.steps))))
		}
	default:
		if !slices.Contains(messageVariables, root) {
			known := append(slices.Clone(messageVariables), "code", "codes", "coupon", "event", "steps")
			known = append(known, slices.Sorted(maps.Keys(with))...)
			return "which is not known" + didYouMean(root, known)
		}
	}
	return ""
}
