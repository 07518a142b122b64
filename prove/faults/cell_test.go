package faults_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/e2e/walk"
	"scrip.dev/scrip/prove/wire"
	"scrip.dev/scrip/prove/world"
	"scrip.dev/scrip/workflows"
)

// Ways to strike at a moment.
const (
	killProcess = "kill the process" // SIGKILL, and start it again
	killServer  = "kill the server"  // Postgres or Temporal at the other end of the wire
	cutWire     = "cut the wire"     // nobody dies; one connection ends
	killOthers  = "kill all others"  // starter, Temporal and Postgres together; the worker lives on
)

// decisive are the moments of a worker at which everything else dies, too: between
// them they stand at every event of a history that isn't the server's own.
var decisive = []string{"RespondWorkflowTaskCompleted", "RespondActivityTaskCompleted", "message"}

var hows = []string{killProcess, killServer, cutWire, killOthers}

// cell is one strike at one moment of one way through a campaign.
type cell struct {
	way walk.Way
	at  wire.Moment
	how string
}

func (c cell) name() string {
	return strings.NewReplacer(" ", "_", "/", "_").Replace(c.way.Campaign + "." + c.way.Name + "/" + c.how + "/" + c.at.String())
}

// result is what was seen of a cell.
type result struct {
	cell
	struck  bool
	seldom  bool          // the moment doesn't come each time, as when it is the upkeep's
	got     []string      // what became of the person
	late    time.Duration // how much later than undisturbed the end came
	again   int           // walks before that were too late
	settled int           // messages that needed a person's word
}

// undisturbed is a way as it goes when nothing happens.
type undisturbed struct {
	moments []wire.Moment
	again   []wire.Moment // when the way was gone once more
	state   []string
	took    time.Duration
}

// hours says how long an hour takes on a way: so long that what a person does in
// time stays in time when everything restarts meanwhile, and that a code outlives the
// half minute in which nobody knows whether its message was sent; so short that the
// ways with long waits end.
func hours(way walk.Way) time.Duration {
	if way.Campaign == "flash20-not-bought" { // its code is valid for a day
		return 3 * time.Second
	}
	switch way.Name {
	case "redeemed", "redeemed-at-a-till", "bought-without-code", "by-hand", "returned", "friend-returned": // these don't last until the end of a wait
		return time.Second
	case "applied", "last-call-by-mail": // the last call goes out a day before the code expires
		return 800 * time.Millisecond
	case "confirmed":
		return 700 * time.Millisecond
	case "confirmed-when-reminded", "approved", "removed":
		return 400 * time.Millisecond
	case "never-confirmed", "kept": // the person does nothing, and no code expires
		return 60 * time.Millisecond
	}
	switch way.Campaign {
	case "goodwill", "bulk-buyer", "ten-orders", "referral-advocate", "review-thanks":
		return 100 * time.Millisecond
	}
	return 250 * time.Millisecond
}

// brief are the examples with codes that are valid for less long, so that the ways
// to their expiry end sooner; nothing else is changed.
func brief(t testing.TB) map[string]string {
	files := map[string]string{}
	for name, validity := range map[string][2]string{
		"campaigns/cart-recovery.yaml": {"valid_for: 7d", "valid_for: 76h"},
		"campaigns/welcome.yaml":       {"valid_for: 14d", "valid_for: 4d"},
	} {
		text, err := os.ReadFile(filepath.Join(world.Root(t), "examples", name))
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(text), validity[0]))
		files[name] = strings.Replace(string(text), validity[0], validity[1], 1)
	}
	return files
}

// lane is a world in which cells are run one after the other.
type lane struct {
	*world.World
	desk *world.Desk
}

// opening are the worlds that are being opened, a few at a time: what starts up waits for
// its servers for some seconds only.
var opening = make(chan struct{}, 3)

func openLane(t testing.TB, o world.Options) *lane {
	opening <- struct{}{}
	defer func() { <-opening }()
	w := world.Open(t, o)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return &lane{World: w, desk: w.OpenDesk(ctx)}
}

// After standstill without a change nothing more is expected where nothing happens, and
// after longStandstill wherever something was struck: what waits for the regular upkeep
// then has had its turn.
const (
	standstill     = 2 * time.Second
	longStandstill = workflows.MaintenanceEvery + 30*time.Second
)

