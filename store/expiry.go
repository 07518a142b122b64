package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
)

// expiredAtOnce bounds how many codes a transaction tells of.
const expiredAtOnce = 500

// RaiseExpired tells of codes that ended: code.expired, once each, some minutes
// after the moment, so that the webhook of an order placed in time comes first.
// It works through all that are due and returns how many those were. Several
// processes may do it at once.
func (s *Store) RaiseExpired(ctx context.Context, clock campaign.Clock) (int, error) {
	total := 0
	for {
		n := 0
		err := s.InTx(ctx, func(tx *Tx) (err error) {
			n, err = raiseExpired(ctx, tx, time.Now().Add(-clock.Shorten(campaign.ExpiryGrace)))
			return err
		})
		if err != nil {
			return total, fmt.Errorf("telling of expired codes: %w", err)
		}
		total += n
		if n < expiredAtOnce {
			return total, nil
		}
	}
}

func raiseExpired(ctx context.Context, tx *Tx, before time.Time) (int, error) {
	rows, err := tx.Query(ctx, `WITH due AS (
			SELECT id FROM assignment WHERE expiry_raised_at IS NULL AND expires_at <= $1
			ORDER BY expires_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED),
		told AS (
			UPDATE assignment a SET expiry_raised_at = now(),
				state = CASE WHEN a.state IN ('held', 'exposed', 'applied') THEN 'expired' ELSE a.state END
			FROM due WHERE a.id = due.id RETURNING a.*)
		SELECT a.id, cp.name, a.child_set, c.code, coalesce(a.journey_id, ''), coalesce(ct.merged_into, ct.id, ''), a.expires_at, a.state = 'expired'
		FROM told a JOIN coupon cp ON cp.id = a.coupon_id JOIN code c ON c.batch_id = a.batch_id AND c.pos = a.pos
		LEFT JOIN contact ct ON ct.id = a.contact_id ORDER BY a.expires_at, a.id`, before, expiredAtOnce)
	if err != nil {
		return 0, err
	}
	type ended struct {
		ID                                    int64
		Coupon, Set, Code, Journey, ContactID string
		At                                    time.Time
		Unused                                bool
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ended])
	if err != nil {
		return 0, err
	}
	for _, a := range all {
		if !a.Unused {
			continue
		}
		e := event.Event{Type: event.CodeExpired, OccurredAt: a.At.UTC(), Code: a.Code, Fields: map[string]any{
			"code": a.Code, "coupon": a.Coupon, "set": a.Set, "assignment_id": a.ID, "journey_id": a.Journey,
		}}
		if a.ContactID != "" {
			e.Person.Identities = []event.Identity{ContactIdentity(a.ContactID)}
		}
		if err := RaiseEvent(ctx, tx, e, fmt.Sprintf("%s:%d", event.CodeExpired, a.ID)); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// RaiseExpiredCoupons tells of coupons whose last day has passed: coupon.expired,
// once until a document with a later day is applied. zone is the project's.
func (s *Store) RaiseExpiredCoupons(ctx context.Context, clock campaign.Clock, zone *time.Location) (int, error) {
	rows, err := s.Pool.Query(ctx, `SELECT name FROM coupon WHERE expired_at IS NULL ORDER BY id`)
	if err != nil {
		return 0, fmt.Errorf("listing coupons: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, fmt.Errorf("listing coupons: %w", err)
	}
	told := 0
	for _, name := range names {
		coupon, err := s.Coupon(ctx, s.Pool, name)
		if err != nil {
			return told, err
		}
		offer := *coupon.Doc
		offer.ValidFor = 0
		now := time.Now().UTC()
		end := Claim{Clock: clock, Zone: zone}.expiry(&offer, now)
		if end.IsZero() || end.After(now.Add(-clock.Shorten(campaign.ExpiryGrace))) {
			continue
		}
		raised, err := s.raiseExpiredCoupon(ctx, coupon, end)
		if err != nil {
			return told, fmt.Errorf("telling that coupon %s is over: %w", name, err)
		}
		if raised {
			told++
		}
	}
	return told, nil
}

func (s *Store) raiseExpiredCoupon(ctx context.Context, coupon *CouponRow, end time.Time) (raised bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE coupon SET expired_at = now() WHERE id = $1 AND expired_at IS NULL`, coupon.ID)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		raised = true
		e := event.Event{Type: event.CouponExpired, OccurredAt: end, Fields: map[string]any{"coupon": coupon.Name}}
		return RaiseEvent(ctx, tx, e, fmt.Sprintf("%s:%d:%d", event.CouponExpired, coupon.ID, end.Unix()))
	})
	return raised, err
}
