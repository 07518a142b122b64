package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

func TestLease_PassesFromAHolderThatFellSilentInATransaction(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	first, err := c.AcquireLease(c.ctx, "job", "first", 200*time.Millisecond)
	require.NoError(t, err)
	require.Error(t, c.InTx(c.ctx, func(tx *store.Tx) error {
		store.CheckLease(tx, first)
		_, err := tx.Exec(c.ctx, `SELECT 1`)
		require.NoError(t, err)
		// The holder says no more: its machine may be gone.
		require.Eventually(t, func() bool {
			ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
			defer cancel()
			_, err := c.open().AcquireLease(ctx, "job", "second", time.Minute)
			return err == nil
		}, 60*time.Second, 20*time.Millisecond)
		return nil
	}))
}
