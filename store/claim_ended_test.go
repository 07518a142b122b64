package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

// blocked says how many of the database's statements wait for a lock.
func (c *codes) blocked() int {
	return c.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
}

// background runs do and gives a channel with its error.
func background(do func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	return done
}

func TestClaim_UnderWayWhenItsJourneyEndsLeavesNoCodeBehind(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(1)
	c.apply(listCoupon)
	c.importLines("gift", "A")
	// Whoever holds the batch stops the claim between its look at the journey and its
	// code.
	tx, err := c.Pool.Begin(c.ctx)
	require.NoError(t, err)
	_, err = tx.Exec(c.ctx, `SELECT 1 FROM batch FOR UPDATE`)
	require.NoError(t, err)
	claimed := background(func() error { _, err := c.Claim(c.ctx, claimOf(0, "gift")); return err })
	require.Eventually(t, func() bool { return c.blocked() == 1 }, 20*time.Second, 5*time.Millisecond)
	ended := background(func() error {
		_, err := c.EndJourney(c.ctx, store.Ending{Journey: journey(0), Outcome: "completed"})
		return err
	})
	require.Eventually(t, func() bool { return len(ended) == 1 || c.blocked() == 2 }, 20*time.Second, 5*time.Millisecond)
	require.NoError(t, tx.Rollback(c.ctx))
	require.NoError(t, <-claimed)
	require.NoError(t, <-ended)
	require.Zero(t, c.count(`SELECT count(*) FROM assignment WHERE returned_at IS NULL`), "nobody would ever give the code back")
	stats, err := c.CouponStats(c.ctx, "gift")
	require.NoError(t, err)
	require.EqualValues(t, 1, stats.Available)
}

func TestClaim_WaitsForAJourneyThatIsBeingEndedWithoutTheCouponsLock(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(2)
	c.apply(listCoupon)
	c.importLines("gift", "A", "B")
	tx, err := c.Pool.Begin(c.ctx)
	require.NoError(t, err)
	_, err = tx.Exec(c.ctx, `UPDATE journey SET state = 'ended', outcome = 'completed', ended_at = now() WHERE id = $1`, journey(0))
	require.NoError(t, err)
	status := make(chan store.ClaimStatus, 1)
	claimed := background(func() error {
		result, err := c.Claim(context.WithoutCancel(c.ctx), claimOf(0, "gift"))
		status <- result.Status
		return err
	})
	require.Eventually(t, func() bool { return c.blocked() == 1 }, 20*time.Second, 5*time.Millisecond)
	other := c.open() // another process: its claims run beside
	result, err := other.Claim(c.ctx, claimOf(1, "gift"))
	require.NoError(t, err)
	require.Equal(t, store.ClaimAssigned, result.Status)
	_, err = tx.Exec(c.ctx, `SELECT 1 FROM coupon FOR NO KEY UPDATE`)
	require.NoError(t, err, "the end takes the coupon's lock at once")
	require.NoError(t, tx.Commit(c.ctx))
	require.NoError(t, <-claimed)
	require.Equal(t, store.ClaimOver, <-status)
}
