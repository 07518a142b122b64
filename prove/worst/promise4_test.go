package worst

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

// policies are both that there are. With resend the window is short, so that the
// policy speaks while webhooks are still under way: the worst it can do is counted.
var policies = []policy{{config.Park, 300 * time.Millisecond}, {config.Resend, 300 * time.Millisecond}}

// Every way to fail, alone and together with others, with workers that die and
// attempts that overlap: a message is accepted once, or it is listed; what the row
// says is what the vendor knows; and nothing is left under way.
func TestPromise4_NeverTwiceOnAChannel(t *testing.T) {
	for _, p := range policies {
		t.Run(p.onUnknown, func(t *testing.T) {
			t.Parallel()
			w := open(t, p)
			ids, heard := w.alone()
			ids = append(ids, w.together()...)
			w.sandbox.ClearFaults()
			sum := w.holds(ids)
			w.known(heard)
			if p.onUnknown == config.Park {
				require.Zero(t, sum.resent)
			}
			require.Equal(t, 2*len(ids), sum.messages)
			proof.Found(t, proof.Finding{Promise: 4, Times: sum.messages,
				Tried: fmt.Sprintf("messages through %d vendor faults, alone and together, workers dying, on_unknown: %s", len(faults)+len(lookups)+1, p.onUnknown),
				Found: fmt.Sprintf("%d attempts; %d accepted, %d refused, %d parked and listed; %d sent again by policy, %d of them accepted before",
					sum.attempts, sum.accepted, sum.refused, sum.parked, sum.resent, sum.twice)})
		})
	}
}

// known checks that what the vendors took and told of is known as accepted, and not left
// to a person. The machine may hold a call up until its time is over, so that it never
// comes to the vendor: nothing else excuses that a message wasn't taken.
func (w *world) known(heard map[string][]string) {
	w.Helper()
	taken, rows := w.accepted(), w.rows()
	for fault, of := range heard {
		for _, r := range rows {
			switch {
			case !slices.Contains(of, r.Journey):
			case taken[r.ID] > 0:
				require.Equal(w, store.MessageAccepted, r.State, "%s: the vendor took it and told so: %+v", fault, r)
			default:
				require.Less(w, len(w.log.of(r.To)), r.Attempt, "%s: the vendor was asked each time and took nothing: %+v", fault, r)
			}
		}
	}
}

// alone lets each fault meet some messages by itself. heard are the journeys, by
// fault, whose messages the vendors take in the end and tell of.
func (w *world) alone() (ids []string, heard map[string][]string) {
	n := proof.Size(2, 12)
	heard = map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		for channel := range vendors {
			w.set(channel, faults[name], n)
		}
		sent := w.sendAll(n, n, func() { w.met(name, 0) })
		if taken(faults[name]) {
			heard[name] = sent
		}
		ids = append(ids, sent...)
	}
	for _, name := range slices.Sorted(maps.Keys(lookups)) {
		w.set("sms", faults["truncated"], n/2)
		w.set("sms", faults["reset after accepting"], n-n/2)
		w.set("sms", lookups[name], 2*n)
		w.set("sms", faults["webhooks lost"], 0) // what the list doesn't tell nobody tells
		ids = append(ids, w.sendAll(n, n, func() { w.met(name, 2*n-1) })...)
	}
	// Nobody writes down what became of these calls, and at first nobody tells.
	w.outlets.dies.Store(int64(n))
	for channel := range vendors {
		w.set(channel, faults["webhooks lost"], 3*(n+1))
	}
	return append(ids, w.sendAll(n+1, n+1, w.sandbox.ClearFaults)...), heard
}

// together lets faults meet messages in any mixture while a rate comes and goes.
func (w *world) together() []string {
	seed := uint64(time.Now().UnixNano())
	w.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	names, lists := slices.Sorted(maps.Keys(faults)), slices.Sorted(maps.Keys(lookups))
	done := make(chan struct{})
	var disturbing sync.WaitGroup
	disturbing.Go(func() {
		for {
			for channel := range vendors {
				for range dice.IntN(4) {
					w.set(channel, pick(dice, faults, names), 1+dice.IntN(3))
				}
				if dice.IntN(4) == 0 {
					w.set(channel, sandbox.Fault{Kind: sandbox.FaultRate, PerSecond: dice.IntN(60)}, 0)
				}
			}
			w.set("sms", pick(dice, lookups, lists), 1)
			w.outlets.dies.Store(int64(dice.IntN(2)))
			if len(w.sandbox.Faults()) > 24 {
				w.sandbox.ClearFaults()
			}
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	return w.sendAll(proof.Size(40, 2000), 16, func() {
		close(done)
		disturbing.Wait()
		w.sandbox.ClearFaults()
		w.outlets.dies.Store(0)
	})
}
