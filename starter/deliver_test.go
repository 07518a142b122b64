package starter

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

func TestDeliver_KeepsTheOrderOfEachContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	for i := range 20 {
		w.accept(cart(fmt.Sprintf("p%d@example.com", i), fmt.Sprintf("T%d", i), 80))
	}
	for i := range 20 {
		w.accept(order(fmt.Sprintf("p%d@example.com", i), fmt.Sprintf("T%d", i)))
	}
	w.dispatch()
	told := w.deliver()
	require.Len(t, told, 40)
	last := map[string]int64{}
	for _, row := range told {
		require.Greater(t, row.ID, last[row.JourneyID])
		if last[row.JourneyID] == 0 {
			require.Equal(t, store.OutboxStart, row.Kind)
		}
		last[row.JourneyID] = row.ID
	}
}

func TestDeliver_AHeldJourneyKeepsItsOrderAndHoldsNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery, inside("key: event.n"))
	w.accept(cart("anna@example.com", "T1", 80))
	w.accept(visit("1"))
	w.accept(order("anna@example.com", "T1"))
	w.dispatch()
	held := one[string](w, `SELECT j.id FROM journey j JOIN campaign c ON c.id = j.campaign_id WHERE c.name = 'recovery'`)
	w.temporal.fails[held] = ErrHeld
	lease, err := w.store.AcquireLease(t.Context(), leaseName, w.d.Holder, time.Minute)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { newDelivery(w.d, lease).run(ctx) })
	require.Eventually(t, func() bool { return one[int](w, `SELECT count(*) FROM outbox WHERE not_before > now()`) == 2 }, 20*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool { return one[int](w, `SELECT count(*) FROM outbox`) == 2 }, 20*time.Second, 5*time.Millisecond)
	cancel()
	running.Wait()
	require.NotEqual(t, held, w.temporal.rows()[0].JourneyID)
	delete(w.temporal.fails, held)
	w.exec(`UPDATE outbox SET not_before = '-infinity' WHERE kind <> 'start'`)
	next, err := w.store.OutboxRows(t.Context(), []string{}, 10)
	require.NoError(t, err)
	require.Empty(t, next, "what comes later doesn't overtake the start")
	w.exec(`UPDATE outbox SET not_before = '-infinity'`)
	told := w.deliver()
	require.Equal(t, []string{store.OutboxStart, store.OutboxSignal}, []string{told[1].Kind, told[2].Kind})
}

func TestDeliver_WaitsWhileTemporalIsAwayAndThenLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	w.temporal.setAway(true)
	w.accept(cart("anna@example.com", "T1", 80))
	w.accept(order("anna@example.com", "T1"))
	w.dispatch()
	require.Equal(t, 1, w.journeys(), "entries need only Postgres")
	lease, err := w.store.AcquireLease(t.Context(), leaseName, w.d.Holder, time.Minute)
	require.NoError(t, err)
	v := newDelivery(w.d, lease)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { v.run(ctx) })
	time.AfterFunc(500*time.Millisecond, func() { w.temporal.setAway(false) })
	require.Eventually(t, func() bool { return len(w.temporal.rows()) == 2 }, 20*time.Second, 5*time.Millisecond)
	cancel()
	running.Wait()
	require.Equal(t, store.OutboxStart, w.temporal.rows()[0].Kind)
	letters, err := w.store.DeadLetters(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Empty(t, letters)
}

func TestDeliver_DropsSignalsOfJourneysThatAreOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	w.happens(cart("anna@example.com", "T1", 80))
	id := one[string](w, `SELECT id FROM journey`)
	w.temporal.fails[id] = ErrGone
	require.NoError(t, w.store.EnqueueSignal(t.Context(), w.store.Pool, id, "skip", nil))
	w.deliver()
	require.Len(t, w.temporal.rows(), 1)
}

