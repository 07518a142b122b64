// Here a ledger stands in for Temporal and a doorbell for the vendors' webhooks
// (dispatcher_test.go), so that thousands of them fit into a run; the dispatchers,
// their processes and Postgres are real. The live counterparts are
// TestPromise1_NoAcceptedEventIsLost and TestPromise6_InAStormEverybodyArrives in
// prove/faults.

package exact

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/prove/control"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

// visits lets a person in once for each n, and listens to everybody who leaves.
const visits = `campaign: visits
trigger: {event: shop.visited}
entry: {key: event.n, while_inside: parallel}
exit: [{event: shop.left, as: left}]
steps: [{wait: 1h}]
`

// street is a shop with several dispatchers, whose visitors never stop.
type street struct {
	*shop
	contacts, events int // events of each contact
	running          []*process
	holders          []string
	started          int // processes, for their names
	kills, deposed   int
	entries          sync.Map // contact/n: those that have to become a journey
	redelivered      atomic.Int64
}

func TestPromise2_OneJourneyPerEntry(t *testing.T) {
	s := &street{shop: newDatabase(t), contacts: proof.Size(60, 300), events: proof.Size(10, 40)}
	s.exec(ledgerTables)
	sum := sha256.Sum256([]byte(visits))
	s.exec(`WITH c AS (INSERT INTO campaign (name, version_no) VALUES ('visits', 1) RETURNING id)
		INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 1, $1, 1, $2 FROM c`, visits, sum[:])
	const dispatchers = 3
	s.running, s.holders = make([]*process, dispatchers), make([]string, dispatchers)
	for slot := range dispatchers {
		s.dispatcher(slot)
	}
	var senders sync.WaitGroup
	var sent atomic.Int64
	for contact := range s.contacts {
		senders.Go(func() {
			for range s.events {
				s.happens(contact)
				sent.Add(1)
				time.Sleep(time.Duration(rand.IntN(int(proof.Size(600, 1500)))) * time.Millisecond) // people take their time
			}
		})
	}
	total, disturbances := s.contacts*s.events, proof.Size(5, 60)
	for i := range disturbances {
		until(t, "the next disturbance is due", func() bool { return int(sent.Load()) >= i*total/disturbances })
		s.disturb(i)
	}
	senders.Wait()
	until(t, "everything that was accepted has been told", func() bool {
		return s.count(`SELECT (SELECT count(*) FROM delivery_queue) + (SELECT count(*) FROM outbox)`) == 0
	})
	s.check()
	require.False(t, t.Failed(), "what was found wrong stands above")
	require.Positive(t, s.kills, "dispatchers were killed")
	require.Positive(t, s.deposed, "dispatchers were deposed alive")
	require.Positive(t, s.redelivered.Load(), "webhooks came again")
	journeys, told, rows := s.count(`SELECT count(*) FROM journey`), s.count(`SELECT count(*) FROM told`), s.count(`SELECT count(*) FROM asked`)
	proof.Found(t, proof.Finding{
		Promise: 2, Tried: "webhooks of visitors who come again, through 3 dispatchers that are killed, stopped and deposed", Times: total,
		Found: fmt.Sprintf("%d entries, one journey each; %d starts and signals reached Temporal in each contact's order, %d of them again after a death; "+
			"%d dispatchers killed, %d deposed alive, %d webhooks redelivered", journeys, rows, told-rows, s.kills, s.deposed, s.redelivered.Load()),
	})
}

func (s *street) dispatcher(slot int) {
	s.started++
	s.holders[slot] = fmt.Sprintf("dispatcher-%d", s.started)
	s.running[slot] = start(s, task{Dispatch: &dispatchTask{URL: s.url, Holder: s.holders[slot]}})
}

// happens accepts one webhook of a contact, now and then twice or under two keys.
func (s *street) happens(contact int) {
	e := event.Event{Type: "shop.left", OccurredAt: time.Now(), Person: event.Person{
		Identities: []event.Identity{{Kind: event.Email, Value: fmt.Sprintf("p%d@example.com", contact)}}}}
	if rand.IntN(2) == 0 {
		n := rand.IntN(5)
		e.Type, e.Fields = "shop.visited", map[string]any{"n": n}
		s.entries.Store(fmt.Sprintf("%d/%d", contact, n), true)
	}
	body, err := json.Marshal(event.Batch{Events: []event.Event{e}})
	if err != nil {
		s.Errorf("encoding an event: %v", err)
	}
	keys := []string{store.NewID("key")}
	switch rand.IntN(4) {
	case 0:
		keys = append(keys, keys[0])
	case 1:
		keys = append(keys, store.NewID("key"))
	}
	s.redelivered.Add(int64(len(keys) - 1))
	for _, key := range keys {
		if _, err := s.Accept(s.ctx, []store.Incoming{{Connection: "doorbell", Topic: "t", Key: key, Body: body}}); err != nil {
			s.Errorf("accepting a webhook: %v", err)
		}
	}
}

