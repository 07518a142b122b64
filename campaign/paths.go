package campaign

import (
	"maps"
	"slices"
	"time"
)

// distinctIDs refuses two steps of one path with the same id: every written id,
// and the default ids of steps whose effects are recorded under it. Branches
// that exclude each other may share one. Awaits name event rules, so theirs are
// distinct everywhere.
func (r *reader) distinctIDs(c *Campaign) {
	awaits := map[string]bool{}
	for s := range allSteps(c) {
		if s.Verb == Await && awaits[s.ID] {
			r.fail(s.Pos, "another `await` has the id `%s` too; awaits have distinct ids, also in different branches", s.ID)
		}
		awaits[s.ID] = awaits[s.ID] || s.Verb == Await
	}
	main := r.distinctOn(c.Steps, map[string]bool{})
	for _, exit := range c.Exits {
		r.distinctOn(exit.Then, main)
	}
}

// distinctOn walks a list after the ids in before and returns all that may have
// been met at its end.
func (r *reader) distinctOn(steps []StepDoc, before map[string]bool) map[string]bool {
	met := maps.Clone(before)
	for _, s := range steps {
		if met[s.ID] && (slices.Contains(keyedVerbs, s.Verb)) {
			r.fail(s.Pos, "a step before this one has the id `%s` too; give one of them an `id:` of its own", s.ID)
		}
		met[s.ID] = true
		after := maps.Clone(met)
		for _, branch := range s.branches() {
			maps.Copy(after, r.distinctOn(branch, met))
		}
		met = after
	}
	return met
}

// branches gives the lists of steps inside a step.
func (s StepDoc) branches() [][]StepDoc {
	var lists [][]StepDoc
	for _, a := range s.Arms {
		lists = append(lists, a.Then)
	}
	return append(lists, s.Then, s.Else)
}

// unreachable warns of steps that no journey can come to.
func unreachable(steps []StepDoc) Problems {
	var problems Problems
	for i, s := range steps {
		for _, branch := range s.branches() {
			problems = append(problems, unreachable(branch)...)
		}
		if ends(s) && i+1 < len(steps) {
			return append(problems, Problem{Pos: steps[i+1].Pos, Message: "no journey comes to this step: every way to it has ended"})
		}
	}
	return problems
}

// ends says whether a journey is over after the step, whichever way it goes.
func ends(s StepDoc) bool {
	listEnds := func(steps []StepDoc) bool { return slices.ContainsFunc(steps, ends) }
	switch {
	case s.Verb == EndVerb:
		return s.If == nil
	case s.Verb == If:
		return listEnds(s.Then) && listEnds(s.Else)
	case s.Verb == Await && s.If == nil:
		return !slices.ContainsFunc(s.Arms, func(a ArmDoc) bool { return !listEnds(a.Then) })
	}
	return false
}

// span bounds how long the way to a point of a campaign can have taken, from
// the entry, and when the newest code expires.
type span struct {
	elapsed, expiry time.Duration
}

func (s span) join(o span) span {
	return span{max(s.elapsed, o.elapsed), max(s.expiry, o.expiry)}
}

// longest gives an upper bound of the time that the steps take. Moments that
// are not known beforehand (dates and paths) count as nothing.
func longest(steps []StepDoc, from span, coupons map[string]*Coupon) span {
	for _, s := range steps {
		skipped := from
		from = longestStep(s, from, coupons)
		if s.If != nil && s.Verb != If {
			from = from.join(skipped)
		}
	}
	return from
}

func longestStep(s StepDoc, from span, coupons map[string]*Coupon) span {
	switch s.Verb {
	case Wait:
		from.elapsed = waitEnd(*s.Wait, from)
	case Await:
		end := span{}
		for _, a := range s.Arms {
			arm := from
			switch {
			case a.After > 0:
				arm.elapsed += a.After
			case a.Until == UntilExpiry:
				arm.elapsed = max(arm.elapsed, arm.expiry+a.Offset)
			case !a.clock():
				arm.elapsed += longestArm(s.Arms, from)
			}
			end = end.join(longest(a.Then, arm, coupons))
		}
		return end
	case Send:
		end := from
		if from.claim(coupons[couponName(s.Send.Coupon)]); s.Send.Between != "" {
			from.elapsed += day
		}
		return from.join(longest(s.Else, end, coupons))
	case Assign:
		end := from
		from.claim(coupons[couponName(s.Assign.Coupon)])
		if s.Assign.ValidFor > 0 {
			from.expiry = max(from.expiry, from.elapsed+s.Assign.ValidFor)
		}
		return from.join(longest(s.Else, end, coupons))
	case If:
		return longest(s.Then, from, coupons).join(longest(s.Else, from, coupons))
	case Call:
		return from.join(longest(s.Else, from, coupons))
	}
	return from
}

// claim records that a code of the coupon may be claimed here.
func (s *span) claim(c *Coupon) {
	if c == nil {
		return
	}
	if s.elapsed += c.OnEmpty.Wait; c.OnEmpty.Wait == longEmptyWait {
		s.elapsed -= longEmptyWait // a refill whenever it comes: not planned with
	}
	if c.ValidFor > 0 {
		s.expiry = max(s.expiry, s.elapsed+c.ValidFor)
	}
}

// longestArm is the longest that an await may last before an event takes it.
func longestArm(arms []ArmDoc, from span) time.Duration {
	var shortest time.Duration = -1
	for _, a := range arms {
		d := time.Duration(-1)
		if a.After > 0 {
			d = a.After
		} else if a.Until == UntilExpiry {
			d = max(0, from.expiry+a.Offset-from.elapsed)
		}
		if d >= 0 && (shortest < 0 || d < shortest) {
			shortest = d
		}
	}
	return max(0, shortest)
}

func waitEnd(w WaitDoc, from span) time.Duration {
	end := from.elapsed + w.For
	if w.Until == UntilExpiry {
		end = max(from.elapsed, from.expiry+w.Offset)
	}
	if len(w.Days) > 0 {
		end += 6 * day
	}
	if w.At != "" || w.Between != "" {
		end += day
	}
	return end
}
