package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
)

// RedeemOutcome is what a recorded use turned out to be.
type RedeemOutcome string

// Outcomes.
const (
	RedeemNew       RedeemOutcome = "new"
	RedeemDuplicate RedeemOutcome = "duplicate" // this code in this order is on record
	RedeemUpgraded  RedeemOutcome = "upgraded"  // a person's word was completed with the order
	RedeemForeign   RedeemOutcome = "foreign"   // not a code of ours
)

// RecordRedemption records what a shop says has happened. It is never refused:
// where Scrip would have, the redemption carries the reason as its flag. One code
// in one order is recorded once. What a person recorded without an order is
// completed by the order's webhook, and not counted again. Run it in a
// transaction.
func (s *Store) RecordRedemption(ctx context.Context, q Querier, use Use) (Redemption, RedeemOutcome, error) {
	use = use.normalised()
	if use.OrderKey == "" {
		return Redemption{}, "", errors.New("recording a redemption: the order's id is missing")
	}
	var r Redemption
	var outcome RedeemOutcome
	err := s.inTx(ctx, q, func(tx *Tx) (err error) {
		r, outcome, err = s.recordRedemption(ctx, tx, use)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return Redemption{}, RedeemForeign, nil
	}
	if err != nil {
		return Redemption{}, "", fmt.Errorf("recording a redemption: %w", err)
	}
	return r, outcome, nil
}

func (s *Store) recordRedemption(ctx context.Context, tx *Tx, use Use) (Redemption, RedeemOutcome, error) {
	if err := s.takeUnheld(ctx, tx, use); err != nil {
		return Redemption{}, "", err
	}
	st, err := s.standing(ctx, tx, allCodes, use, true)
	if err != nil {
		return Redemption{}, "", err
	}
	known, err := st.onRecord(ctx, tx, use)
	switch {
	case err != nil:
		return Redemption{}, "", err
	case known == nil:
		r, err := st.record(ctx, tx, use, st.refuse(use, false))
		return r, RedeemNew, err
	case known.State == "redeemed" && st.completes(use, *known):
		r, err := st.complete(ctx, tx, use, *known)
		return r, RedeemUpgraded, err
	}
	return *known, RedeemDuplicate, nil
}

// takeUnheld takes a list's code that is used before anybody was given it out of
// the pool. That needs the coupon's lock, which comes before the code's.
func (s *Store) takeUnheld(ctx context.Context, tx *Tx, use Use) error {
	c, free, err := readCode(ctx, tx, unheldCodes, use.Realm, use.Code, "")
	if err != nil || c.pool != campaign.PoolList || c.state != "ready" || !free {
		return err
	}
	if _, err := lockCoupon(ctx, tx, c.couponID); err != nil {
		return err
	}
	// Somebody may have been given it meanwhile, or it moved.
	if c, free, err = readCode(ctx, tx, unheldCodes, use.Realm, use.Code, ""); err != nil || !free {
		return err
	}
	return c.spoil(ctx, tx, "used")
}

// onRecord finds the redemption that the use repeats: of the same order, or, for
// the same holder, the one that only one side knows an order of. nil: there is none.
func (st *standing) onRecord(ctx context.Context, q Querier, use Use) (*Redemption, error) {
	if st.order != nil || st.holder == nil || st.singleUse() && st.codeUses == 0 {
		return st.order, nil
	}
	r, err := scanRedemption(q.QueryRow(ctx, redemptionSelect+`WHERE r.assignment_id = $1 AND r.state = 'redeemed'
		AND ($2 OR starts_with(r.order_key, $3)) ORDER BY r.at LIMIT 1`, st.holder.ID, use.Manual, manualOrderPrefix))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return &r, err
}

// completes says whether the use brings an order to a redemption that a person
// recorded.
func (st *standing) completes(use Use, known Redemption) bool {
	return !use.Manual && (known.OrderKey != use.OrderKey || use.Order != nil && use.Order.Total.IsPositive() && known.Total.IsZero())
}

func (st *standing) complete(ctx context.Context, tx *Tx, use Use, known Redemption) (Redemption, error) {
	order := event.Order{}
	if use.Order != nil {
		order = *use.Order
	}
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE redemption SET order_key = $2, total = $3, discount = $4, currency = $5, source = $6,
		contact_id = coalesce(nullif($7, ''), contact_id) WHERE id = $1`,
		known.ID, use.OrderKey, order.Total, order.Discount, order.Currency, use.Source, st.buyer)
	if err := st.count(ctx, tx, batch, 0, order.Discount.Sub(known.Discount)); err != nil {
		return known, fmt.Errorf("completing a redemption: %w", err)
	}
	again := &pgx.Batch{}
	st.readOrder(again, use.OrderKey)
	err := tx.SendBatch(ctx, again).Close()
	if err == nil && st.order == nil {
		err = ErrNotFound
	}
	if err != nil {
		return known, fmt.Errorf("reading a completed redemption: %w", err)
	}
	return *st.order, nil
}

// record writes a new redemption and counts it.
func (st *standing) record(ctx context.Context, tx *Tx, use Use, flag Reason) (Redemption, error) {
	r := Redemption{
		ID: NewID(RedemptionID), Coupon: st.coupon.Name, Code: st.code.code, Realm: st.code.realm, OrderKey: use.OrderKey, ContactID: st.contact(),
		State: "redeemed", Flag: flag, Source: use.Source, At: use.At,
	}
	if st.holder != nil {
		r.AssignmentID, r.JourneyID = st.holder.ID, st.holder.JourneyID
	}
	if use.Order != nil {
		r.Total, r.Discount, r.Currency = use.Order.Total, use.Order.Discount, use.Order.Currency
	}
	batch := &pgx.Batch{}
	// A use that was rolled back and happens after all keeps its row.
	batch.Queue(`INSERT INTO redemption AS was (id, batch_id, pos, order_key, coupon_id, assignment_id, journey_id, contact_id, total, discount,
			currency, flag, source, at)
		VALUES ($1, $2, $3, $4, $5, nullif($6, 0), nullif($7, ''), nullif($8, ''), $9, $10, $11, $12, $13, $14)
		ON CONFLICT (batch_id, pos, order_key) DO UPDATE SET state = 'redeemed', rolled_back_at = NULL, assignment_id = excluded.assignment_id,
			journey_id = excluded.journey_id, contact_id = excluded.contact_id, total = excluded.total, discount = excluded.discount,
			currency = excluded.currency, flag = excluded.flag, source = excluded.source, at = excluded.at
			WHERE was.state = 'rolled_back' RETURNING id`,
		r.ID, st.code.batchID, st.code.pos, r.OrderKey, st.coupon.ID, r.AssignmentID, r.JourneyID, r.ContactID, r.Total, r.Discount,
		r.Currency, r.Flag, r.Source, r.At).QueryRow(func(row pgx.Row) error { return row.Scan(&r.ID) })
	if r.ContactID != "" {
		batch.Queue(`INSERT INTO coupon_contact_use (coupon_id, contact_id, uses) VALUES ($1, $2, 1)
			ON CONFLICT (coupon_id, contact_id) DO UPDATE SET uses = coupon_contact_use.uses + 1`, st.coupon.ID, r.ContactID)
	}
	if st.holder != nil {
		batch.Queue(`UPDATE assignment SET state = 'redeemed', exposed_at = coalesce(exposed_at, now()), exposures = exposures + 1
			WHERE id = $1 AND returned_at IS NULL`,
			st.holder.ID)
	}
	batch.Queue(`DELETE FROM hold WHERE batch_id = $1 AND pos = $2 AND (reference = $3 OR until <= now())`,
		st.code.batchID, st.code.pos, use.Reference)
	if err := st.count(ctx, tx, batch, 1, r.Discount); err != nil {
		return Redemption{}, fmt.Errorf("writing a redemption: %w", err)
	}
	return r, nil
}

// count runs the batch and adds to the coupon's uses. Those of one with caps are one
// row, which is locked and known: it tells once that a cap is reached. Else each
// connection has a row that it shares with few others, locked no longer than the
// commit takes.
func (st *standing) count(ctx context.Context, tx *Tx, batch *pgx.Batch, uses int64, spent decimal.Decimal) error {
	limits := capsOf(st.coupon.Doc)
	if !limits.any() {
		tx.AtEnd("counting a coupon's uses", `INSERT INTO coupon_use_part AS u (coupon_id, part, uses, spent) VALUES ($1, pg_backend_pid() % 32, $2, $3)
			ON CONFLICT (coupon_id, part) DO UPDATE SET uses = u.uses + excluded.uses, spent = u.spent + excluded.spent`,
			st.coupon.ID, uses, spent)
		return tx.SendBatch(ctx, batch).Close()
	}
	st.uses, st.spent = st.uses+uses, st.spent.Add(spent)
	reached := limits.reached(st.uses, st.spent)
	batch.Queue(`UPDATE coupon_use SET uses = uses + $2, spent = spent + $3, limit_reached_at = CASE WHEN $4 THEN coalesce(limit_reached_at, now()) END
		WHERE coupon_id = $1`, st.coupon.ID, uses, spent, reached)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	if !reached || st.limitTold {
		return nil
	}
	st.limitTold = true
	e := event.Event{Type: event.LimitReached, Fields: map[string]any{
		"coupon": st.coupon.Name, "uses": st.uses, "spent": st.spent.InexactFloat64(),
	}}
	return RaiseEvent(ctx, tx, e, fmt.Sprintf("%s:%d:%s", event.LimitReached, st.coupon.ID, NewID("lr")))
}
