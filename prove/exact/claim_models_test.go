package exact

import (
	"maps"

	"github.com/anishathalye/porcupine"

	"scrip.dev/scrip/store"
)

// keyState is one key: the code it was given, once and for ever.
type keyState struct {
	code  string
	ended bool // its journey has ended
}

// keyModel says what claims of one key answer: the same code always, and none to
// a journey that had none when it ended. A claim without an answer may have been
// given a code that shows only later: somethingGiven.
var keyModel = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{keyState{}} },
	Step: func(state, input, _ any) []any {
		s, o := state.(keyState), input.(operation)
		switch {
		case !o.claim:
			s.ended = true
			return []any{s}
		case o.unheard && s.code == "" && !s.ended:
			return []any{s, keyState{code: somethingGiven}}
		case o.unheard:
			return []any{s}
		case o.status == store.ClaimAssigned && (s.code == o.code || s.code == somethingGiven || s.code == "" && !s.ended):
			return []any{keyState{code: o.code, ended: s.ended}}
		case o.status == store.ClaimOver && s.code == "" && s.ended, o.status == store.ClaimEmpty && s.code == "" && !s.ended:
			return []any{s}
		}
		return nil
	},
}).ToModel()

const somethingGiven = "?"

// codeState is one code: who holds it, and who has given it back.
type codeState struct {
	holder    int // the key; -1: nobody
	withdrawn bool
	former    map[int]bool // keys that gave it back
	ended     map[int]bool // journeys
}

func (s codeState) equal(o codeState) bool {
	return s.holder == o.holder && s.withdrawn == o.withdrawn && maps.Equal(s.former, o.former) && maps.Equal(s.ended, o.ended)
}

// with gives a copy of a set with one more.
func with(set map[int]bool, n int) map[int]bool {
	set = maps.Clone(set)
	set[n] = true
	return set
}

// mayBeGiven says whether a claim could be given the code now.
func (s codeState) mayBeGiven(o operation) bool {
	return s.holder == nobody && !s.withdrawn && !s.ended[o.journey] && !s.former[o.key]
}

const nobody = -1

// codeModel says how one code goes from hand to hand: to one holder at a time, to
// the next one only when its holder's journey ended unseen, to nobody once it is
// withdrawn.
func codeModel(plan claimPlan) porcupine.Model {
	return (&porcupine.NondeterministicModel{
		Init: func() []any { return []any{codeState{holder: nobody, former: map[int]bool{}, ended: map[int]bool{}}} },
		Step: func(state, input, _ any) []any {
			s, o := state.(codeState), input.(operation)
			given := s
			given.holder = o.key
			switch {
			case o.unheard && s.mayBeGiven(o):
				return []any{s, given}
			case o.unheard:
				return []any{s}
			case o.claim:
				return s.answers(o, given)
			case o.journey < 0:
				s.withdrawn = true
				return []any{s}
			}
			s.ended = with(s.ended, o.journey)
			if s.holder != nobody && plan.journey(s.holder) == o.journey && !s.withdrawn {
				s.former = with(s.former, s.holder)
				s.holder = nobody
			}
			return []any{s}
		},
		Equal: func(a, b any) bool { return a.(codeState).equal(b.(codeState)) },
	}).ToModel()
}

// answers says what follows from a claim that was answered with the code.
func (s codeState) answers(o operation, given codeState) []any {
	switch {
	case o.state == store.AssignmentHeld && s.mayBeGiven(o):
		return []any{given}
	case o.state == store.AssignmentHeld && s.holder == o.key && !s.withdrawn,
		o.state == store.AssignmentWithdrawn && s.holder == o.key && s.withdrawn,
		o.state == store.AssignmentReturned && s.former[o.key]:
		return []any{s}
	}
	return nil
}
