package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
)

// Two ways in which a group's transaction is begun again, besides journeysBusy.
var (
	// errLockNeeded: the pool is short or somebody waits for it, which only the
	// holder of the coupon's lock can judge.
	errLockNeeded = errors.New("the coupon's lock is needed")
	// errKeyTaken: another process has just claimed one of the keys. Its commit has
	// been waited for, so the next try reads its code.
	errKeyTaken = errors.New("a key was claimed meanwhile")
)

// claimTx is one transaction over the claims of one coupon and set.
type claimTx struct {
	store  *Store
	tx     *Tx
	coupon *CouponRow
	set    string
	now    time.Time
	locked bool // the coupon's lock is held, else only claims beside this one run

	// What open has read in the round trip of the coupon; each is looked at once.
	had  map[string]Assignment // what the claims' keys have
	over map[string]bool       // the journeys that were kept open, and which have ended
}

// claimGroup answers claims of one coupon and set in one transaction.
func (s *Store) claimGroup(ctx context.Context, group []*claimRequest) error {
	locked := false
	for range 20 {
		err := s.InTx(ctx, func(tx *Tx) error {
			t := &claimTx{store: s, tx: tx, set: group[0].Set, now: time.Now().UTC(), locked: locked}
			return t.answer(ctx, group)
		})
		var busy *journeysBusy
		switch {
		case errors.As(err, &busy):
			if err := busy.wait(ctx, s.Pool); err != nil {
				return err
			}
		case errors.Is(err, errLockNeeded):
			locked = true
		case !errors.Is(err, errKeyTaken):
			return err
		}
	}
	return errKeyTaken
}

// answer finds what the group's keys have, gives codes to those that have none,
// and decides about those for whom nothing is left.
func (t *claimTx) answer(ctx context.Context, group []*claimRequest) error {
	if err := t.open(ctx, group); err != nil {
		return err
	}
	fresh, err := t.known(ctx, group)
	if err != nil {
		return err
	}
	if len(fresh) == 0 {
		return t.alias(ctx, group)
	}
	if fresh, err = t.refuseEnded(ctx, t.refuseOver(fresh)); err != nil || len(fresh) == 0 {
		return err
	}
	if (t.coupon.waiters > 0 || t.bounded()) && !t.locked {
		return errLockNeeded
	}
	free := true
	if t.coupon.waiters > 0 {
		if free, err = t.serveWaiters(ctx); err != nil {
			return err
		}
		// One of those just served may be asking here again.
		if fresh, err = t.known(ctx, fresh); err != nil {
			return err
		}
	}
	left := fresh
	if free {
		if left, err = t.give(ctx, fresh); err != nil {
			return err
		}
	}
	if len(left) > 0 && !t.locked {
		return errLockNeeded
	}
	if err := t.turnAway(ctx, left); err != nil {
		return err
	}
	if err := t.alias(ctx, group); err != nil {
		return err
	}
	return t.warn(ctx, len(left) > 0)
}

// open reads the coupon and keeps publishers out while this transaction runs;
// other processes' claims may run beside it unless the lock is taken. In the same
// round trip it reads what the group's keys have, and keeps its journeys open.
func (t *claimTx) open(ctx context.Context, group []*claimRequest) error {
	lock := ` FOR SHARE OF coupon`
	if t.locked {
		lock = ` FOR NO KEY UPDATE OF coupon`
	}
	var keys, journeys []string
	for _, r := range group {
		keys = append(keys, r.Key)
		if r.JourneyID != "" {
			journeys = append(journeys, r.JourneyID)
		}
	}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT `+couponColumns+` FROM coupon WHERE name = $1`+lock, group[0].Coupon).QueryRow(func(row pgx.Row) (err error) {
		t.coupon, err = scanCoupon(row)
		return err
	})
	batch.Queue(byKey, keys).Query(func(rows pgx.Rows) (err error) {
		t.had, err = scanByKey(rows)
		return err
	})
	if len(journeys) > 0 {
		batch.Queue(keepOpen, journeys).Query(func(rows pgx.Rows) (err error) {
			t.over, err = scanOver(rows)
			return err
		})
	}
	if err := t.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("loading the coupon and what is claimed: %w", err)
	}
	return nil
}

// bounded says whether the coupon's total bounds how many codes go out. A shared
// code's total bounds its uses instead.
func (t *claimTx) bounded() bool {
	return t.coupon.Doc.Limits.Total > 0 && t.coupon.Pool != campaign.PoolShared
}

// give hands out codes to requests without one, in their order, as far as the
// pool and the coupon's total last. It returns those that are left over.
func (t *claimTx) give(ctx context.Context, requests []*claimRequest) (left []*claimRequest, err error) {
	first, again := firstOfKey(requests)
	allowed := first
	if t.bounded() {
		allowed = first[:max(0, min(len(first), t.coupon.Doc.Limits.Total-int(t.coupon.assigned)))]
	}
	given, err := t.supply(ctx, allowed)
	if err != nil {
		return nil, err
	}
	if err := t.assign(ctx, first[:len(given)], given); err != nil {
		return nil, err
	}
	left = first[len(given):]
	results := map[string]ClaimResult{}
	for _, r := range first[:len(given)] {
		results[r.key] = r.result
	}
	for _, r := range again {
		result, ok := results[r.key]
		if !ok {
			left = append(left, r)
			continue
		}
		r.result = result
		if result.Assignment.JourneyID != r.JourneyID {
			if err := t.share(ctx, r, result.Assignment.ID); err != nil {
				return nil, err
			}
		}
	}
	return left, nil
}

// firstOfKey parts requests into the first of each key and its repetitions.
func firstOfKey(requests []*claimRequest) (first, again []*claimRequest) {
	seen := make(map[string]bool, len(requests))
	for _, r := range requests {
		if seen[r.key] {
			again = append(again, r)
			continue
		}
		seen[r.key] = true
		first = append(first, r)
	}
	return first, again
}
