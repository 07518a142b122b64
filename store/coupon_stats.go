package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"
)

// Stats count a coupon's codes and their uses.
type Stats struct {
	Available int64 // codes that can still be given; Unlimited says that there is no end
	Unlimited bool
	Assigned  int64 // given and not returned; the states below are parts of it
	Held      int64 // claimed, seen by nobody yet
	Exposed   int64
	Applied   int64
	Redeemed  int64
	Expired   int64
	Withdrawn int64
	Returned  int64 // went back unseen
	Waiting   int64 // claims in line
	Uses      int64 // redemptions that stand
	Spent     decimal.Decimal
	Sets      map[string]int64 // available codes of each child set that was imported
}

// CouponStats counts a coupon's codes. The error wraps ErrNotFound for an unknown
// coupon.
func (s *Store) CouponStats(ctx context.Context, name string) (Stats, error) {
	coupon, err := s.Coupon(ctx, s.Pool, name)
	if err != nil {
		return Stats{}, err
	}
	st := Stats{Waiting: int64(coupon.waiters), Sets: map[string]int64{}}
	left, finite, err := available(ctx, s.Pool, coupon, "", time.Now().UTC())
	if err != nil {
		return Stats{}, err
	}
	st.Available, st.Unlimited = left, !finite
	if err := st.countStates(ctx, s.Pool, coupon.ID); err != nil {
		return Stats{}, fmt.Errorf("counting assignments: %w", err)
	}
	err = s.Pool.QueryRow(ctx, couponUses, coupon.ID).Scan(&st.Uses, &st.Spent, nil)
	if err != nil {
		return Stats{}, fmt.Errorf("reading a coupon's uses: %w", err)
	}
	rows, err := s.Pool.Query(ctx, `SELECT child_set, sum(tail - head - holes)::bigint FROM batch
		WHERE coupon_id = $1 AND NOT closed AND child_set <> '' AND (valid_until IS NULL OR valid_until > now()) GROUP BY 1`, coupon.ID)
	if err != nil {
		return Stats{}, fmt.Errorf("counting sets: %w", err)
	}
	var set string
	if _, err := pgx.ForEachRow(rows, []any{&set, &left}, func() error { st.Sets[set] = left; return nil }); err != nil {
		return Stats{}, fmt.Errorf("counting sets: %w", err)
	}
	return st, nil
}

// countStates goes by the coupon's batches: each of its three parts has an index
// of its own, and claims are spared one more.
func (st *Stats) countStates(ctx context.Context, q Querier, couponID int64) error {
	rows, err := q.Query(ctx, `WITH b AS MATERIALIZED (SELECT id FROM batch WHERE coupon_id = $1)
		SELECT state, count(*) FROM (
			SELECT state FROM assignment WHERE batch_id IN (SELECT id FROM b) AND single_use AND returned_at IS NULL
			UNION ALL SELECT state FROM assignment WHERE batch_id IN (SELECT id FROM b) AND NOT single_use AND returned_at IS NULL
			UNION ALL SELECT state FROM assignment WHERE batch_id IN (SELECT id FROM b) AND returned_at IS NOT NULL) a
		GROUP BY state`, couponID)
	if err != nil {
		return err
	}
	counts := map[string]*int64{
		AssignmentHeld: &st.Held, AssignmentExposed: &st.Exposed, AssignmentApplied: &st.Applied, AssignmentRedeemed: &st.Redeemed,
		AssignmentExpired: &st.Expired, AssignmentWithdrawn: &st.Withdrawn, AssignmentReturned: &st.Returned,
	}
	var state string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&state, &n}, func() error {
		*counts[state] = n
		if state != AssignmentReturned {
			st.Assigned += n
		}
		return nil
	})
	return err
}
