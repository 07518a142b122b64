package store_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

func TestClaim_OfManyProcessesDuringAnImportNeverStandInACircle(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	const processes, claims = 6, 200
	c.journeys(processes * claims)
	c.apply(listCoupon)
	c.importLines("gift", numbered("A", processes*claims)...)
	// An import that appends to a batch holds its row as a foreign key does, for as
	// long as a chunk takes.
	tx, err := c.Pool.Begin(c.ctx)
	require.NoError(t, err)
	_, err = tx.Exec(c.ctx, `SELECT 1 FROM batch FOR KEY SHARE`)
	require.NoError(t, err)
	var all sync.WaitGroup
	for p := range processes {
		s := c.open()
		all.Go(func() {
			for i := range claims {
				result, err := s.Claim(c.ctx, claimOf(p*claims+i, "gift"))
				if err != nil || result.Status != store.ClaimAssigned {
					t.Errorf("claim: %s %v", result.Status, err)
					return
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, tx.Commit(c.ctx))
	require.Zero(t, c.count(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`))
}
