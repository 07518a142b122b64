package faults_test

import (
	"cmp"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/prove/world"
)

// outage is something that is away for a while, under load.
type outage struct {
	name     string
	away     time.Duration
	begin    func(*world.World) error
	end      func(*world.World) error
	disk     int
	answered bool     // events are accepted meanwhile
	load     float64  // events a second; default: many
	settings []string // of the processes, NAME=value
}

const vendorsAway = "the vendors refuse connections"

func outages() []outage {
	return []outage{
		{name: "Temporal is killed and stays away", away: proof.Size(6*time.Second, 10*time.Minute), answered: true,
			begin: func(w *world.World) error { w.KillTemporal(); return nil }, end: (*world.World).StartTemporal},
		{name: "Postgres is killed and starts again", away: proof.Size(2*time.Second, 30*time.Second),
			begin: func(w *world.World) error { w.KillPostgres(); return nil }, end: (*world.World).RestartPostgres},
		{name: "Postgres's disk is full", away: proof.Size(4*time.Second, time.Minute), disk: 192, begin: (*world.World).FillDisk,
			end: func(w *world.World) error {
				if err := w.FreeDisk(); err != nil {
					return err
				}
				if w.PostgresRuns() {
					return nil
				}
				w.KillPostgres() // it has ended; this frees its place
				return w.RestartPostgres()
			}},
		{name: "every starter and worker is killed", away: proof.Size(time.Second, 10*time.Second),
			begin: func(w *world.World) error {
				for _, name := range w.Names() {
					w.Kill(name)
				}
				return nil
			},
			end: func(w *world.World) error {
				for _, name := range w.Names() {
					if err := w.Start(name); err != nil {
						return err
					}
				}
				return nil
			}},
		// For an hour the processes have the patience that they have by default.
		{name: vendorsAway, away: proof.Size(8*time.Second, time.Hour), answered: true, load: proof.Size(10.0, 2.0),
			settings: []string{"SCRIP_WORKER_VENDOR_BACKOFF=" + proof.Size(500*time.Millisecond, 5*time.Second).String()},
			begin:    func(w *world.World) error { w.CloseVendors(); return nil }, end: (*world.World).OpenVendors},
	}
}

// TestPromise1_NoAcceptedEventIsLost keeps a load on while each part is away in
// turn: what was accepted has started a journey or was refused with a reason, each
// once, and each journey sends its one mail. Where a process is killed between its
// ledger and its vendor, a person says whether the vendor has the mail.
func TestPromise1_NoAcceptedEventIsLost(t *testing.T) {
	for _, o := range outages() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			endure(t, o)
		})
	}
}

func endure(t *testing.T, o outage) {
	w := world.Open(t, world.Options{Starters: 2, Workers: 2, Files: world.Errands, Disk: o.disk, Environment: o.settings})
	calls, desk := watchStarts(w), w.OpenDesk(t.Context())
	load := w.Load(cmp.Or(o.load, proof.Size(10.0, 5.0)))
	ahead := load.Accepted() + 10
	eventually(t, time.Minute, func() bool { return load.Accepted() >= ahead }, "events to be accepted")

	require.NoError(t, o.begin(w))
	before := load.Accepted()
	calls.reset()
	time.Sleep(o.away) // the outage itself
	during := load.Accepted() - before
	tried := calls.count.Load()
	require.NoError(t, o.end(w))
	back := time.Now()
	if o.answered {
		require.Positive(t, during, "events are accepted meanwhile")
	}
	after := load.Accepted() + 10
	eventually(t, 2*time.Minute, func() bool { return load.Accepted() >= after }, "events to be accepted again")
	accepted, refusals := load.End()

	var became world.Became
	eventually(t, world.Patience(proof.Size(3*time.Minute, 40*time.Minute)), func() bool {
		became = load.Became(t)
		return became.Started+became.Refused >= accepted && became.Unfinished == 0
	}, "everything that was accepted to be done")
	drained := time.Since(back)
	require.Empty(t, became.Lost, "accepted, and lost")
	require.Empty(t, became.Twice, "one event, two journeys")
	require.Equal(t, accepted, became.Started+became.Refused)
	require.Equal(t, became.Entering, became.Started)
	require.Equal(t, became.Started, became.Sent)
	require.Zero(t, became.SentTwice)
	require.Zero(t, became.SharedCodes)
	require.Zero(t, w.Count(t, `SELECT count(*) FROM dead_letter`), "an outage is nobody's fault: no webhook is given up")
	require.Empty(t, load.Disorder(t), "journeys that began before an earlier one of the same contact")
	if o.name == "Temporal is killed and stays away" {
		require.LessOrEqual(t, float64(tried), 120+2*o.away.Seconds(), "Temporal isn't hammered while it is away")
		require.LessOrEqual(t, calls.most.Load(), int64(256), "the backlog is no stampede")
	}
	most, tries := w.MostTakenInASecond(back), w.Count(t, `SELECT coalesce(max(attempt), 0) FROM message`)
	if o.name == vendorsAway && proof.Full() { // a few dozen messages are no storm
		// Each message comes back in its own time.
		require.LessOrEqual(t, most, became.Sent/10, "the vendors aren't stormed when they are back")
		require.LessOrEqual(t, float64(tries), 10+o.away.Minutes()/5, "the vendors aren't hammered while they are away")
	}
	proof.Found(t, proof.Finding{Promise: 1, Tried: fmt.Sprintf("%s for %s under load", o.name, o.away), Times: accepted,
		Found: fmt.Sprintf("%d started, %d refused with a reason, none lost, none twice; %d requests were turned away and sent again; all was done %s after the end; at most %d starts at once, %d messages a second, %d tries of one; %d messages needed a person's word",
			became.Started, became.Refused, refusals, drained.Round(100*time.Millisecond), calls.most.Load(), most, tries, desk.Settled())})
}

// starts are the calls by which journeys begin.
type starts struct{ now, most, count atomic.Int64 }

func watchStarts(w *world.World) *starts {
	s := &starts{}
	for _, name := range w.Names() {
		_, temporal := w.Wires(name)
		temporal.Watch(func(method string) func() {
			if method != "StartWorkflowExecution" {
				return func() {}
			}
			s.count.Add(1)
			now := s.now.Add(1)
			for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
			}
			return func() { s.now.Add(-1) }
		})
	}
	return s
}

func (s *starts) reset() { s.count.Store(0); s.most.Store(0) }

func eventually(t *testing.T, patience time.Duration, done func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(100 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "waited %s for %s", patience, what)
	}
}
