package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// standing reads all that concerns a use of one of these codes. With lock, nobody
// else uses the code until the transaction ends; nor does anybody count the uses of a
// coupon that bounds them: first the code's row, then the coupon's count, always in
// this order. A count that bounds nothing is locked as late as it is changed.
func (s *Store) standing(ctx context.Context, q Querier, among among, use Use, lock bool) (*standing, error) {
	codeLock := ""
	if lock {
		codeLock = " FOR NO KEY UPDATE"
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
	if st.doc, err = couponDocument(code.sum, code.source); err != nil {
		return nil, fmt.Errorf("loading a coupon: %w", err)
	}
	err = st.read(ctx, q, use, lock)
	if err == nil && !bytes.Equal(st.coupon.sum, code.sum) {
		// The coupon was applied anew while this use waited for it. With the lock its
		// document stays what it is now.
		st.doc = st.coupon.Doc
		err = st.read(ctx, q, use, lock)
	}
	if err != nil {
		return nil, fmt.Errorf("reading how a code stands: %w", err)
	}
	return st, st.readContactUses(ctx, q)
}

func (st *standing) read(ctx context.Context, q Querier, use Use, lock bool) error {
	batch := &pgx.Batch{}
	st.readCoupon(batch, lock)
	st.readCounts(batch, use)
	if use.ContactID != "" {
		batch.Queue(`SELECT coalesce(merged_into, id) FROM contact WHERE id = $1`, use.ContactID).QueryRow(func(row pgx.Row) error {
			if err := row.Scan(&st.buyer); err != nil {
				return fmt.Errorf("looking up the buyer %s: %w", use.ContactID, err)
			}
			return nil
		})
	}
	if st.singleUse() {
		st.readHolder(batch)
	}
	if use.OrderKey != "" {
		st.readOrder(batch, use.OrderKey)
	}
	if err := q.SendBatch(ctx, batch).Close(); err != nil || st.singleUse() {
		return err
	}
	holder := &pgx.Batch{} // whose claim of it this is, the buyer's present id says
	st.readHolder(holder)
	return q.SendBatch(ctx, holder).Close()
}

func (st *standing) readCoupon(batch *pgx.Batch, lock bool) {
	if lock {
		batch.Queue(keepDocument, st.code.couponID)
	}
	if capsOf(st.doc).any() {
		if lock {
			// By itself: what is read after it was waited for is what is true then.
			batch.Queue(`SELECT 1 FROM coupon_use WHERE coupon_id = $1 FOR NO KEY UPDATE`, st.code.couponID)
		}
		batch.Queue(couponUses, st.code.couponID).QueryRow(func(row pgx.Row) error { return row.Scan(&st.uses, &st.spent, &st.limitTold) })
	}
	batch.Queue(`SELECT `+couponColumns+` FROM coupon WHERE id = $1`, st.code.couponID).QueryRow(func(row pgx.Row) (err error) {
		st.coupon, err = scanCoupon(row)
		return err
	})
}

// couponUses reads how often a coupon was used, how much was given, and whether it was
// told that a cap is reached.
const couponUses = `SELECT u.uses + p.uses, u.spent + p.spent, u.limit_reached_at IS NOT NULL
	FROM coupon_use u, (SELECT coalesce(sum(uses), 0)::bigint AS uses, coalesce(sum(spent), 0) AS spent FROM coupon_use_part WHERE coupon_id = $1) p
	WHERE u.coupon_id = $1`

func (st *standing) readHolder(batch *pgx.Batch) {
	batch.Queue(`SELECT `+assignmentColumns+`, coalesce(ct.merged_into, ct.id, '')
		FROM`+assignmentTables+` LEFT JOIN contact ct ON ct.id = a.contact_id
		WHERE `+holdersOf+` ORDER BY a.id DESC LIMIT 1`, st.code.batchID, st.code.pos, st.buyer).QueryRow(func(row pgx.Row) error {
		var a Assignment
		var contact string
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
	})
}

func (st *standing) readCounts(batch *pgx.Batch, use Use) {
	if st.singleUse() {
		batch.Queue(`SELECT
				(SELECT count(*) FROM redemption WHERE batch_id = $1 AND pos = $2 AND state = 'redeemed'),
				EXISTS (SELECT 1 FROM hold WHERE batch_id = $1 AND pos = $2 AND reference <> $3 AND until > now())`,
			st.code.batchID, st.code.pos, use.Reference).QueryRow(func(row pgx.Row) error { return row.Scan(&st.codeUses, &st.codeHeld) })
	}
	if capsOf(st.doc).uses > 0 {
		batch.Queue(`SELECT count(*) FROM hold h JOIN batch b ON b.id = h.batch_id
			WHERE b.coupon_id = $1 AND h.until > now() AND NOT (h.batch_id = $2 AND h.pos = $3 AND h.reference = $4)`,
			st.code.couponID, st.code.batchID, st.code.pos, use.Reference).QueryRow(func(row pgx.Row) error { return row.Scan(&st.setAside) })
	}
}

func (st *standing) readContactUses(ctx context.Context, q Querier) error {
	contact := st.contact()
	if contact == "" || capsOf(st.doc).perContact == 0 {
		return nil
	}
	err := q.QueryRow(ctx, `SELECT coalesce(sum(u.uses), 0) FROM coupon_contact_use u JOIN contact ct ON ct.id = u.contact_id
		WHERE u.coupon_id = $1 AND (ct.id = $2 OR ct.merged_into = $2)`, st.coupon.ID, contact).Scan(&st.contactUses)
	if err != nil {
		return fmt.Errorf("reading a contact's uses: %w", err)
	}
	return nil
}

// readOrder reads the redemption of the code in the order, where there is one.
func (st *standing) readOrder(batch *pgx.Batch, orderKey string) {
	batch.Queue(redemptionSelect+`WHERE r.batch_id = $1 AND r.pos = $2 AND r.order_key = $3`, st.code.batchID, st.code.pos, orderKey).QueryRow(func(row pgx.Row) error {
		r, err := scanRedemption(row)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		st.order = &r
		return err
	})
}
