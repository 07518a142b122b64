package faults_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/e2e/walk"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/prove/wire"
	"scrip.dev/scrip/prove/world"
)

// lanes is how many worlds run cells beside each other: more leave less of the machine
// idle where ways mostly wait, and overload it where they mostly work, as calls that
// time out are made again.
func lanes() int { return proof.Size(4, 14) }

// TestPromise6_WhateverDiesWhenTheEndIsTheSame strikes at every moment of every way
// through the example campaigns: before and after each commit, each call to
// Temporal, each task from it and each request to a vendor. It kills the process,
// or the server at the other end, or only cuts the connection; and where a worker
// completes a task or writes of a message, everything but the worker. Where two
// ways through a campaign begin alike, that part is struck once.
func TestPromise6_WhateverDiesWhenTheEndIsTheSame(t *testing.T) {
	var held notes
	held.strikes(t, lanes(), world.Options{Files: brief(t)}, chosenWays(), chosenCells)
	held.tell(t, "a journey")
}

// TestPromise6_WhateverDiesWhereOneProcessIsAllTheEndIsTheSame strikes where starter and
// worker are one process, which begins what it starts by itself: a journey's first
// task comes with the answer to its start, and is lost with it.
func TestPromise6_WhateverDiesWhereOneProcessIsAllTheEndIsTheSame(t *testing.T) {
	var held notes
	held.strikes(t, proof.Size(2, 9), world.Options{Files: brief(t), Served: 1}, waysThat(holdMost), servedCells)
	held.tell(t, "a journey that its starter begins by itself")
}

// strikes meets the chosen cells of some ways, on so many worlds beside each other.
func (n *notes) strikes(t *testing.T, lanes int, o world.Options, ways []walk.Way, choose func([]cell) []cell) {
	walks := make(chan func(*testing.T, *lane))
	all := errands{left: map[time.Duration][]errand{}, lanes: map[time.Duration]int{}}
	go func() {
		defer close(walks)
		dry := make([]undisturbed, len(ways))
		done := make([]chan struct{}, len(ways))
		for i, way := range ways {
			done[i] = make(chan struct{})
			walks <- func(t *testing.T, l *lane) { defer close(done[i]); dry[i] = l.dry(t, way) }
		}
		var moments []wire.Moment
		campaigns := map[string][]undisturbed{}
		for i, way := range ways {
			<-done[i]
			own := dry[i].after(campaigns[way.Campaign], moments)
			moments = append(moments, dry[i].moments...)
			campaigns[way.Campaign] = append(campaigns[way.Campaign], dry[i])
			chosen := choose(cells(way, own))
			t.Logf("%s %s: %d moments of its own, %d strikes", way.Campaign, way.Name, len(own), len(chosen))
			for _, c := range chosen {
				all.add(errand{hours(way), dry[i].took, func(t *testing.T, l *lane) {
					t.Run(c.name(), func(t *testing.T) { n.note(l.meet(t, c, dry[i])) })
				}})
			}
		}
	}()
	t.Run("cells", func(t *testing.T) {
		for range lanes {
			t.Run("lane", func(t *testing.T) {
				t.Parallel()
				l := openLane(t, o)
				for walk := range walks {
					walk(t, l)
				}
				var hour time.Duration
				for e, ok := all.next(0); ok; e, ok = all.next(hour) {
					if hour != 0 && e.hour != hour {
						l.audit(t)
					}
					hour = e.hour
					e.do(t, l)
				}
				l.audit(t)
			})
		}
	})
}

// errand is one thing to do on a lane.
type errand struct {
	hour time.Duration // how long an hour takes there
	took time.Duration // how long it takes when nothing happens
	do   func(*testing.T, *lane)
}

// errands are what is left to do, by how long an hour takes: a lane that changes it
// starts its processes again.
type errands struct {
	sync.Mutex
	left  map[time.Duration][]errand
	lanes map[time.Duration]int // that keep to this hour
}

func (e *errands) add(do errand) {
	e.Lock()
	defer e.Unlock()
	e.left[do.hour] = append(e.left[do.hour], do)
}

// next gives a lane an errand of the hour that it keeps to, while there is one. Else the
// lane goes where most is left for each, so that ways that mostly wait are gone beside
// ways that mostly work.
func (e *errands) next(hour time.Duration) (next errand, ok bool) {
	e.Lock()
	defer e.Unlock()
	if len(e.left[hour]) == 0 {
		e.lanes[hour]--
		var most time.Duration
		for other, left := range e.left {
			var all time.Duration
			for _, do := range left {
				all += do.took
			}
			if each := all / time.Duration(e.lanes[other]+1); each > most {
				hour, most = other, each
			}
		}
		e.lanes[hour]++
	}
	if len(e.left[hour]) == 0 {
		return errand{}, false
	}
	next, e.left[hour] = e.left[hour][0], e.left[hour][1:]
	return next, true
}