// walk goes one way and gives what became of the person once that is what it should be,
// or has stood still for so long, and since when it is so.
func (l *lane) walk(t *testing.T, way walk.Way, want []string, still time.Duration) (got []string, since time.Time) {
	t.Helper()
	p := l.Person(t, way.Campaign)
	way.Walk(p)
	since = time.Now()
	p.Until(func() bool {
		now, err := l.State(t.Context(), p)
		if err != nil {
			return false
		}
		if !slices.Equal(now, got) {
			got, since = now, time.Now()
		}
		return want != nil && slices.Equal(got, want) || time.Since(since) > still
	}, "this to become of the person:\n%s\nbut it was:\n%s", join(want), lazy(func() string { return join(got) }))
	return got, since
}

func join(lines []string) string { return "  " + strings.Join(lines, "\n  ") }

// lazy is printed as it is when it is printed.
type lazy func() string

func (l lazy) String() string { return l() }

// audit looks at all that went through a lane, once it stands still: what came
// after a cell's end would be seen by nobody else.
func (l *lane) audit(t *testing.T) {
	t.Helper()
	var taken int
	still := time.Now()
	l.Until(t, func() bool {
		if now := len(l.Sandbox.Messages()); now != taken {
			taken, still = now, time.Now()
		}
		return time.Since(still) > standstill && l.Count(t, `SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM delivery_queue)
			+ (SELECT count(*) FROM message WHERE state IN ('calling', 'unknown', 'parked'))`) == 0
	}, "everything to be told and settled")
	for id, times := range l.Taken() {
		require.Equal(t, 1, times, "message %s was taken by its vendor", id)
	}
	require.Zero(t, l.Count(t, `SELECT count(*) FROM (SELECT FROM assignment WHERE single_use AND returned_at IS NULL GROUP BY batch_id, pos HAVING count(*) > 1) AS shared`), "single-use codes with two holders")
	require.Zero(t, l.Count(t, `SELECT count(*) FROM (SELECT FROM assignment a JOIN redemption r ON r.assignment_id = a.id WHERE a.single_use AND r.state = 'redeemed'
		GROUP BY a.id HAVING count(*) > 1) AS twice`), "single-use codes that were redeemed twice")
	require.Zero(t, l.Count(t, `SELECT count(*) FROM dead_letter`), "webhooks that were given up")
}

// dry goes a way twice with nothing happening.
func (l *lane) dry(t *testing.T, way walk.Way) (u undisturbed) {
	require.NoError(t, l.SetHour(hours(way)))
	l.Tap.Begin()
	began := time.Now()
	var ended time.Time
	u.state, ended = l.walk(t, way, nil, standstill)
	u.took, u.moments = ended.Sub(began), l.Tap.Seen()
	l.Tap.Begin()
	l.walk(t, way, nil, standstill)
	u.again = l.Tap.Seen()
	return u
}

// meet walks the way until the moment comes, a few times at most, and demands that the
// end is as if nothing had happened. Two walks don't always meet the same moments, as work
// that happens side by side is grouped by chance. And where an hour is half a second, a
// machine that others keep busy may be too late for what has to be done in time: what is
// too late because of the strike is so each time.
func (l *lane) meet(t *testing.T, c cell, u undisturbed) (r result) {
	again := 0
	for range 3 {
		if r = l.run(t, c, u); tooLate(r.got, u.state) {
			again++
			continue
		}
		require.Equal(t, u.state, r.got)
		if r.struck {
			break
		}
	}
	require.Equal(t, u.state, r.got)
	r.again, r.seldom = again, !slices.Contains(u.again, c.at)
	return r
}

// tooLate tells whether something wasn't done that should have been, as its time had
// passed.
func tooLate(got, want []string) bool {
	return slices.ContainsFunc(got, func(line string) bool {
		return !slices.Contains(want, line) && (strings.Contains(line, "skipped code_expired") || strings.Contains(line, "skipped too_late"))
	})
}

