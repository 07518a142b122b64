package exact

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

// audit asks the tables where every code is: held by one assignment, withdrawn, or
// in the pool. It gives the numbers of the three, which are all there is.
func (m *market) audit() (held, left, withdrawn int) {
	m.Helper()
	m.exec(`ANALYZE`) // the questions below are about whole tables
	m.nobody("claims stood in each other's way", `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database() AND deadlocks > 0`)
	m.nobody("a code stands there twice", `SELECT code_norm FROM code GROUP BY 1 HAVING count(*) > 1`)
	m.nobody("a code has two holders", `SELECT batch_id, pos, array_agg(claim_key) FROM assignment WHERE returned_at IS NULL GROUP BY 1, 2 HAVING count(*) > 1`)
	m.nobody("a key has two codes", `SELECT claim_key, count(*) FROM assignment GROUP BY 1 HAVING count(*) > 1`)
	m.nobody("a code is held for a journey that has ended, unseen", `SELECT a.claim_key, a.state FROM assignment a JOIN journey j ON j.id = a.journey_id
		WHERE j.state = 'ended' AND a.state = 'held'`)
	m.nobody("an assignment's code does not exist", `SELECT a.claim_key FROM assignment a LEFT JOIN code c USING (batch_id, pos) WHERE c.code IS NULL`)
	m.nobody("a withdrawn code has a holder who does not know", `SELECT c.code, a.state FROM assignment a JOIN code c USING (batch_id, pos)
		WHERE a.returned_at IS NULL AND (c.state = 'withdrawn') <> (a.state = 'withdrawn')`)
	const free = ` FROM code c JOIN batch b ON b.id = c.batch_id
		WHERE c.state = 'ready' AND NOT EXISTS (SELECT 1 FROM assignment a WHERE a.batch_id = c.batch_id AND a.pos = c.pos AND a.returned_at IS NULL)`
	m.nobody("a code is nobody's and can't be given either", `SELECT c.code, b.kind, c.pos, b.head, b.tail`+free+` AND (c.pos < b.head OR c.pos >= b.tail OR b.closed)`)
	m.nobody("a code was given and stands in the pool", `SELECT a.claim_key FROM assignment a JOIN batch b ON b.id = a.batch_id
		WHERE a.returned_at IS NULL AND a.pos >= b.head`)
	held = m.count(`SELECT count(*) FROM assignment WHERE returned_at IS NULL AND state <> 'withdrawn'`)
	left = m.count(`SELECT count(*)` + free)
	withdrawn = m.count(`SELECT count(*) FROM code WHERE state = 'withdrawn'`)
	require.Equal(m, m.codes, m.count(`SELECT count(*) FROM code`), "every code was imported once")
	require.Equal(m, m.codes, held+left+withdrawn, "each code is held, in the pool or withdrawn")
	require.Equal(m, left, m.count(`SELECT sum(tail - head - holes)::int FROM batch`), "the pool counts what it has")
	return held, left, withdrawn
}

// drain claims what the audit says is left, by further keys: each code comes once,
// then none.
func (m *market) drain(left int) {
	m.Helper()
	var mu sync.Mutex
	var next atomic.Int64
	codes := map[string]bool{}
	var claimers sync.WaitGroup
	for range 64 {
		claimers.Go(func() {
			for {
				key := fmt.Sprintf("api:drain/%d", next.Add(1))
				result, err := m.Claim(m.ctx, store.Claim{Key: key, Coupon: "gift"})
				if err != nil || result.Status != store.ClaimAssigned {
					if err != nil || result.Status != store.ClaimEmpty {
						m.Errorf("draining the pool: %v %v", result.Status, err)
					}
					return
				}
				mu.Lock()
				if codes[result.Assignment.Code] {
					m.Errorf("the code %s was given twice", result.Assignment.Code)
				}
				codes[result.Assignment.Code] = true
				mu.Unlock()
			}
		})
	}
	claimers.Wait()
	require.Len(m, codes, left, "everything that is left can be given")
}
