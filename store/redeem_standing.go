package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// standing reads all that concerns a use of one of these codes. With lock, nobody else uses the code or
// counts the coupon's uses until the transaction ends: first the code's row, then
// the coupon's count, always in this order.
func (s *Store) standing(ctx context.Context, q Querier, among among, use Use, lock bool) (*standing, error) {
	codeLock, useLock := "", ""
	if lock {
		codeLock, useLock = " FOR NO KEY UPDATE OF c", " FOR NO KEY UPDATE"
	}
	code, err := findCodeAmong(ctx, q, among, use.Realm, use.Code, codeLock)
	if lock && errors.Is(err, ErrNotFound) {
		// It may have gone back to the pool, to another place, while its lock was
		// waited for.
		code, err = findCodeAmong(ctx, q, among, use.Realm, use.Code, codeLock)
	}
	if err != nil {
		return nil, err
	}
	st := &standing{code: code}
	err = q.QueryRow(ctx, `SELECT uses, spent, limit_reached_at IS NOT NULL FROM coupon_use WHERE coupon_id = $1`+useLock, code.couponID).
		Scan(&st.uses, &st.spent, &st.limitTold)
	if err != nil {
		return nil, fmt.Errorf("reading a coupon's uses: %w", err)
	}
	if st.coupon, err = scanCoupon(q.QueryRow(ctx, `SELECT `+couponColumns+` FROM coupon WHERE id = $1`, code.couponID)); err != nil {
		return nil, fmt.Errorf("loading a coupon: %w", err)
	}
	if use.ContactID != "" {
		err := q.QueryRow(ctx, `SELECT coalesce(merged_into, id) FROM contact WHERE id = $1`, use.ContactID).Scan(&st.buyer)
		if err != nil {
			return nil, fmt.Errorf("looking up the buyer %s: %w", use.ContactID, err)
		}
	}
	if err := st.readHolder(ctx, q); err != nil {
		return nil, err
	}
	return st, st.readCounts(ctx, q, use)
}

func (st *standing) readHolder(ctx context.Context, q Querier) error {
	var a Assignment
	var contact string
	row := q.QueryRow(ctx, `SELECT `+assignmentColumns+`, coalesce(ct.merged_into, ct.id, '')
		FROM`+assignmentTables+` LEFT JOIN contact ct ON ct.id = a.contact_id
		WHERE `+holdersOf+` ORDER BY a.id DESC LIMIT 1`, st.code.batchID, st.code.pos, st.buyer)
	err := a.scan(row, &contact)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking up a code's holder: %w", err)
	}
	a.ContactID = contact
	st.holder = &a
	return nil
}

func (st *standing) readCounts(ctx context.Context, q Querier, use Use) error {
	limits := capsOf(st.coupon.Doc)
	if st.singleUse() {
		err := q.QueryRow(ctx, `SELECT
				(SELECT count(*) FROM redemption WHERE batch_id = $1 AND pos = $2 AND state = 'redeemed'),
				EXISTS (SELECT 1 FROM hold WHERE batch_id = $1 AND pos = $2 AND reference <> $3 AND until > now())`,
			st.code.batchID, st.code.pos, use.Reference).Scan(&st.codeUses, &st.codeHeld)
		if err != nil {
			return fmt.Errorf("reading a code's uses: %w", err)
		}
	}
	if limits.uses > 0 {
		err := q.QueryRow(ctx, `SELECT count(*) FROM hold h JOIN batch b ON b.id = h.batch_id
			WHERE b.coupon_id = $1 AND h.until > now() AND NOT (h.batch_id = $2 AND h.pos = $3 AND h.reference = $4)`,
			st.coupon.ID, st.code.batchID, st.code.pos, use.Reference).Scan(&st.setAside)
		if err != nil {
			return fmt.Errorf("counting holds: %w", err)
		}
	}
	if contact := st.contact(); contact != "" {
		err := q.QueryRow(ctx, `SELECT coalesce(sum(u.uses), 0) FROM coupon_contact_use u JOIN contact ct ON ct.id = u.contact_id
			WHERE u.coupon_id = $1 AND (ct.id = $2 OR ct.merged_into = $2)`, st.coupon.ID, contact).Scan(&st.contactUses)
		if err != nil {
			return fmt.Errorf("reading a contact's uses: %w", err)
		}
	}
	return nil
}

// sameOrder gives the redemption of the code in the order; ErrNotFound where
// there is none.
func (st *standing) sameOrder(ctx context.Context, q Querier, orderKey string) (Redemption, error) {
	return scanRedemption(q.QueryRow(ctx, redemptionSelect+`WHERE r.batch_id = $1 AND r.pos = $2 AND r.order_key = $3`,
		st.code.batchID, st.code.pos, orderKey))
}