// run strikes once on the way.
func (l *lane) run(t *testing.T, c cell, u undisturbed) result {
	require.NoError(t, l.SetHour(hours(c.way)))
	r := result{cell: c}
	before := l.desk.Settled()
	began := time.Now()
	l.Tap.Begin()
	var restarting sync.WaitGroup
	struck := l.Tap.Strike(c.at, func() { l.strike(t, c, &restarting) })
	// A moment that comes only now must not strike the next cell's preparations.
	calm := sync.OnceValue(func() bool { defer restarting.Wait(); return l.Tap.Disarm(struck) })
	defer calm()
	var ended time.Time
	r.got, ended = l.walk(t, c.way, u.state, longStandstill)
	r.struck = calm()
	r.late, r.settled = ended.Sub(began)-u.took, l.desk.Settled()-before
	return r
}

func (l *lane) strike(t *testing.T, c cell, restarting *sync.WaitGroup) {
	switch {
	case c.how == killProcess:
		l.Kill(c.at.Process)
		restarting.Go(func() { l.supervise(t) })
	case c.how == killServer && c.at.Wire == wire.Postgres:
		l.KillPostgres()
		restarting.Go(func() { require.NoError(t, l.RestartPostgres()); l.supervise(t) })
	case c.how == killServer && c.at.Wire == wire.Temporal:
		l.KillTemporal()
		restarting.Go(func() { require.NoError(t, l.StartTemporal()); l.supervise(t) })
	case c.how == killOthers:
		l.Kill(world.Starter)
		l.KillTemporal()
		l.KillPostgres()
		restarting.Go(func() {
			require.NoError(t, l.RestartPostgres())
			require.NoError(t, l.StartTemporal())
			l.supervise(t)
		})
	}
}

// supervise starts what doesn't run: a process that was only just starting when its
// server went away has ended and said so.
func (l *lane) supervise(t *testing.T) {
	for _, name := range l.Names() {
		require.NoError(t, l.Start(name))
		if l.Ready(name) != nil {
			require.NoError(t, l.Start(name))
		}
	}
}

// housekeeping are the tables that a worker sweeps from time to time, whatever
// journeys do.
var housekeeping = []string{"delivery,setting", "delivery_body", "delivery_key", "hold", "idempotency_key", "message_evidence", "outbox", "setting"}

// after is what a way has of its own: the moments from where it first differs from
// the ways before it through the same campaign, whose moments are struck there, as
// the housekeeping is on the first way of all.
func (u undisturbed) after(before []undisturbed, all []wire.Moment) []wire.Moment {
	own := 0
	for _, other := range before {
		own = max(own, alike(u.moments, other.moments))
	}
	return slices.DeleteFunc(slices.Clone(u.moments[own:]), func(at wire.Moment) bool {
		return at.Process != world.Starter && slices.Contains(housekeeping, at.Does) &&
			slices.ContainsFunc(all, func(before wire.Moment) bool {
				return before.Process == at.Process && before.Does == at.Does && before.After == at.After
			})
	})
}

// swaps is by how many places moments of things that happen side by side may be
// exchanged between two runs.
const swaps = 4

// alike is how many moments two ways have in common before they part.
func alike(a, b []wire.Moment) int {
	for i, at := range a {
		if !slices.Contains(b[:min(i+swaps, len(b))], at) {
			return i
		}
	}
	return len(a)
}

// cells are all strikes at moments of a way.
func cells(way walk.Way, moments []wire.Moment) (all []cell) {
	for _, at := range moments {
		for _, how := range hows {
			if how == killServer && at.Wire == wire.Vendor {
				continue // the sandbox is not ours to kill: its faults have proofs of their own
			}
			if how == killOthers && !(at.Process == world.Worker && slices.Contains(decisive, at.Does)) {
				continue
			}
			all = append(all, cell{way, at, how})
		}
	}
	return all
}

// summary says in a sentence what the cells came to.
func summary(results []result) string {
	var late []time.Duration
	again, settled := 0, 0
	for _, r := range results {
		late = append(late, r.late)
		again += r.again
		settled += r.settled
	}
	if len(late) == 0 {
		return "nothing was struck"
	}
	slices.Sort(late)
	return fmt.Sprintf("the end was the same each time; it came later by %s in the median and %s at most; %d messages needed a person's word, and %d walks were too late and gone again",
		late[len(late)/2].Round(100*time.Millisecond), late[len(late)-1].Round(100*time.Millisecond), settled, again)
}
