package campaign

import (
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// keyedVerbs have effects that are recorded under the step's id, so two of them
// on one path must not share one. The others may be done again without harm.
var keyedVerbs = []Verb{Send, Assign, Notify, Call}

var notIdentifier = regexp.MustCompile(`[^a-z0-9]+`)

// defaultID is what a step without an id is known by: its verb and what it is
// about. It never depends on where the step stands.
func defaultID(s StepDoc) string {
	switch s.Verb {
	case Wait:
		return identifier("wait", waitWords(*s.Wait))
	case Await:
		return identifier("await", awaitWords(s.Arms))
	case Send:
		return identifier("send", s.Send.Channel, s.Send.Template)
	case Assign:
		if s.Assign.New {
			return identifier("assign", "new", s.Assign.Coupon)
		}
		return identifier("assign", s.Assign.Coupon)
	case If:
		if s.If == nil { // refused already; its other steps are still looked at
			return "if"
		}
		return identifier("if", s.If.Source())
	case Tag, Untag:
		return identifier(append([]string{string(s.Verb)}, s.Tags...)...)
	case Notify:
		return identifier(append([]string{"notify"}, slices.Sorted(maps.Keys(s.Notify))...)...)
	case Call:
		return identifier("call", s.Call.Connection)
	case Withdraw:
		return identifier("withdraw", s.Withdraw)
	}
	return identifier(string(s.Verb), s.End)
}

// identifier joins words into an id; a long one is cut and kept distinct by a
// hash of the whole.
func identifier(words ...string) string {
	text := strings.ToLower(strings.Join(words, " "))
	id := strings.Trim(notIdentifier.ReplaceAllString(text, "_"), "_")
	if len(id) <= maxName {
		return id
	}
	h := fnv.New32a()
	h.Write([]byte(text))
	return fmt.Sprintf("%s_%08x", strings.TrimRight(id[:maxName-9], "_"), h.Sum32())
}

// sentence is what a step says in the Temporal UI where the file has no name.
func sentence(s StepDoc) string {
	switch s.Verb {
	case Wait:
		return "wait " + waitWords(*s.Wait)
	case Await:
		return "await " + awaitWords(s.Arms)
	case Send:
		text := fmt.Sprintf("send %s %s", s.Send.Channel, s.Send.Template)
		if s.Send.Coupon != "" {
			text += " with " + s.Send.Coupon
		}
		return text
	case Assign:
		return "assign " + s.Assign.Coupon
	case If:
		return ifSentence(s.If)
	case Tag, Untag:
		return string(s.Verb) + " " + strings.Join(s.Tags, ", ")
	case Notify:
		return "notify " + strings.Join(slices.Sorted(maps.Keys(s.Notify)), ", ")
	case Call:
		return strings.TrimSpace(fmt.Sprintf("call %s %s", s.Call.Connection, s.Call.Method))
	case Withdraw:
		return "withdraw " + s.Withdraw
	}
	return strings.TrimSpace("end " + s.End)
}

func ifSentence(c *Condition) string {
	const longest = 80
	text := strings.Join(strings.Fields(c.Source()), " ")
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest-1]) + "…"
	}
	return "if " + text
}

// waitWords gives "2d", "until expiry -1d at 10:00", "2h between 09:00-19:00".
func waitWords(w WaitDoc) string {
	var words []string
	if w.For != 0 {
		words = append(words, FormatDuration(w.For))
	}
	if w.Until != "" {
		words = append(words, untilWords(w.Until, w.Offset))
	}
	if len(w.Days) > 0 {
		var days []string
		for _, d := range w.Days {
			days = append(days, strings.ToLower(d.String()[:3]))
		}
		words = append(words, "on "+strings.Join(days, ", "))
	}
	if w.At != "" {
		words = append(words, "at "+w.At)
	}
	if w.Between != "" {
		words = append(words, "between "+w.Between)
	}
	return strings.Join(words, " ")
}

// untilWords gives "until expiry", "1d before expiry" or "2h after 2026-09-21".
func untilWords(until string, offset time.Duration) string {
	switch {
	case offset < 0:
		return "until " + FormatDuration(-offset) + " before " + until
	case offset > 0:
		return "until " + FormatDuration(offset) + " after " + until
	}
	return "until " + until
}

// awaitWords gives "code.applied or 2d".
func awaitWords(arms []ArmDoc) string {
	var words []string
	for _, a := range arms {
		switch {
		case !a.clock():
			words = append(words, a.Events...)
		case a.Until != "":
			words = append(words, untilWords(a.Until, a.Offset))
		default:
			words = append(words, FormatDuration(a.After))
		}
	}
	return strings.Join(words, " or ")
}

// giveIDs fills in the default ids. Those of waits, awaits, conditions and ends
// are made distinct, because rules and the person at the console point at them;
// the ledger's are left to be the same in branches that exclude each other.
func (r *reader) giveIDs(c *Campaign) {
	taken := map[string]bool{}
	for s := range allSteps(c) {
		taken[s.ID] = s.ID != ""
	}
	for s := range allSteps(c) {
		if s.ID != "" {
			continue
		}
		id := defaultID(*s)
		if !slices.Contains(keyedVerbs, s.Verb) {
			for n := 2; taken[id]; n++ {
				id = identifier(defaultID(*s), fmt.Sprint(n))
			}
			taken[id] = true
		}
		s.ID = id
	}
	r.distinctIDs(c)
}

// allSteps walks every step of the campaign in the order of the file.
func allSteps(c *Campaign) func(yield func(*StepDoc) bool) {
	return func(yield func(*StepDoc) bool) {
		more := true
		var walk func(steps []StepDoc)
		walk = func(steps []StepDoc) {
			for i := range steps {
				if more = more && yield(&steps[i]); !more {
					return
				}
				for a := range steps[i].Arms {
					walk(steps[i].Arms[a].Then)
				}
				walk(steps[i].Then)
				walk(steps[i].Else)
			}
		}
		walk(c.Steps)
		for i := range c.Exits {
			walk(c.Exits[i].Then)
		}
	}
}
