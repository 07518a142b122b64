package store

import (
	"context"
)

// conceal takes one exposure of a code back, in one transaction with what shows
// that nobody saw it; nothing is taken back where that returns false. A code that
// nobody has seen then is as before the attempt: it stays with its journey, and
// goes back to the pool where the journey has ended meanwhile.
//
// The locks are those of a journey's end, in the same order: the journey, the
// coupon, the assignment.
func (s *Store) conceal(ctx context.Context, assignmentID int64, unseen func(*Tx) (bool, error)) error {
	return s.InTx(ctx, func(tx *Tx) error {
		var couponID int64
		var journeyID string
		err := tx.QueryRow(ctx, `SELECT coupon_id, coalesce(journey_id, '') FROM assignment WHERE id = $1`, assignmentID).Scan(&couponID, &journeyID)
		if err != nil {
			return err
		}
		var ended bool
		err = tx.QueryRow(ctx, `SELECT coalesce((SELECT state = 'ended' FROM journey WHERE id = $1 FOR SHARE), false)`, journeyID).Scan(&ended)
		if err != nil {
			return err
		}
		if _, err := lockCoupon(ctx, tx, couponID); err != nil {
			return err
		}
		if certain, err := unseen(tx); err != nil || !certain {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE assignment SET exposures = exposures - 1,
				state = CASE WHEN state = 'exposed' AND exposures = 1 THEN 'held' ELSE state END,
				exposed_at = CASE WHEN state = 'exposed' AND exposures = 1 THEN NULL ELSE exposed_at END
			WHERE id = $1 AND exposures > 0`, assignmentID)
		if err != nil || !ended {
			return err
		}
		// What a shop has of it, upkeep deactivates there.
		_, err = s.ReturnCodes(ctx, tx, journeyID)
		return err
	})
}
