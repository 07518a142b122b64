package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/event"
)

// RollBackRequest says which uses did not happen after all.
type RollBackRequest struct {
	Realm    string
	OrderKey string
	Code     string // "" means every code of the order
	At       time.Time
}

// RollBack takes redemptions back: the order was cancelled or refunded. Uses and
// budgets are free again, and the code can be used again by its holder until it
// expires. It returns what it took back: nothing, when asked again. Run it in a
// transaction.
func (s *Store) RollBack(ctx context.Context, q Querier, request RollBackRequest) ([]Redemption, error) {
	if request.At.IsZero() {
		request.At = time.Now()
	}
	var undone []Redemption
	err := s.inTx(ctx, q, func(tx *Tx) (err error) {
		undone, err = s.rollBack(ctx, tx, request)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("rolling a redemption back: %w", err)
	}
	return undone, nil
}

// Unredeem is RollBack for a shop that asks Scrip itself: code.rolled_back is
// raised for each use that was taken back, in the same transaction.
func (s *Store) Unredeem(ctx context.Context, request RollBackRequest) (undone []Redemption, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if undone, err = s.RollBack(ctx, tx, request); err != nil {
			return err
		}
		for _, r := range undone {
			if err := RaiseRolledBack(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	return undone, err
}

// RaiseRolledBack tells of a use that was taken back, in the transaction that
// took it back.
func RaiseRolledBack(ctx context.Context, q Querier, r Redemption) error {
	e := r.event(event.CodeRolledBack, r.RolledBackAt)
	if r.ContactID != "" {
		e.Person.Identities = []event.Identity{ContactIdentity(r.ContactID)}
	}
	return RaiseEvent(ctx, q, e, fmt.Sprintf("%s:%s:%d", e.Type, r.ID, e.OccurredAt.UnixMicro()))
}

func (s *Store) rollBack(ctx context.Context, tx *Tx, request RollBackRequest) ([]Redemption, error) {
	anywhere := request.Realm == "" || request.Realm == ConnectionAPI || request.Realm == ConnectionScrip
	rows, err := tx.Query(ctx, `SELECT c.code, c.realm FROM redemption r JOIN code c ON c.batch_id = r.batch_id AND c.pos = r.pos
		WHERE r.order_key = $1 AND r.state = 'redeemed' AND (c.realm = $2 OR c.realm = '' OR $3) AND ($4 = '' OR c.code_norm = $4)
		ORDER BY r.batch_id, r.pos`, request.OrderKey, request.Realm, anywhere, event.NormaliseCode(request.Code))
	if err != nil {
		return nil, err
	}
	type used struct{ Code, Realm string }
	codes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[used])
	if err != nil {
		return nil, err
	}
	var undone []Redemption
	for _, code := range codes {
		st, err := s.standing(ctx, tx, allCodes, Use{Code: code.Code, Realm: code.Realm, OrderKey: request.OrderKey}.normalised(), true)
		if err != nil {
			return nil, err
		}
		if st.order == nil {
			return nil, ErrNotFound
		}
		r := *st.order
		if r.State != "redeemed" {
			continue
		}
		if err := st.undo(ctx, tx, r, request.At); err != nil {
			return nil, err
		}
		r.State, r.RolledBackAt = "rolled_back", request.At
		undone = append(undone, r)
	}
	return undone, nil
}

func (st *standing) undo(ctx context.Context, tx *Tx, r Redemption, at time.Time) error {
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE redemption SET state = 'rolled_back', rolled_back_at = $2 WHERE id = $1`, r.ID, at)
	if r.ContactID != "" {
		batch.Queue(`UPDATE coupon_contact_use SET uses = uses - 1 WHERE coupon_id = $1 AND contact_id = $2 AND uses > 0`,
			st.coupon.ID, r.ContactID)
	}
	batch.Queue(`UPDATE assignment SET state = CASE WHEN expiry_raised_at IS NOT NULL THEN 'expired'
				WHEN applied_at IS NOT NULL THEN 'applied' ELSE 'exposed' END
		WHERE id = nullif($1, 0) AND state = 'redeemed'
			AND NOT EXISTS (SELECT 1 FROM redemption WHERE assignment_id = $1 AND state = 'redeemed')`, r.AssignmentID)
	return st.count(ctx, tx, batch, -1, r.Discount.Neg())
}
