package worst

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

// farApart is by how much the database's clock is off: by hours and by days.
var farApart = []time.Duration{2 * time.Hour, -2 * time.Hour, 72 * time.Hour, 0, -72 * time.Hour, 72 * time.Hour, -2 * time.Hour, 0}

// swing sets the clock again and again until it is stopped.
func (h *hand) swing() (stop func()) {
	done := make(chan struct{})
	var swinging sync.WaitGroup
	swinging.Go(func() {
		for i := 0; ; i++ {
			h.set(farApart[i%len(farApart)])
			select {
			case <-done:
				return
			case <-time.After(30 * time.Millisecond):
			}
		}
	})
	return func() { close(done); swinging.Wait() }
}

const perishable = `
coupon: short
discount: {percentage: 10}
codes: {generate: "SHORT-########"}
valid_for: 1h
---
coupon: long
discount: {percentage: 10}
codes: {generate: "LONG-########"}
valid_for: 2400h
`

// A code ends when the processes' own clocks say so, whatever the database's clock
// says meanwhile; it is told of once; and what several checkouts hold, use and use
// again is used once.
func TestClocks_ACodeIsGivenUsedAndEndedOnceUnderAClockThatIsSet(t *testing.T) {
	t.Parallel()
	url, clock := clocked(t)
	s, err := store.Open(t.Context(), url, 16)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	file, problems := campaign.Parse("perishable.yaml", []byte(perishable))
	require.Empty(t, problems.Errors())
	for _, doc := range file.Coupons {
		_, err := s.ApplyCoupon(t.Context(), s.Pool, doc)
		require.NoError(t, err)
	}
	quick := campaign.Clock{Start: time.Now(), Scale: 3600} // an hour takes a second
	stop := clock.swing()
	n := proof.Size(30, 500)
	codes := map[string][]string{}
	for _, coupon := range []string{"short", "long"} {
		for i := range n {
			claim := store.Claim{Key: fmt.Sprintf("api:%s/%d", coupon, i), Coupon: coupon, Clock: quick}
			got, err := s.Claim(t.Context(), claim)
			require.NoError(t, err)
			require.NoError(t, s.Expose(t.Context(), s.Pool, got.Assignment.ID))
			again, err := s.Claim(t.Context(), claim)
			require.NoError(t, err)
			require.Equal(t, got.Assignment.Code, again.Assignment.Code, "a key has one code")
			codes[coupon] = append(codes[coupon], got.Assignment.Code)
		}
	}
	var told sync.WaitGroup
	var mu sync.Mutex
	expired := 0
	for range 2 {
		told.Go(func() {
			for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
				ended, err := s.RaiseExpired(t.Context(), quick)
				mu.Lock()
				expired += ended
				over := expired >= n || err != nil
				mu.Unlock()
				if over {
					return
				}
			}
		})
	}
	used, held := useAll(t, s, codes["long"], quick)
	told.Wait()
	for _, code := range codes["short"] {
		_, err := s.Redeem(t.Context(), useOf(code, 0, 0, quick))
		var refused *store.Refused
		require.ErrorAs(t, err, &refused)
		require.Equal(t, store.ReasonExpired, refused.Reason)
	}
	stop()
	clock.set(0)
	count := func(sql string) (n int) {
		require.NoError(t, s.Pool.QueryRow(t.Context(), sql).Scan(&n))
		return n
	}
	require.Equal(t, n, expired, "those that ended are told of once, and no other")
	require.Equal(t, n, count(`SELECT count(*) FROM delivery WHERE topic = 'code.expired'`))
	require.Zero(t, count(`SELECT count(*) FROM assignment a JOIN coupon c ON c.id = a.coupon_id WHERE c.name = 'long' AND a.state = 'expired'`), "nothing ends early")
	require.Zero(t, count(`SELECT count(*) FROM (SELECT batch_id, pos FROM redemption GROUP BY 1, 2 HAVING count(*) > 1) more`), "a code is used once")
	require.Equal(t, n, count(`SELECT count(*) FROM redemption`))
	require.Equal(t, n, used)
	proof.Found(t, proof.Finding{Promise: 3, Times: 2 * n,
		Tried: fmt.Sprintf("codes claimed, held at three checkouts, used and ended while the database's clock was set %d times, by up to three days", clock.sets),
		Found: fmt.Sprintf("each claimed and used once; none ended early, each told of once; of %d holds that were asked for %d were given", 3*n, held)})
}

