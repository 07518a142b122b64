package store

import (
	"context"
	"errors"
	"time"
)

// Hold sets a code aside for a checkout (Use.Reference) for a while: nobody else
// can use it, and a capped coupon keeps a use for it. The same reference again
// extends it. The code must be usable; a refusal is a *Refused.
func (s *Store) Hold(ctx context.Context, use Use, length time.Duration) (until time.Time, err error) {
	use = use.normalised()
	if use.Reference == "" || length <= 0 {
		return time.Time{}, errors.New("holding a code: a reference of the checkout and a positive duration are needed")
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		st, err := s.standing(ctx, tx, usableBy(use.ContactID), use, true)
		if err != nil {
			return err
		}
		if reason := st.refuse(use, false); reason != "" {
			return &Refused{reason.public()}
		}
		if _, err := tx.Exec(ctx, `DELETE FROM hold WHERE batch_id = $1 AND pos = $2 AND until <= now()`, st.code.batchID, st.code.pos); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `INSERT INTO hold (batch_id, pos, reference, until) VALUES ($1, $2, $3, now() + $4::interval)
			ON CONFLICT (batch_id, pos, reference) DO UPDATE SET until = excluded.until RETURNING until`,
			st.code.batchID, st.code.pos, use.Reference, length).Scan(&until)
	})
	return until, wrapUse("holding a code", err)
}

// ReleaseHold ends a hold before its time. A hold that is over, or never was, is
// no error; an unknown code is a *Refused, and so are one that nobody was given and,
// where only its holder may use it, one that isn't held under the reference.
func (s *Store) ReleaseHold(ctx context.Context, use Use) error {
	c, err := findCodeAmong(ctx, s.Pool, heldUnder(use.Reference), use.Realm, use.Code, "")
	if err == nil {
		_, err = s.Pool.Exec(ctx, `DELETE FROM hold WHERE batch_id = $1 AND pos = $2 AND reference = $3`, c.batchID, c.pos, use.Reference)
	}
	return wrapUse("releasing a hold", err)
}