// notes are the results of cells.
type notes struct {
	sync.Mutex
	results []result
}

func (n *notes) note(r result) {
	n.Lock()
	defer n.Unlock()
	n.results = append(n.results, r)
}

func (n *notes) tell(t *testing.T, of string) {
	n.Lock()
	defer n.Unlock()
	struck, missed, begun := map[string][]result{}, map[string][]string{}, map[string]int{}
	for _, r := range n.results {
		begun[r.how]++
		if r.struck {
			struck[r.how] = append(struck[r.how], r)
		} else if !r.seldom {
			missed[r.how] = append(missed[r.how], r.name())
		}
	}
	for _, how := range hows {
		met, not := len(struck[how]), missed[how]
		require.LessOrEqual(t, len(not)*10, met+len(not), "%s: at least nine of ten moments that come each time come again, but these didn't:\n%s", how, join(not))
		require.GreaterOrEqual(t, met*2, begun[how], "%s: at least half of all moments come again", how)
		if !t.Failed() && met > 0 {
			proof.Found(t, proof.Finding{Promise: 6, Tried: how + " at a moment of " + of, Times: met, Found: summary(struck[how])})
		}
	}
}

// chosenWays are all of them, or the one that holds most.
func chosenWays() []walk.Way {
	if proof.Full() {
		return walk.Ways
	}
	return waysThat(holdMost)
}

func holdMost(way walk.Way) bool { return way.Campaign == "cart-recovery" && way.Name == "redeemed" }

func waysThat(are func(walk.Way) bool) []walk.Way {
	return slices.DeleteFunc(slices.Clone(walk.Ways), func(way walk.Way) bool { return !are(way) })
}

// chosenCells are all of them, or those in which most is at stake.
func chosenCells(all []cell) []cell {
	if proof.Full() {
		return all
	}
	return among(all, []cell{
		{at: wire.Moment{Process: "starter", Does: "delivery,delivery_body,delivery_key,delivery_queue", After: true}, how: killProcess},
		{at: wire.Moment{Process: "starter", Does: "campaign_entry,journey,match_key,outbox,pending_entry", After: true}, how: killServer},
		{at: wire.Moment{Process: "starter", Does: "StartWorkflowExecution", After: true}, how: killProcess},
		{at: wire.Moment{Process: "starter", Does: "SignalWorkflowExecution", After: true}, how: cutWire},
		{at: wire.Moment{Process: "starter", Does: "SignalWorkflowExecution"}, how: killServer},
		{at: wire.Moment{Process: "worker", Does: "RespondWorkflowTaskCompleted"}, how: killProcess},
		{at: wire.Moment{Process: "worker", Does: "RespondWorkflowTaskCompleted", After: true}, how: killServer},
		{at: wire.Moment{Process: "worker", Does: "assignment,code", After: true}, how: killProcess},
		{at: wire.Moment{Process: "worker", Does: "assignment,code", After: true}, how: cutWire},
		{at: wire.Moment{Process: "worker", Does: "sendgrid/send"}, how: cutWire},
		{at: wire.Moment{Process: "worker", Does: "sendgrid/send", After: true}, how: killProcess},
		{at: wire.Moment{Process: "worker", Does: "message", After: true}, how: killServer},
		{at: wire.Moment{Process: "worker", Does: "RespondWorkflowTaskCompleted"}, how: killOthers},
	})
}

// servedCells are all of them, or those in which a start and what it begins may be
// torn apart.
func servedCells(all []cell) []cell {
	if proof.Full() {
		return all
	}
	return among(all, []cell{
		{at: wire.Moment{Process: world.Serve, Does: "StartWorkflowExecution", After: true}, how: killProcess},
		{at: wire.Moment{Process: world.Serve, Does: "StartWorkflowExecution", After: true}, how: cutWire},
		{at: wire.Moment{Process: world.Serve, Does: "StartWorkflowExecution", After: true}, how: killServer},
		{at: wire.Moment{Process: world.Serve, Does: "RespondWorkflowTaskCompleted"}, how: killProcess},
		{at: wire.Moment{Process: world.Serve, Does: "assignment,code", After: true}, how: killProcess},
		{at: wire.Moment{Process: world.Serve, Does: "sendgrid/send", After: true}, how: killProcess},
	})
}

// among leaves of all cells those that are named, each at the first such moment.
func among(all, named []cell) []cell {
	short := map[string]bool{}
	for _, c := range named {
		c.at.Nth = 1
		short[c.how+c.at.String()] = true
	}
	return slices.DeleteFunc(all, func(c cell) bool { return !short[c.how+c.at.String()] })
}