// useOf is the use of a code at one of several checkouts.
func useOf(code string, no, checkout int, clock campaign.Clock) store.Use {
	return store.Use{Code: code, Source: "api", Clock: clock, Reference: fmt.Sprintf("cart-%d-%d", no, checkout), Order: &event.Order{
		ID: fmt.Sprintf("order-%d-%d", no, checkout), Total: decimal.NewFromInt(100), Discount: decimal.NewFromInt(10), Currency: "EUR"}}
}

// useAll has three checkouts at once hold and use each code, each of them twice.
func useAll(t *testing.T, s *store.Store, codes []string, clock campaign.Clock) (used, held int) {
	var mu sync.Mutex
	for no, code := range codes {
		var checkouts sync.WaitGroup
		for checkout := range 3 {
			checkouts.Go(func() {
				use := useOf(code, no, checkout, clock)
				_, hold := s.Hold(t.Context(), use, 15*time.Minute)
				var wins bool
				for range 2 { // a caller that heard no answer asks again
					_, err := s.Redeem(t.Context(), use)
					var refused *store.Refused
					if err != nil && !errors.As(err, &refused) {
						t.Errorf("using a code: %v", err)
					}
					wins = err == nil
				}
				mu.Lock()
				defer mu.Unlock()
				if hold == nil {
					held++
				}
				if wins {
					used++
				}
			})
		}
		checkouts.Wait()
	}
	return used, held
}

const quiet = `campaign: quiet
trigger: {event: shop.visited, debounce: 2s}
entry: {key: event.n, while_inside: parallel}
steps: [{wait: 1h}]
`

// An entry that is put off waits by the database's clock alone. One that was put off
// while that clock was ahead enters later, by at most as much; none enters twice and
// none is lost.
func TestClocks_AnEntryThatIsPutOffEntersOnceUnderAClockThatIsSet(t *testing.T) {
	t.Parallel()
	url, clock := clocked(t)
	w := openOn(t, url, policy{config.Park, patience})
	sum := sha256.Sum256([]byte(quiet))
	w.exec(`WITH c AS (INSERT INTO campaign (name, version_no) VALUES ('quiet', 1) RETURNING id)
		INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 1, $1, 1, $2 FROM c`, quiet, sum[:])
	people := proof.Size(30, 600)
	stop := clock.swing()
	for no := range people {
		for visit := range 3 {
			e := event.Event{Type: "shop.visited", OccurredAt: time.Now(), Fields: map[string]any{"n": no},
				Person: event.Person{Identities: []event.Identity{{Kind: event.Email, Value: fmt.Sprintf("visitor-%d@example.com", no)}}}}
			require.NoError(t, store.RaiseEvent(t.Context(), w.store.Pool, e, fmt.Sprintf("visit-%d-%d", no, visit)))
		}
	}
	w.until("the visits to be seen", func() bool { return w.count(`SELECT count(*) FROM delivery_queue`) == 0 })
	stop()
	clock.set(0)
	late := w.count(`SELECT count(*) FROM pending_entry WHERE due_at > now() + interval '1 minute'`)
	clock.set(72*time.Hour + time.Minute) // the time until which those wait that were put off when the clock was ahead
	const entered = `SELECT count(*) FROM journey j JOIN campaign c ON c.id = j.campaign_id WHERE c.name = 'quiet'`
	w.until("everybody to have entered", func() bool {
		return w.count(entered) >= people && w.count(`SELECT count(*) FROM pending_entry`) == 0
	})
	require.Equal(t, people, w.count(entered), "each entered once")
	require.Zero(t, w.count(`SELECT count(*) FROM dead_letter`))
	proof.Found(t, proof.Finding{Promise: 2, Times: people,
		Tried: fmt.Sprintf("entries put off for a quiet time while the database's clock was set %d times, by up to three days", clock.sets),
		Found: fmt.Sprintf("each entered once, none was lost; %d of them late, by as much as the clock had been ahead", late)})
}
