package store

import (
	"context"
	"fmt"
	"time"
)

// publish serves those in line for a coupon after its pool has got more, in the
// transaction that brought it. The coupon's lock must be held. more says that
// somebody could still be served, in a transaction of its own.
func (s *Store) publish(ctx context.Context, tx *Tx, coupon *CouponRow) (more bool, err error) {
	t := &claimTx{store: s, tx: tx, coupon: coupon, now: time.Now().UTC(), locked: true}
	if err := t.calmDown(ctx); err != nil {
		return false, err
	}
	if coupon.waiters == 0 {
		return false, nil
	}
	before := coupon.waiters
	if coupon.State == CouponActive {
		if _, err := t.serveWaiters(ctx); err != nil {
			return false, err
		}
	}
	if err := t.warn(ctx, false); err != nil {
		return false, err
	}
	return before-coupon.waiters > 0 && coupon.waiters > 0, nil
}

// serveLine serves all that can be served of a coupon's line, a bounded number in
// each transaction.
func (s *Store) serveLine(ctx context.Context, couponID int64) error {
	for more := true; more; {
		err := s.InTx(ctx, func(tx *Tx) error {
			coupon, err := lockCoupon(ctx, tx, couponID)
			if err != nil {
				return err
			}
			more, err = s.publish(ctx, tx, coupon)
			return err
		})
		if err != nil {
			return fmt.Errorf("serving those who wait for codes: %w", err)
		}
	}
	return nil
}
