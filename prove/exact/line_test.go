package exact

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/e2e/walk"
	"scrip.dev/scrip/prove/control"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/prove/wire"
	"scrip.dev/scrip/prove/world"
)

// raffle has fewer codes than people at first, and lets them wait.
var raffle = map[string]string{
	"templates/raffle/email.html": "---\nsubject: Your code\nlayout: none\n---\n<p>{{ code }}</p>\n",
	"campaigns/raffle.yaml": `
campaign: raffle
trigger: {event: raffle.joined}
entry: {key: event.no}
lifetime: 200d
steps:
  - send: {email: raffle, coupon: raffle-10, kind: transactional, late: 60d}
---
coupon: raffle-10
discount: {percentage: 10}
codes: {list: true}
on_empty: {wait: 90d}
`}

// line is a running Scrip with people who stand in line for codes.
type line struct {
	*world.World
	testing.TB
	all    *walk.Person
	kills  map[string]int
	killed sync.WaitGroup
}

func TestPromise3_JourneysInLineAreServedInTheirOrder(t *testing.T) {
	people := proof.Size(40, 1000)
	first := people / 10
	// An hour takes a minute: nothing ends by itself meanwhile.
	w := world.Open(t, world.Options{Files: raffle, Hour: time.Minute, Patience: proof.Size(4*time.Minute, 40*time.Minute)})
	w.Pause = 200 * time.Millisecond
	desk, close := context.WithCancel(t.Context())
	defer close()
	settled := w.OpenDesk(desk)
	l := &line{World: w, TB: t, all: &walk.Person{TB: t, System: w.System}, kills: map[string]int{}}
	l.all.Imports("raffle-10", codeList(0, first))
	l.join(people)
	l.Until(t, func() bool {
		return l.Count(t, `SELECT (SELECT count(*) FROM assignment) + (SELECT count(*) FROM supply_waiter)`) == people
	}, "everybody to have a code or to stand in line")
	waiting := l.list(`SELECT journey_id FROM supply_waiter ORDER BY seq`)
	require.Len(t, waiting, people-first)

	// Each file of the refill meets the death of a starter, and of a worker.
	files := []wire.Moment{
		{Wire: wire.Postgres, Does: firstWritten, After: true}, {Wire: wire.Postgres, Does: laterWritten}, {Wire: wire.Temporal, Does: "SignalWorkflowExecution", After: true},
	}
	files = files[:proof.Size(1, len(files))]
	each := (people - first) / len(files)
	for i, at := range files {
		from := first + i*each
		l.Until(t, func() bool { return l.Count(t, `SELECT count(*) FROM journey WHERE state = 'ended'`) == from }, "the mails of the file before")
		l.refill(at, codeList(from, from+each))
	}
	l.Until(t, func() bool { return l.Count(t, `SELECT count(*) FROM journey WHERE state = 'ended'`) == people }, "everybody in line to have their mail")
	l.killed.Wait()
	require.Equal(t, waiting, l.list(`SELECT a.journey_id FROM assignment a JOIN code c USING (batch_id, pos) WHERE c.code >= $1 ORDER BY c.code`, codeName(first)),
		"codes are given in the order in which they were waited for")
	l.check(people)
	proof.Found(t, proof.Finding{Promise: 3, Times: people,
		Tried: fmt.Sprintf("journeys of the running system for %d codes, and a refill of %d through the API in %d files, each with a starter and a worker killed meanwhile", first, people-first, len(files)),
		Found: fmt.Sprintf("%d distinct codes in one mail each, the %d in line served in their order; killed: %v; %d mails needed a person's word",
			people, people-first, l.kills, settled.Settled())})
}

// What the transaction of an import writes that brings its codes and serves the line: the
// first, after which the pool's level is told anew, and a later one.
const (
	firstWritten = "assignment,batch,code,coupon,import,import_problem,outbox,supply_level,supply_waiter"
	laterWritten = "assignment,batch,code,coupon,import,import_problem,outbox,supply_waiter"
)

