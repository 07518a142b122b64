// Here claimers call the store in a journey's place, so that newcomers can press on
// the line without a pause; the processes and Postgres are real. The live
// counterpart, with Temporal, starters and workers, is in line_test.go.

package exact

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/control"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

func TestPromise3_AnEmptyPoolServesThoseWhoWaitInTheirOrder(t *testing.T) {
	const journeys, first, refill, newcomers, slots = 1000, 100, 900, 100, 4
	s := newShop(t)
	s.journeys(journeys + newcomers)
	s.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\non_empty: {wait: 12h}\n")
	s.importCodes(0, first)
	dir := t.TempDir()
	// Each journey claims once, in a random one of the processes, and asks again while
	// it waits. One of them is killed while they wait, and one when codes come.
	claimer := func(slot, generation int) *process {
		return start(t, task{Claim: &claimTask{URL: s.url, Plan: claimPlan{Claims: journeys, Journeys: journeys}, Single: true,
			Slot: slot, Slots: slots, Claimers: journeys / slots, Dir: dir, Generation: generation}})
	}
	running := make([]*process, slots)
	for slot := range slots {
		running[slot] = claimer(slot, 0)
	}
	until(t, "everybody has a code or waits", func() bool {
		return s.count(`SELECT (SELECT count(*) FROM assignment) + (SELECT count(*) FROM supply_waiter)`) == journeys
	})
	line := s.list(`SELECT claim_key FROM supply_waiter ORDER BY seq`)
	require.Len(t, line, refill)
	generation := 0
	replace := func() {
		slot := rand.IntN(slots)
		generation++
		running[slot].kill()
		running[slot] = claimer(slot, generation)
	}
	replace()

	// Newcomers claim all the while, from before the refill to after it.
	var early sync.WaitGroup
	var refilled atomic.Bool
	stores := []*store.Store{s.Store, s.open()}
	for i := range newcomers {
		early.Go(func() {
			for last := false; !last; {
				last = refilled.Load()
				result, err := stores[i%2].Claim(s.ctx, claimOf(journeys+i, 0))
				if err != nil || result.Status != store.ClaimWaiting {
					t.Errorf("newcomer %d: %s %v", i, result.Status, err)
					return
				}
			}
		})
	}
	for from := first; from < first+refill; from += refill / 3 {
		s.importCodes(from, from+refill/3)
		replace()
	}
	refilled.Store(true)
	early.Wait()
	served := s.list(`SELECT a.claim_key FROM assignment a JOIN code c USING (batch_id, pos) WHERE c.code >= $1 ORDER BY c.code`, codeName(first))
	require.Equal(t, line, served, "codes are given in the order in which they were waited for")
	for _, p := range running {
		<-p.ended
		require.NoError(t, p.err, "a process failed; it said why")
	}
	require.Equal(t, journeys, s.count(`SELECT count(DISTINCT (batch_id, pos)) FROM assignment`))
	require.Equal(t, newcomers, s.count(`SELECT count(*) FROM supply_waiter`), "nobody overtook")
	late := s.list(`SELECT claim_key FROM supply_waiter ORDER BY seq`)
	s.importCodes(first+refill, first+refill+newcomers)
	require.Equal(t, late, s.list(`SELECT a.claim_key FROM assignment a JOIN code c USING (batch_id, pos) WHERE c.code >= $1 ORDER BY c.code`, codeName(first+refill)))
	proof.Found(t, proof.Finding{Promise: 3, Tried: "journeys for 100 codes, a refill of 900 in three files, and 100 newcomers meanwhile", Times: journeys,
		Found: fmt.Sprintf("%d distinct codes, given to the %d who waited in their order; no newcomer overtook; 4 processes killed", journeys, refill)})
}

// list gives the texts of a query.
func (s *shop) list(sql string, args ...any) []string {
	s.Helper()
	rows, err := s.Pool.Query(s.ctx, sql, args...)
	require.NoError(s, err, sql)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(s, err, sql)
	return all
}

func TestControl_TheLineIsServedFromItsHead(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the order of the line", File: "store/claim_wait.go",
		Old: "ORDER BY seq LIMIT $3", New: "ORDER BY journey_id LIMIT $3",
		Package: "./prove/exact", Proof: "TestPromise3_AnEmptyPoolServesThoseWhoWaitInTheirOrder",
		Says: "codes are given in the order in which they were waited for", Env: short(""),
	})
}
