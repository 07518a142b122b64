// Package wire stands between a process and what it talks to: Postgres, Temporal,
// the vendors. It sees each moment at which something becomes true on the other
// side, and can strike there: before a request has reached the other side, or
// after the other side has done it and before the answer is back. The processes
// are the ones that are shipped; they know nothing of it.
package wire

import (
	"fmt"
	"slices"
	"sync"
)

// What a process talks to.
const (
	Postgres = "postgres"
	Temporal = "temporal"
	Vendor   = "vendor"
)

// Moment is one place in a process's talk with others. Its fields name it again
// in a later run of the same things.
type Moment struct {
	Process string // whose: "starter", "worker"
	Wire    string // with whom: Postgres, Temporal or Vendor
	Does    string // tables that are written, an RPC's name, a vendor's address and whether it refused
	Nth     int    // which one of these in the run, from 1
	After   bool   // it is done on the other side and not yet answered; else it has not arrived there
}

func (m Moment) String() string {
	when := "before"
	if m.After {
		when = "after"
	}
	return fmt.Sprintf("%s %s %s #%d", when, m.Process, m.Does, m.Nth)
}

// Tap hears of every moment of the processes it is given to. The zero value only
// counts.
type Tap struct {
	mu     sync.Mutex
	counts map[string]int
	seen   []Moment
	armed  *strike
}

type strike struct {
	at   Moment
	do   func()
	done chan struct{}
}

// Begin forgets what was seen and counted, and what was armed.
func (t *Tap) Begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts, t.seen, t.armed = map[string]int{}, nil, nil
}

// Seen gives the moments since Begin, in their order.
func (t *Tap) Seen() []Moment {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.seen)
}

// Strike runs do when the moment comes, holding it up meanwhile, and then cuts the
// connection it came over. The channel is closed when that is done.
func (t *Tap) Strike(at Moment, do func()) (struck <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed = &strike{at: at, do: do, done: make(chan struct{})}
	return t.armed.done
}

// Disarm gives up the strike that was last armed, and waits for it if its moment has
// come already; then it returns true.
func (t *Tap) Disarm(struck <-chan struct{}) bool {
	t.mu.Lock()
	waits := t.armed != nil
	t.armed = nil
	t.mu.Unlock()
	if waits {
		return false
	}
	<-struck
	return true
}

// count numbers something that is about to be done.
func (t *Tap) count(process, wire, does string) Moment {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	key := process + " " + wire + " " + does
	t.counts[key]++
	return Moment{Process: process, Wire: wire, Does: does, Nth: t.counts[key]}
}

// meet is called at a moment; where it returns true, the connection is cut.
func (t *Tap) meet(m Moment) bool {
	t.mu.Lock()
	t.seen = append(t.seen, m)
	armed := t.armed
	if armed == nil || armed.at != m {
		t.mu.Unlock()
		return false
	}
	t.armed = nil
	t.mu.Unlock()
	armed.do()
	close(armed.done)
	return true
}