// join lets so many people in.
func (l *line) join(people int) {
	for from := 0; from < people; from += 100 {
		var events []map[string]any
		for no := from; no < min(from+100, people); no++ {
			events = append(events, map[string]any{"id": fmt.Sprint("joined-", no), "type": "raffle.joined", "fields": map[string]any{"no": no},
				"contact": map[string]any{"email": fmt.Sprintf("raffle-%d@example.com", no)}})
		}
		l.all.Call(http.MethodPost, "/v1/events", events, nil)
	}
}

// refill imports codes, whose caller asks until there is an answer, and kills the
// starter at a moment, then the worker when a mail has been taken.
func (l *line) refill(at wire.Moment, codes string) {
	l.Helper()
	at.Process, at.Nth = world.Starter, 1
	l.Tap.Begin()
	mailed := wire.Moment{Process: world.Worker, Wire: wire.Vendor, Does: "sendgrid/send", Nth: 2, After: true}
	var worker <-chan struct{}
	starter := l.Tap.Strike(at, func() {
		l.kill(world.Starter)
		worker = l.Tap.Strike(mailed, func() { l.kill(world.Worker) })
	})
	l.all.Imports("raffle-10", codes)
	l.met(starter, at.String())
	l.met(worker, mailed.String())
	l.killed.Wait()
}

// met waits for a strike.
func (l *line) met(struck <-chan struct{}, what string) {
	l.Helper()
	select {
	case <-struck:
	case <-time.After(l.Patience):
		var seen []string
		for _, m := range l.Tap.Seen() {
			seen = append(seen, m.String())
		}
		require.Fail(l, "the moment never came", "%s, only:\n%s", what, strings.Join(seen, "\n"))
	}
}

// kill ends a process as a crash does, and starts it again.
func (l *line) kill(name string) {
	l.Kill(name)
	l.kills[name]++
	l.killed.Go(func() { require.NoError(l, l.Start(name)) })
}

// list gives the texts of a query.
func (l *line) list(sql string, args ...any) []string {
	l.Helper()
	rows, err := l.Store.Pool.Query(l.Context(), sql, args...)
	require.NoError(l, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(l, err)
	return all
}

// check holds what everybody got against what the vendor took.
func (l *line) check(people int) {
	l.Helper()
	require.Equal(l, people, l.Count(l, `SELECT count(*) FROM journey WHERE outcome = 'completed'`), "everybody completed")
	require.Equal(l, people, l.Count(l, `SELECT count(DISTINCT (batch_id, pos)) FROM assignment WHERE state = 'exposed'`), "everybody has a code of their own")
	require.Zero(l, l.Count(l, `SELECT count(*) FROM supply_waiter`), "nobody is left in line")
	require.Equal(l, 0, l.Count(l, `SELECT sum(tail - head)::int FROM batch`), "nothing is left over")
	mails := map[string]string{}
	for _, m := range l.Sandbox.Messages() {
		require.NotContains(l, mails, m.To, "one mail each")
		mails[m.To] = m.HTML
	}
	require.Len(l, mails, people)
	for _, pair := range l.list(`SELECT m.address || ' ' || c.code FROM message m JOIN assignment a ON a.id = m.assignment_id JOIN code c USING (batch_id, pos)`) {
		to, code, _ := strings.Cut(pair, " ")
		require.Contains(l, mails[to], code, "the mail holds the code that the journey has")
	}
}

var impatient = []string{"SCRIP_PROVE=", "SCRIP_PROVE_FINDINGS=", "SCRIP_PROVE_PATIENCE=2m"}

func TestControl_JourneysInLineAreServedFromItsHead(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the order of the line, of running journeys", File: "store/claim_wait.go",
		Old: "ORDER BY seq LIMIT $3", New: "ORDER BY seq DESC LIMIT $3",
		Package: "./prove/exact", Proof: "TestPromise3_JourneysInLineAreServedInTheirOrder",
		Says: "codes are given in the order in which they were waited for", Env: impatient,
	})
}

func TestControl_ARefillWakesThoseInLine(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the word to a journey that its turn has come", File: "store/claim_wait.go",
		Old:     "		if err := t.store.EnqueueSignal(ctx, t.tx, r.JourneyID, \"resume\", nil); err != nil {\n			return false, err\n		}\n",
		New:     "",
		Package: "./prove/exact", Proof: "TestPromise3_JourneysInLineAreServedInTheirOrder",
		Says: "the moment never came", Env: impatient,
	})
}
