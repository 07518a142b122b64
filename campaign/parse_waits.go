package campaign

import (
	"slices"
	"time"
)

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

var weekdayNames = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

func (r *reader) wait(n *node) *WaitDoc {
	if n.kind != mapping {
		return &WaitDoc{For: r.duration(n, "`wait`")}
	}
	w := &WaitDoc{}
	r.keys(n, "`wait`", []string{"for", "until", "offset", "days", "at", "between"})
	if len(n.entries) == 0 {
		r.fail(n.pos, "`wait` says how long: `wait: 2d` or `wait: {until: expiry}`")
	}
	if f := n.get("for"); f != nil {
		w.For = r.duration(f, "`for`")
	}
	w.Until, w.Offset = r.until(n)
	if n.get("for") != nil && n.get("until") != nil {
		r.fail(n.get("until").pos, "a wait has `for` or `until`, not both")
	}
	for _, d := range r.strings(n.get("days"), "`days`", func(n *node, what string) string { return r.oneOf(n, what, weekdayNames...) }) {
		w.Days = append(w.Days, weekdays[d])
	}
	if at := n.get("at"); at != nil {
		w.At = r.timeOfDay(at, "`at`")
	}
	if between := n.get("between"); between != nil {
		w.Between = r.window(between, "`between`")
		if n.get("at") != nil {
			r.fail(between.pos, "a wait has `at` or `between`, not both")
		}
	}
	return w
}

// until reads until and offset of a wait or an arm.
func (r *reader) until(n *node) (until string, offset time.Duration) {
	if u := n.get("until"); u != nil {
		until = r.moment(u)
	}
	if o := n.get("offset"); o != nil {
		offset = r.offset(o, "`offset`")
		if n.get("until") == nil {
			r.fail(o.pos, "`offset` belongs to `until`; without it, lengthen `for`")
		}
	}
	return until, offset
}

// moment reads what until names: the expiry, a date or a path.
func (r *reader) moment(n *node) string {
	s := r.text(n, "`until`")
	if s == "" || s == UntilExpiry || pathPattern.MatchString(s) {
		return s
	}
	if _, err := ParseDate(s); err != nil {
		r.fail(n.pos, "`until` is `expiry`, a date (\"2026-09-21\" or \"2026-09-21 08:00\") or a path (trigger.delivered_at), not `%s`", s)
		return ""
	}
	return s
}

func (r *reader) arms(n *node, where placement) []ArmDoc {
	if n.kind != list || len(n.items) == 0 {
		r.fail(n.pos, "`await` is a list of arms; each begins with `- event:`, `- after:` or `- until:`")
		return nil
	}
	var arms []ArmDoc
	for _, item := range n.items {
		if r.keys(item, "an arm of `await`", []string{"event", "where", "match", "after", "until", "offset", "then"}) == nil {
			continue
		}
		arms = append(arms, r.arm(item, where))
	}
	return arms
}

func (r *reader) arm(n *node, where placement) ArmDoc {
	arm := ArmDoc{Pos: n.pos, Events: r.events(n.get("event")), Where: r.condition(n.get("where"), "`where`", InRule)}
	kinds := slices.DeleteFunc([]string{"event", "after", "until"}, func(k string) bool { return n.get(k) == nil })
	switch {
	case len(kinds) == 0:
		r.fail(n.pos, "an arm has one of `event`, `after` or `until`")
	case len(kinds) > 1:
		r.fail(n.get(kinds[1]).pos, "an arm has one of `event`, `after` or `until`; write two arms")
	}
	for _, key := range []string{"where", "match"} {
		if v := n.get(key); v != nil && n.get("event") == nil {
			r.fail(v.pos, "`%s` belongs to `event`", key)
		}
	}
	if m := n.get("match"); m != nil {
		arm.Match = r.field(m, "`match`")
	}
	if a := n.get("after"); a != nil {
		arm.After = r.duration(a, "`after`")
	}
	arm.Until, arm.Offset = r.until(n)
	if then := n.get("then"); then != nil {
		arm.Then = r.steps(then, where)
	}
	return arm
}

// clock says whether the arm is taken by time, not by an event.
func (a ArmDoc) clock() bool { return len(a.Events) == 0 }
