package worst

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/postgres"
	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

// hand sets the clock of a Postgres server while it runs.
type hand struct {
	t    *testing.T
	file string
	sets int
}

// set makes the database's clock differ from ours by so much.
func (h *hand) set(by time.Duration) {
	next := h.file + ".next"
	require.NoError(h.t, os.WriteFile(next, fmt.Appendf(nil, "%+d\n", int(by.Seconds())), 0o644))
	require.NoError(h.t, os.Rename(next, h.file))
	h.sets++
}

// clocked starts a Postgres whose clock can be set.
func clocked(t *testing.T) (url string, h *hand) {
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if len(found) == 0 {
		t.Skip("libfaketime is not there, so no clock can be set; Debian: apt-get install libfaketime")
	}
	dir, err := os.MkdirTemp("", "scrip-clock-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	h = &hand{t: t, file: filepath.Join(dir, "offset")}
	h.set(0)
	server, err := postgres.StartOwn(t.Context(), postgres.Options{
		Dir:         filepath.Join(dir, "postgres"),
		Environment: []string{"LD_PRELOAD=" + found[0], "FAKETIME_TIMESTAMP_FILE=" + h.file, "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1"},
		Settings:    map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	require.NoError(t, migrate(t.Context(), server.URL))
	return server.URL, h
}

// apart is by how much the database's clock is off, one after the other: further
// than any window, in both directions, and right again.
var apart = []time.Duration{2 * time.Hour, -2 * time.Hour, 0, -2 * time.Hour, 2 * time.Hour, 0}

// The database's clock jumps while messages are sent, calls are lost, webhooks are
// dispatched and leases are held. The policy is to send again, and every outcome is
// told in time: so nothing may be sent again at all.
func TestClocks_ADatabaseWhoseClockIsSetSendsNothingTwice(t *testing.T) {
	t.Parallel()
	url, clock := clocked(t)
	w := openOn(t, url, policy{config.Resend, patience})
	w.window = 300 * time.Millisecond // between the others that are written to
	for _, off := range apart[:2] {
		clock.set(off)
		var now time.Time
		require.NoError(t, w.store.Pool.QueryRow(t.Context(), `SELECT clock_timestamp()`).Scan(&now))
		require.InDelta(t, off, time.Until(now), float64(time.Minute), "the database's clock is set")
	}
	stop := w.unsettle(clock)
	ids := w.sendAll(proof.Size(24, 600), 12, stop)
	sum := w.holds(ids)
	require.Zero(t, sum.resent, "sent again because of a clock")
	require.Zero(t, sum.parked, "parked because of a clock")
	require.Equal(t, sum.messages, sum.accepted)
	require.Zero(t, w.count(`SELECT count(*) FROM (SELECT batch_id, pos FROM assignment GROUP BY 1, 2 HAVING count(*) > 1) twice`), "no code twice")
	proof.Found(t, proof.Finding{Promise: 4, Times: sum.messages,
		Tried: fmt.Sprintf("messages while the database's clock was set by two hours, %d times, with calls lost", clock.sets),
		Found: fmt.Sprintf("%d attempts, each message accepted once; none sent again or given up because of a clock", sum.attempts)})
}

// unsettle sets the clock and loses answers until it is stopped.
func (w *world) unsettle(clock *hand) (stop func()) {
	done := make(chan struct{})
	var unsettling sync.WaitGroup
	unsettling.Go(func() {
		for i := 0; ; i++ {
			clock.set(apart[i%len(apart)])
			for channel := range vendors {
				w.set(channel, faults[[]string{"5xx after accepting", "time-out after accepting", "reset after accepting"}[i%3]], 2)
				w.set(channel, sandbox.Fault{Kind: sandbox.FaultLate, DelayMS: 300}, 2)
			}
			w.outlets.dies.Store(1)
			select {
			case <-done:
				return
			case <-time.After(120 * time.Millisecond):
			}
		}
	})
	return func() {
		close(done)
		unsettling.Wait()
		clock.set(0)
		w.outlets.dies.Store(0)
		w.sandbox.ClearFaults()
	}
}

// tick is how long the clock of the lease's proof stands still.
const tick = 20 * time.Millisecond

// A lease that a clock ends early is lost, not shared: whoever writes under it
// writes alone, and a key of a request under way stays its own.
func TestClocks_ALeaseIsNeverWrittenUnderByTwo(t *testing.T) {
	t.Parallel()
	url, clock := clocked(t)
	s, err := store.Open(t.Context(), url, 16)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	_, err = s.Pool.Exec(t.Context(), `CREATE TABLE written (epoch bigint)`)
	require.NoError(t, err)
	ctx := t.Context()
	key := store.Idempotent{APIKeyID: "ak_none", Key: "k", Route: "POST /x", Body: []byte("sum")}
	_, err = s.Pool.Exec(ctx, `INSERT INTO api_key (id, prefix, sha256, name, scopes) VALUES ('ak_none', 'p', 's', 'n', '{}')`)
	require.NoError(t, err)
	first, err := s.Begin(ctx, key)
	require.NoError(t, err)
	require.Nil(t, first)

	late := proof.Size(15, 300) // so many come too late with what they write
	var mu sync.Mutex
	writes, shared, deposed := 0, 0, 0
	goOn := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return deposed < late && shared == 0
	}
	var holders sync.WaitGroup
	for _, holder := range []string{"one", "two", "three"} {
		holders.Go(func() {
			for until := time.Now().Add(proof.Size(patience, 10*patience)); goOn() && time.Now().Before(until); {
				lease, err := s.AcquireLease(ctx, "dispatcher", holder, time.Second)
				if err != nil {
					time.Sleep(tick / 10) // until it asks again
					continue
				}
				time.Sleep(rand.N(3 * tick)) // what it read, it acts on a little later
				var newer bool
				err = s.InTx(ctx, func(tx *store.Tx) error {
					store.CheckLease(tx, lease)
					return tx.QueryRow(ctx, `WITH w AS (INSERT INTO written VALUES ($1)) SELECT coalesce(max(epoch) > $1, false) FROM written`, lease.Epoch).Scan(&newer)
				})
				mu.Lock()
				if err == nil {
					writes++
				}
				if errors.Is(err, store.ErrDeposed) {
					deposed++
				}
				if newer {
					shared++
				}
				mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	go func() { holders.Wait(); close(done) }()
	renewed := time.Now()
	for i := 0; ; i++ {
		clock.set(apart[i%len(apart)])
		if time.Since(renewed) > store.RenewEvery {
			require.NoError(t, s.Renew(ctx, key))
			renewed = time.Now()
		}
		_, err := s.Begin(ctx, key)
		require.True(t, errors.Is(err, store.ErrIdempotencyBusy), "a request under way was begun again because of a clock")
		select {
		case <-done:
		case <-time.After(tick):
			continue
		}
		break
	}
	require.Zero(t, shared, "somebody wrote under a lease that another had already written under")
	require.Positive(t, writes)
	require.GreaterOrEqual(t, deposed, late, "so many would have written under a lease that had passed on")
	proof.Found(t, proof.Finding{Promise: 0, Times: writes, Tried: fmt.Sprintf("writes under a lease while the database's clock was set %d times", clock.sets),
		Found: fmt.Sprintf("none under a lease that had passed on; %d more were refused because it had", deposed)})
}