func TestDeliver_EndsAJourneyThatTemporalWillNeverTake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	w.accept(cart("anna@example.com", "T1", 80))
	w.dispatch()
	w.temporal.fails[one[string](w, `SELECT id FROM journey`)] = ErrRefused
	var counted []string
	w.d.Ended = func(campaign, outcome string) { counted = append(counted, campaign+" "+outcome) }
	w.deliver()
	require.Equal(t, "failed", one[string](w, `SELECT outcome FROM journey`))
	require.Equal(t, []string{"recovery failed"}, counted)
}

func TestDeliver_AStartIsNotedAlsoWhereTheWorkerHasParkedTheJourneyAlready(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	w.accept(cart("anna@example.com", "T1", 80))
	w.dispatch()
	id := one[string](w, `SELECT id FROM journey`)
	require.NoError(t, w.store.ParkJourney(t.Context(), w.store.Pool, id, "send_email_note", "kill_switch"))
	w.deliver()
	require.Equal(t, "parked", one[string](w, `SELECT state FROM journey`))
	require.True(t, one[bool](w, `SELECT started_at IS NOT NULL FROM journey`), "the upkeep looks after journeys that have started")
}

func TestLease_PassesToAnotherProcessAndShutsTheFirstOneOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	first, err := w.store.AcquireLease(t.Context(), leaseName, "first", time.Minute)
	require.NoError(t, err)
	_, err = w.store.AcquireLease(t.Context(), leaseName, "second", time.Minute)
	require.ErrorIs(t, err, store.ErrDeposed)
	w.exec(`UPDATE lease SET until = now()`)
	second, err := w.store.AcquireLease(t.Context(), leaseName, "second", time.Minute)
	require.NoError(t, err)
	require.Greater(t, second.Epoch, first.Epoch)

	w.accept(cart("anna@example.com", "T1", 80))
	_, err = w.d.round(t.Context(), first)
	require.ErrorIs(t, err, store.ErrDeposed)
	require.Zero(t, w.journeys())
	worked, err := w.dispatcher("second").round(t.Context(), second)
	require.NoError(t, err)
	require.True(t, worked)
	ids := one[[]int64](w, `SELECT array_agg(id) FROM outbox`)
	require.ErrorIs(t, w.store.AcknowledgeOutbox(t.Context(), first, ids), store.ErrDeposed)
	require.NoError(t, w.store.AcknowledgeOutbox(t.Context(), second, ids))
}

func TestDispatcher_RunsFromWebhookToTemporalAndHandsOverWhenItEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, recovery)
	inbox := NewInbox(w.store, NewInboxMetrics(nil))
	t.Cleanup(inbox.Close)
	run := func(holder string) (stop func()) {
		d := w.dispatcher(holder)
		d.Woken = inbox.Woken()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { d.Run(ctx) })
		return func() { cancel(); running.Wait() }
	}
	stop := run("first")
	var senders sync.WaitGroup
	const n = 60
	for i := range n {
		senders.Go(func() {
			body := fmt.Sprintf(`{"events":[{"type":"checkout.updated","person":{"identities":[{"kind":"email","value":"p%d@example.com"}]},"fields":{"total":80,"checkout_token":"T%d"}}]}`, i, i)
			for range 2 { // vendors send again
				_, err := inbox.Accept(t.Context(), store.Incoming{Connection: "shop", Topic: "t", Key: fmt.Sprint("k", i), Body: []byte(body)})
				if err != nil {
					t.Errorf("accepting: %v", err)
				}
			}
			if i == n/2 {
				stop()
				stop = run("second")
			}
		})
	}
	senders.Wait()
	require.Eventually(t, func() bool { return len(w.temporal.rows()) >= n }, 30*time.Second, 10*time.Millisecond)
	stop()
	require.Equal(t, n, one[int](w, `SELECT count(*) FROM delivery`))
	require.Equal(t, n, w.journeys())
	require.Zero(t, one[int](w, `SELECT count(*) FROM delivery_queue`))
	require.Equal(t, n, one[int](w, `SELECT count(*) FROM event WHERE type = $1`, event.CheckoutUpdated))
}
