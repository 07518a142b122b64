package exact

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"scrip.dev/scrip/store"
)

// neverReturned is when an operation ended whose answer a kill kept from everybody:
// it may have taken effect at any moment after it was asked for.
const neverReturned = math.MaxInt64

// operation is a line of a history: a claim of a key, a code's withdrawal, or the
// end of a journey.
type operation struct {
	claim    bool
	key      int // of a claim
	journey  int // of a claim, or the one that ends; -1 for a withdrawal
	unheard  bool
	status   store.ClaimStatus
	code     string // that was given, or is withdrawn
	state    string // of the assignment that was given
	from, to int64
}

func (o operation) describe() string {
	span := fmt.Sprintf("[%d, %d]", o.from, o.to)
	switch {
	case o.unheard:
		return fmt.Sprintf("%s claim of key %d: no answer was heard", span, o.key)
	case o.claim:
		return fmt.Sprintf("%s claim of key %d (journey %d): %s %s %s", span, o.key, o.journey, o.status, o.code, o.state)
	case o.journey >= 0:
		return fmt.Sprintf("%s journey %d ends", span, o.journey)
	}
	return fmt.Sprintf("%s code %s is withdrawn", span, o.code)
}

// history gathers what was asked and heard.
type history struct {
	sync.Mutex
	operations []operation
	unheard    int
}

// record takes down an operation of this process.
func (h *history) record(o operation, do func() error) error {
	o.from = time.Now().UnixNano()
	err := do()
	o.to = time.Now().UnixNano()
	h.Lock()
	defer h.Unlock()
	h.operations = append(h.operations, o)
	return err
}

// read adds the history of one claimer process.
func (h *history) read(path string, plan claimPlan) error {
	open := map[int]operation{}
	err := eachLine(path, func(word string, n int, at int64, rest []string) error {
		if word == "ask" {
			key := plan.key(n)
			open[n] = operation{claim: true, key: key, journey: plan.journey(key), from: at}
			return nil
		}
		o := open[n]
		delete(open, n)
		o.to, o.status, o.state = at, store.ClaimStatus(rest[0]), rest[2]
		if o.status == store.ClaimAssigned {
			o.code = rest[1]
		}
		h.operations = append(h.operations, o)
		return nil
	})
	for _, o := range open {
		o.to, o.unheard = neverReturned, true
		h.operations = append(h.operations, o)
		h.unheard++
	}
	return err
}

// widen lengthens every operation by what the machine's clock was set meanwhile, so
// that no order is seen where there was none.
func (h *history) widen(by time.Duration) {
	for i := range h.operations {
		if h.operations[i].to != neverReturned {
			h.operations[i].to += int64(by)
		}
	}
}

// byKey parts the history: what concerns one key is its claims and the end of its
// journey.
func (h *history) byKey() [][]operation {
	keys := map[int][]operation{}
	ends := map[int][]operation{}
	for _, o := range h.operations {
		switch {
		case o.claim:
			keys[o.key] = append(keys[o.key], o)
		case o.journey >= 0:
			ends[o.journey] = append(ends[o.journey], o)
		}
	}
	parts := make([][]operation, 0, len(keys))
	for _, part := range keys {
		parts = append(parts, append(part, ends[part[0].journey]...))
	}
	return parts
}

// byCode parts the history: what concerns one code is the claims that it answered,
// those of the same keys whose answers nobody heard, its withdrawals and the ends
// of the journeys that were given it.
func (h *history) byCode() [][]operation {
	codes := map[string][]operation{}
	unheard := map[int][]operation{}
	ends := map[int][]operation{}
	for _, o := range h.operations {
		switch {
		case o.unheard:
			unheard[o.key] = append(unheard[o.key], o)
		case o.code != "":
			codes[o.code] = append(codes[o.code], o)
		case !o.claim:
			ends[o.journey] = append(ends[o.journey], o)
		}
	}
	parts := make([][]operation, 0, len(codes))
	for _, part := range codes {
		var keys, journeys []int
		for _, o := range part {
			if !o.claim {
				continue
			}
			if !slices.Contains(keys, o.key) {
				keys = append(keys, o.key)
				part = append(part, unheard[o.key]...)
			}
			if !slices.Contains(journeys, o.journey) {
				journeys = append(journeys, o.journey)
				part = append(part, ends[o.journey]...)
			}
		}
		parts = append(parts, part)
	}
	return parts
}

// linearizable asks of each part that there is an order of its operations, one that
// keeps to what was over before what began, in which the model would have given the
// same answers. The first part without one fails the test.
func linearizable(t testing.TB, model porcupine.Model, parts [][]operation) {
	t.Helper()
	for _, part := range parts {
		operations := make([]porcupine.Operation, len(part))
		for i, o := range part {
			operations[i] = porcupine.Operation{ClientId: i, Input: o, Output: o, Call: o.from, Return: o.to}
		}
		if porcupine.CheckOperations(model, operations) {
			continue
		}
		var story string
		slices.SortFunc(part, func(a, b operation) int { return cmp.Compare(a.from, b.from) })
		for _, o := range part {
			story += "\n" + o.describe()
		}
		t.Errorf("the history is not linearizable:%s", story)
		return
	}
}
