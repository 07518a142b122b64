package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
)

// ShopCode is a code that has to be deactivated in its shop.
type ShopCode struct {
	AssignmentID int64
	Coupon       string
	Connection   string // the coupon's shop connection; "" the project's
	ExternalID   string // the shop's id of the discount that the code is under; "" unknown
	Code         string
}

// ReturnCodes gives back what an ended journey was never shown, in the
// transaction that ends it. Codes of a list return to the pool, where they are
// drawn first, after those who wait; made ones are withdrawn; those that a shop
// has are given to the caller to deactivate. A code that another open journey of
// the contact shares passes to that journey. That a claim has expired meanwhile
// changes nothing: nobody saw its code. Asked again it does nothing.
func (s *Store) ReturnCodes(ctx context.Context, q Querier, journeyID string) ([]ShopCode, error) {
	shop, err := s.returnCodes(ctx, q, journeyID)
	if err != nil {
		return nil, fmt.Errorf("returning the codes of journey %s: %w", journeyID, err)
	}
	return shop, nil
}

// unseenCoupons are those of which a journey holds a code that nobody saw, or waits
// for one.
const unseenCoupons = `SELECT coupon_id FROM assignment WHERE journey_id = $1 AND state IN ('held', 'expired') AND exposed_at IS NULL
	UNION SELECT coupon_id FROM supply_waiter WHERE journey_id = $1 ORDER BY 1`

func (s *Store) returnCodes(ctx context.Context, q Querier, journeyID string) ([]ShopCode, error) {
	rows, err := q.Query(ctx, unseenCoupons, journeyID)
	if err != nil {
		return nil, err
	}
	coupons, err := collect[int64](rows)
	if err != nil {
		return nil, err
	}
	return s.returnCodesOfAll(ctx, q, coupons, journeyID)
}

func (s *Store) returnCodesOfAll(ctx context.Context, q Querier, coupons []int64, journeyID string) ([]ShopCode, error) {
	if len(coupons) == 0 {
		return nil, nil
	}
	for _, id := range coupons {
		err := s.inTx(ctx, q, func(tx *Tx) error { return s.returnCodesOf(ctx, tx, id, journeyID) })
		if err != nil {
			return nil, err
		}
	}
	return s.shopCodes(ctx, q, journeyID)
}

func (s *Store) returnCodesOf(ctx context.Context, tx *Tx, couponID int64, journeyID string) error {
	coupon, err := lockCoupon(ctx, tx, couponID)
	if err != nil {
		return err
	}
	left, err := tx.Exec(ctx, `DELETE FROM supply_waiter WHERE coupon_id = $1 AND journey_id = $2`, couponID, journeyID)
	if err != nil {
		return err
	}
	coupon.waiters -= int(left.RowsAffected())
	if err := passOn(ctx, tx, couponID, journeyID); err != nil {
		return err
	}
	// A contact's key is set free, so that the contact can claim again elsewhere. A
	// journey's stays taken: a late retry of an ended journey gets no new code.
	rows, err := tx.Query(ctx, `UPDATE assignment SET state = 'returned', returned_at = now(),
			claim_key = CASE WHEN starts_with(claim_key, $3) THEN claim_key || '/returned/' || id ELSE claim_key END
		WHERE coupon_id = $1 AND journey_id = $2 AND state IN ('held', 'expired') AND exposed_at IS NULL
		RETURNING batch_id, pos`, couponID, journeyID, contactKeyPrefix)
	if err != nil {
		return err
	}
	places, err := pgx.CollectRows(rows, pgx.RowToStructByPos[codePlace])
	if err != nil {
		return err
	}
	if coupon.Doc.Limits.Total > 0 && coupon.Pool != campaign.PoolShared {
		coupon.assigned -= int64(len(places))
	}
	if _, err := tx.Exec(ctx, `UPDATE coupon SET waiters = $2, assigned = $3 WHERE id = $1`, couponID, coupon.waiters, coupon.assigned); err != nil {
		return err
	}
	if err := takeBack(ctx, tx, coupon, places); err != nil {
		return err
	}
	_, err = s.publish(ctx, tx, coupon)
	return err
}

// codePlace is where a code stands.
type codePlace struct{ BatchID, Pos int64 }

// passOn gives the contact's codes of a journey to an open one that shares them.
func passOn(ctx context.Context, tx *Tx, couponID int64, journeyID string) error {
	_, err := tx.Exec(ctx, `WITH heir AS (
			SELECT DISTINCT ON (a.id) a.id, s.journey_id FROM assignment a
			JOIN assignment_share s ON s.assignment_id = a.id JOIN journey j ON j.id = s.journey_id AND j.state <> 'ended'
			WHERE a.coupon_id = $1 AND a.journey_id = $2 AND a.state IN ('held', 'expired') AND a.exposed_at IS NULL AND s.journey_id <> $2 ORDER BY a.id, s.created_at),
		gone AS (DELETE FROM assignment_share s USING heir WHERE s.assignment_id = heir.id AND s.journey_id = heir.journey_id)
		UPDATE assignment a SET journey_id = heir.journey_id FROM heir WHERE a.id = heir.id`, couponID, journeyID)
	return err
}

// takeBack moves a list's codes to the batch of returned ones, and withdraws made
// ones. The coupon's lock is held.
func takeBack(ctx context.Context, tx *Tx, coupon *CouponRow, places []codePlace) error {
	for _, p := range places {
		var err error
		switch coupon.Pool {
		case campaign.PoolShared:
		case campaign.PoolList:
			err = requeue(ctx, tx, p)
		default:
			_, err = tx.Exec(ctx, `UPDATE code SET state = 'withdrawn' WHERE batch_id = $1 AND pos = $2`, p.BatchID, p.Pos)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// requeue gives a code the next position of the returned batch with its set and
// expiry. What points at the code follows it there: its earlier assignments, all
// of them returned, and by foreign key its holds and redemptions.
func requeue(ctx context.Context, tx *Tx, p codePlace) error {
	var batch, pos int64
	err := tx.QueryRow(ctx, `INSERT INTO batch (coupon_id, child_set, kind, valid_until, tail, next_pos)
		SELECT coupon_id, child_set, 'returned', valid_until, 1, 1 FROM batch WHERE id = $1
		ON CONFLICT (coupon_id, child_set, valid_until) WHERE kind = 'returned'
		DO UPDATE SET tail = batch.next_pos + 1, next_pos = batch.next_pos + 1 RETURNING id, next_pos - 1`, p.BatchID).Scan(&batch, &pos)
	if err != nil {
		return err
	}
	var state string
	err = tx.QueryRow(ctx, `UPDATE code SET batch_id = $3, pos = $4 WHERE batch_id = $1 AND pos = $2 RETURNING state`,
		p.BatchID, p.Pos, batch, pos).Scan(&state)
	if err == nil {
		_, err = tx.Exec(ctx, `UPDATE assignment SET batch_id = $3, pos = $4 WHERE batch_id = $1 AND pos = $2 AND returned_at IS NOT NULL`,
			p.BatchID, p.Pos, batch, pos)
	}
	if err == nil && state != "ready" {
		_, err = tx.Exec(ctx, `UPDATE batch SET holes = holes + 1 WHERE id = $1`, batch)
	}
	return err
}
