package campaign

import (
	"slices"
	"strings"
	"time"
)

// defaultLifetime ends a journey whose file has no `lifetime`.
const defaultLifetime = 90 * day

// maxDebounce is the longest quiet time before an entry.
const maxDebounce = 7 * day

var (
	campaignKeys = []string{"campaign", "description", "owner", "trigger", "entry", "exit", "lifetime", "timezone", "steps", "format", "x-"}
	triggerKeys  = []string{"event", "where", "debounce", "contact"}
	exitKeys     = []string{"event", "where", "match", "as", "then"}
)

func (r *reader) campaign(n *node) *Campaign {
	c := &Campaign{Pos: n.pos, Lifetime: defaultLifetime}
	r.keys(n, "a campaign", campaignKeys, "holdout")
	r.format(n)
	c.Name = r.name(n.get("campaign"), "`campaign`")
	c.Description = r.text(n.get("description"), "`description`")
	if owner := n.get("owner"); owner != nil {
		c.Owner = r.name(owner, "`owner`")
	}
	if trigger := n.get("trigger"); trigger == nil {
		r.fail(n.pos, "a campaign says what starts it: `trigger: {event: order.paid}` or `trigger: manual`")
	} else {
		c.Trigger = r.trigger(trigger)
	}
	c.Entry = r.entry(n.get("entry"))
	c.Exits = r.exits(n.get("exit"))
	if lifetime := n.get("lifetime"); lifetime != nil {
		c.Lifetime = r.duration(lifetime, "`lifetime`")
	}
	c.TimeZone = r.timeZone(n.get("timezone"))
	if steps := n.get("steps"); steps == nil {
		r.fail(n.pos, "a campaign says what it does: `steps:`")
	} else {
		c.Steps = r.steps(steps, stepsAnywhere)
	}
	r.giveIDs(c)
	return c
}

func (r *reader) timeZone(n *node) string {
	if n == nil {
		return ""
	}
	return r.checked(n, "`timezone`", func(s string) error { _, err := Location(s); return err })
}

func (r *reader) trigger(n *node) Trigger {
	if n.kind == scalar && n.text == "manual" {
		return Trigger{Manual: true}
	}
	for _, later := range []string{"date", "schedule"} {
		if v := n.get(later); v != nil {
			r.notYet(v.pos, "trigger: {"+later+": …}")
			return Trigger{}
		}
	}
	if r.keys(n, "a trigger", triggerKeys) == nil {
		return Trigger{}
	}
	t := Trigger{Events: r.events(n.get("event")), Where: r.condition(n.get("where"), "`where`", InTrigger)}
	if n.get("event") == nil {
		r.fail(n.pos, "a trigger names its `event`, or is `manual`")
	}
	if d := n.get("debounce"); d != nil {
		if t.Debounce = r.duration(d, "`debounce`"); t.Debounce > maxDebounce {
			r.fail(d.pos, "`debounce` is at most %s", FormatDuration(maxDebounce))
		}
	}
	if p := n.get("contact"); p != nil {
		t.Contact = r.path(p, "`contact`", "event")
	}
	return t
}

// path reads a dotted path that begins with one of roots.
func (r *reader) path(n *node, what string, roots ...string) string {
	s := r.text(n, what)
	if s == "" {
		return ""
	}
	root, _, _ := strings.Cut(s, ".")
	if !pathPattern.MatchString(s) || !slices.Contains(roots, root) {
		r.fail(n.pos, "%s is a path such as %s.id, not `%s`", what, roots[0], s)
		return ""
	}
	return s
}

func (r *reader) entry(n *node) Entry {
	e := Entry{WhileInside: Ignore}
	if n == nil {
		return e
	}
	if n.kind == scalar {
		if n.text != "once" {
			r.fail(n.pos, "`entry` is `once`, or has %s", listed([]string{"key", "cooldown", "while_inside"}))
		}
		e.Once = true
		return e
	}
	if r.keys(n, "`entry`", []string{"key", "cooldown", "while_inside"}) == nil {
		return e
	}
	if k := n.get("key"); k != nil {
		e.Key = r.path(k, "`key`", "event")
	}
	if c := n.get("cooldown"); c != nil {
		e.Cooldown = r.duration(c, "`cooldown`")
	}
	if w := n.get("while_inside"); w != nil {
		e.WhileInside = r.oneOf(w, "`while_inside`", Ignore, Update, Restart, Parallel)
	}
	return e
}

func (r *reader) exits(n *node) []ExitDoc {
	if n == nil {
		return nil
	}
	if n.kind != list || len(n.items) == 0 {
		r.fail(n.pos, "`exit` is a list; each item begins with `- event:`")
		return nil
	}
	var exits []ExitDoc
	for _, item := range n.items {
		if r.keys(item, "an exit", exitKeys) == nil {
			continue
		}
		exit := ExitDoc{Events: r.events(item.get("event")), Where: r.condition(item.get("where"), "`where`", InRule), Pos: item.pos}
		if item.get("event") == nil {
			r.fail(item.pos, "an exit names its `event`")
		}
		if m := item.get("match"); m != nil {
			exit.Match = r.field(m, "`match`")
		}
		if as := item.get("as"); as != nil {
			exit.As = r.id(as, "`as`")
		}
		if then := item.get("then"); then != nil {
			exit.Then = r.steps(then, stepsInstant)
		}
		exits = append(exits, exit)
	}
	return exits
}

// outcome gives what the exit ends a journey as: its label, or the event's name.
func (e ExitDoc) outcome() string {
	switch {
	case e.As != "":
		return e.As
	case slices.Contains(e.Events, eventRedeemed):
		return OutcomeRedeemed
	case len(e.Events) > 0:
		return strings.ReplaceAll(e.Events[0], ".", "_")
	}
	return OutcomeCompleted
}

// lasts says whether a lifetime can hold a path of the given length.
func (c *Campaign) lasts(longest time.Duration) bool { return longest <= c.Lifetime }