// disturb kills a dispatcher, takes the lease from a living one, or stops one for as
// long as another works and lets it go on where it was.
func (s *street) disturb(i int) {
	slot := rand.IntN(len(s.running))
	leader := s.list(`SELECT holder FROM lease WHERE name = 'dispatcher'`)
	for other, holder := range s.holders {
		if len(leader) == 1 && leader[0] == holder && i%4 != 3 {
			slot = other
		}
	}
	switch i % 3 {
	case 0:
		s.running[slot].kill()
		s.runOut(s.holders[slot])
		s.dispatcher(slot)
		s.kills++
	case 1:
		s.runOut(s.holders[slot])
		_, err := s.AcquireLease(s.ctx, "dispatcher", fmt.Sprint("nobody-", i), time.Millisecond)
		if err == nil {
			s.deposed++
		}
	case 2:
		require.NoError(s, s.running[slot].signal(syscall.SIGSTOP))
		s.runOut(s.holders[slot])
		before := s.count(`SELECT count(*) FROM told`)
		until(s, "another dispatcher works", func() bool {
			return s.count(`SELECT count(*) FROM lease WHERE holder <> $1 AND until > now()`, s.holders[slot]) == 1 &&
				(s.count(`SELECT count(*) FROM told`) > before || s.count(`SELECT count(*) FROM outbox`) == 0)
		})
		require.NoError(s, s.running[slot].signal(syscall.SIGCONT))
		s.deposed++
	}
}

// runOut lets a holder's lease come to its end, which takes ten seconds otherwise.
func (s *street) runOut(holder string) {
	s.exec(`UPDATE lease SET until = now() WHERE holder = $1`, holder)
}

// check asks the tables and the ledger.
func (s *street) check() {
	s.Helper()
	s.nobody("an entry has two journeys", `SELECT contact_id, entry_key, count(*) FROM journey GROUP BY 1, 2 HAVING count(*) > 1`)
	s.nobody("a webhook was given up", `SELECT reason FROM dead_letter`)
	entries := 0
	s.entries.Range(func(any, any) bool { entries++; return true })
	if journeys := s.count(`SELECT count(DISTINCT (contact_id, entry_key)) FROM journey`); journeys != entries {
		s.Errorf("%d entries became %d journeys", entries, journeys)
	}
	s.nobody("a journey is not started once", `SELECT j.id, count(a.id) FROM journey j LEFT JOIN asked a ON a.journey_id = j.id AND a.kind = 'start' GROUP BY 1 HAVING count(a.id) <> 1`)
	s.nobody("something was never told", `SELECT id FROM asked EXCEPT SELECT row_id FROM told`)
	s.nobody("something was told that nobody asked for", `SELECT row_id FROM told EXCEPT SELECT id FROM asked`)
	const first = `SELECT lane, journey_id, row_id, delivery, min(seq) AS at FROM told GROUP BY 1, 2, 3, 4`
	s.nobody("a contact's rows were told out of order", `SELECT * FROM (SELECT lane, row_id, lag(row_id) OVER (PARTITION BY lane ORDER BY at) AS before
		FROM (`+first+`) f) o WHERE before > row_id`)
	s.nobody("a journey heard a contact's events out of order", `SELECT * FROM (SELECT journey_id, delivery, lag(delivery) OVER (PARTITION BY journey_id ORDER BY at) AS before
		FROM (`+first+`) f WHERE delivery IS NOT NULL) o WHERE before >= delivery`)
	// Whoever leaves is heard of by all journeys of the contact that began before.
	const due = `SELECT j.id AS journey_id, e.delivery_id AS delivery FROM event e JOIN journey j ON j.contact_id = e.contact_id
		JOIN event entry ON entry.id = j.entry_event_id WHERE e.type = 'shop.left' AND entry.delivery_id < e.delivery_id`
	const heard = `SELECT journey_id, delivery FROM told WHERE delivery IS NOT NULL`
	s.nobody("an event did not reach a journey", due+` EXCEPT `+heard)
	s.nobody("an event reached a journey that it does not concern", heard+` EXCEPT `+due)
}

func TestControl_AnEntryKeyEntersOnce(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the look at earlier entries and the index of entries", File: "starter/entries.go",
		Old: "	case known.SameKey:\n		return store.RefusedEntered, nil\n", New: "",
		Package: "./prove/exact", Proof: "TestPromise2_OneJourneyPerEntry", Says: "an entry has two journeys",
		Env: short(`DROP INDEX journey_entry`),
	})
}

func TestControl_TheOutboxIsReadInItsOrder(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the order of the outbox", File: "store/outbox.go",
		Old: "<> ALL ($1) ORDER BY o.id LIMIT $2", New: "<> ALL ($1) ORDER BY o.journey_id, o.id LIMIT $2",
		Package: "./prove/exact", Proof: "TestPromise2_OneJourneyPerEntry", Says: "a contact's rows were told out of order",
		Env: short(""),
	})
}
