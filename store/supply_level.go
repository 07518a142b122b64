package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
)

// available counts the codes that can still be given of a set ("" all sets).
// finite is false for pools that never run out.
func available(ctx context.Context, q Querier, c *CouponRow, set string, now time.Time) (left int64, finite bool, err error) {
	if c.Pool != campaign.PoolList {
		if total := int64(c.Doc.Limits.Total); total > 0 && c.Pool != campaign.PoolShared {
			return max(total-c.assigned, 0), true, nil
		}
		return 0, false, nil
	}
	err = q.QueryRow(ctx, `SELECT coalesce(sum(tail - head - holes), 0)::bigint FROM batch
		WHERE coupon_id = $1 AND NOT closed AND ($2 = '' OR child_set = $2) AND (valid_until IS NULL OR valid_until > $3)`,
		c.ID, set, now).Scan(&left)
	if err != nil {
		return 0, false, fmt.Errorf("counting the pool: %w", err)
	}
	if total := int64(c.Doc.Limits.Total); total > 0 {
		left = min(left, max(total-c.assigned, 0))
	}
	return left, true, nil
}

// warn raises coupon.low for each threshold that the pool has fallen to, and
// coupon.empty when a claim found nothing; once until a refill.
func (t *claimTx) warn(ctx context.Context, empty bool) error {
	thresholds := t.coupon.Doc.LowAt
	if len(thresholds) == 0 && !empty {
		return nil
	}
	left, finite, err := available(ctx, t.tx, t.coupon, t.set, t.now)
	if err != nil || !finite && !empty {
		return err
	}
	if !empty && left > int64(slices.Max(thresholds)) {
		return nil
	}
	level, err := t.level(ctx, "")
	if err != nil || !level.news(thresholds, left, finite, empty) {
		return err
	}
	// Somebody else's claim may be telling the same: look again under the lock.
	if level, err = t.level(ctx, " FOR NO KEY UPDATE"); err != nil {
		return err
	}
	return t.tell(ctx, level, left, finite, empty)
}

// supplyLevel is how far down has been told of.
type supplyLevel struct {
	low       *int // the lowest threshold told of
	empty     bool
	crossings int64
}

func (l supplyLevel) crossed(threshold int, left int64) bool {
	return left <= int64(threshold) && (l.low == nil || threshold < *l.low)
}

func (l supplyLevel) news(thresholds []int, left int64, finite, empty bool) bool {
	return empty && !l.empty || finite && slices.ContainsFunc(thresholds, func(t int) bool { return l.crossed(t, left) })
}

func (t *claimTx) level(ctx context.Context, lock string) (l supplyLevel, err error) {
	if lock != "" {
		_, err := t.tx.Exec(ctx, `INSERT INTO supply_level (coupon_id, child_set) VALUES ($1, $2) ON CONFLICT DO NOTHING`, t.coupon.ID, t.set)
		if err != nil {
			return l, fmt.Errorf("noting the pool's level: %w", err)
		}
	}
	err = t.tx.QueryRow(ctx, `SELECT low, empty, crossings FROM supply_level WHERE coupon_id = $1 AND child_set = $2`+lock,
		t.coupon.ID, t.set).Scan(&l.low, &l.empty, &l.crossings)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return l, fmt.Errorf("reading the pool's level: %w", err)
	}
	return l, nil
}

func (t *claimTx) tell(ctx context.Context, l supplyLevel, left int64, finite, empty bool) error {
	l.crossings++
	raise := func(kind string, fields map[string]any, detail string) error {
		fields["coupon"], fields["set"] = t.coupon.Name, t.set
		e := event.Event{Type: kind, OccurredAt: t.now, Fields: fields}
		return RaiseEvent(ctx, t.tx, e, fmt.Sprintf("%s:%d:%s:%s:%d", kind, t.coupon.ID, t.set, detail, l.crossings))
	}
	thresholds := slices.Sorted(slices.Values(t.coupon.Doc.LowAt))
	slices.Reverse(thresholds)
	before := l
	for _, threshold := range thresholds {
		if !finite || !before.crossed(threshold, left) {
			continue
		}
		l.low = &threshold
		if err := raise(event.CouponLow, map[string]any{"left": left, "threshold": threshold}, fmt.Sprint(threshold)); err != nil {
			return err
		}
	}
	if empty && !l.empty {
		l.empty = true
		if err := raise(event.CouponEmpty, map[string]any{}, ""); err != nil {
			return err
		}
	}
	_, err := t.tx.Exec(ctx, `UPDATE supply_level SET low = $3, empty = $4, crossings = $5 WHERE coupon_id = $1 AND child_set = $2`,
		t.coupon.ID, t.set, l.low, l.empty, l.crossings)
	if err != nil {
		return fmt.Errorf("noting the pool's level: %w", err)
	}
	return nil
}

// calmDown takes back what was told of levels that the pool has risen above.
func (t *claimTx) calmDown(ctx context.Context) error {
	rows, err := t.tx.Query(ctx, `SELECT child_set, coalesce(low, -1) FROM supply_level WHERE coupon_id = $1 AND (low IS NOT NULL OR empty)`, t.coupon.ID)
	if err != nil {
		return fmt.Errorf("reading the pool's levels: %w", err)
	}
	type told struct {
		Set string
		Low int // -1 none
	}
	levels, err := pgx.CollectRows(rows, pgx.RowToStructByPos[told])
	if err != nil {
		return fmt.Errorf("reading the pool's levels: %w", err)
	}
	for _, level := range levels {
		left, _, err := available(ctx, t.tx, t.coupon, level.Set, t.now)
		if err != nil {
			return err
		}
		var low *int
		for _, threshold := range t.coupon.Doc.LowAt {
			if left <= int64(threshold) && threshold >= level.Low && level.Low >= 0 && (low == nil || threshold < *low) {
				low = &threshold
			}
		}
		_, err = t.tx.Exec(ctx, `UPDATE supply_level SET low = $3, empty = empty AND $4::bigint = 0 WHERE coupon_id = $1 AND child_set = $2`,
			t.coupon.ID, level.Set, low, left)
		if err != nil {
			return fmt.Errorf("noting the pool's level: %w", err)
		}
	}
	return nil
}
