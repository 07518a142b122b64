package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
)

const shopCodeSelect = `SELECT a.id, cp.name, cp.realm, c.external_id, c.code
	FROM assignment a JOIN coupon cp ON cp.id = a.coupon_id JOIN code c ON c.batch_id = a.batch_id AND c.pos = a.pos
	WHERE c.in_shop AND c.state = 'withdrawn' AND `

func queryShopCodes(ctx context.Context, q Querier, where string, args ...any) ([]ShopCode, error) {
	rows, err := q.Query(ctx, shopCodeSelect+where+` ORDER BY a.id`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[ShopCode])
}

func (s *Store) shopCodes(ctx context.Context, q Querier, journeyID string) ([]ShopCode, error) {
	return queryShopCodes(ctx, q, `a.journey_id = $1`, journeyID)
}

// UnseenShopCodes lists the withdrawn codes of a journey that its shop still has.
func (s *Store) UnseenShopCodes(ctx context.Context, journeyID string) ([]ShopCode, error) {
	codes, err := s.shopCodes(ctx, s.Pool, journeyID)
	if err != nil {
		return nil, fmt.Errorf("listing codes to deactivate: %w", err)
	}
	return codes, nil
}

// LeftInShop lists up to limit withdrawn codes that their shop still has: whoever
// was to deactivate them there didn't come to it.
func (s *Store) LeftInShop(ctx context.Context, limit int) ([]ShopCode, error) {
	rows, err := s.Pool.Query(ctx, shopCodeSelect+`true LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("listing codes left in their shop: %w", err)
	}
	codes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ShopCode])
	if err != nil {
		return nil, fmt.Errorf("listing codes left in their shop: %w", err)
	}
	return codes, nil
}

// MarkWithdrawnInShop records that the shop takes the code no more.
func (s *Store) MarkWithdrawnInShop(ctx context.Context, assignmentID int64) error {
	_, err := s.Pool.Exec(ctx, `UPDATE code c SET in_shop = false FROM assignment a
		WHERE a.id = $1 AND c.batch_id = a.batch_id AND c.pos = a.pos`, assignmentID)
	if err != nil {
		return fmt.Errorf("recording that a code was deactivated: %w", err)
	}
	return nil
}

// WithdrawJourneyCode makes a journey's codes of a coupon (name or name/set)
// unusable. What their shop has is given to the caller to deactivate, again with
// every call until that is recorded. A shared code stays good for the others.
func (s *Store) WithdrawJourneyCode(ctx context.Context, journeyID, coupon string) ([]ShopCode, error) {
	name, set := SplitCoupon(coupon)
	var shop []ShopCode
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `WITH gone AS (
				UPDATE assignment a SET state = 'withdrawn' FROM coupon cp
				WHERE a.journey_id = $1 AND cp.id = a.coupon_id AND cp.name = $2 AND ($3 = '' OR a.child_set = $3)
					AND a.state IN ('held', 'exposed', 'applied', 'expired') RETURNING a.batch_id, a.pos, a.single_use)
			UPDATE code c SET state = 'withdrawn' FROM gone WHERE gone.single_use AND c.batch_id = gone.batch_id AND c.pos = gone.pos`,
			journeyID, name, set)
		if err != nil {
			return err
		}
		shop, err = queryShopCodes(ctx, tx, `a.journey_id = $1 AND cp.name = $2`, journeyID, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("withdrawing the code of journey %s: %w", journeyID, err)
	}
	return shop, nil
}

// WithdrawCode makes one code unusable, whoever holds it. A code that nobody has
// yet is passed over when its turn comes. What a shop has is given to the caller
// to deactivate. The error wraps ErrNotFound for an unknown code.
func (s *Store) WithdrawCode(ctx context.Context, realm, code string) ([]ShopCode, error) {
	var shop []ShopCode
	err := s.InTx(ctx, func(tx *Tx) error {
		c, err := findCode(ctx, tx, realm, code, "")
		if err != nil {
			return err
		}
		if _, err := lockCoupon(ctx, tx, c.couponID); err != nil {
			return err
		}
		// The code may have moved while the lock was waited for.
		if c, err = findCode(ctx, tx, realm, code, " FOR NO KEY UPDATE"); err != nil {
			return err
		}
		if err := c.spoil(ctx, tx, "withdrawn"); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE assignment a SET state = 'withdrawn'
			WHERE `+livingAt+` AND a.state IN ('held', 'exposed', 'applied', 'expired')`, c.batchID, c.pos)
		if err != nil {
			return err
		}
		shop, err = queryShopCodes(ctx, tx, livingAt, c.batchID, c.pos)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("withdrawing a code: %w", err)
	}
	return shop, nil
}

// spoil makes a code one that is never given: withdrawn, or used. In a list, it
// is a hole from then on if it still stands in line. The coupon's lock is held.
func (c *codeRow) spoil(ctx context.Context, q Querier, state string) error {
	var old string
	err := q.QueryRow(ctx, `UPDATE code new SET state = $3 FROM code old
		WHERE new.batch_id = $1 AND new.pos = $2 AND old.batch_id = $1 AND old.pos = $2 AND old.state IN ('ready', 'issuing')
		RETURNING old.state`, c.batchID, c.pos, state).Scan(&old)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("changing a code's state: %w", err)
	}
	if c.pool != campaign.PoolList {
		return nil
	}
	_, err = q.Exec(ctx, `UPDATE batch SET holes = holes + 1 WHERE id = $1
		AND NOT EXISTS (SELECT 1 FROM assignment a WHERE `+livingAt+`)`, c.batchID, c.pos)
	if err != nil {
		return fmt.Errorf("counting a hole: %w", err)
	}
	return nil
}
