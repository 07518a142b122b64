package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// CodeHistory is one code and all that happened to it.
type CodeHistory struct {
	Code       string
	Realm      string // the shop connection; "" any
	Coupon     string
	Set        string
	State      string    // issuing, withdrawn, used; else its holder's, or StateAvailable
	ImportID   string    // "" for a made code
	ValidUntil time.Time // of the import; zero: no end of its own

	Assignments []CodeAssignment // oldest first; of a shared code the newest hundred
	Redemptions []Redemption     // oldest first; of a shared code the newest hundred
	Holds       []CodeHold       // those that stand
}

// CodeAssignment is one holder in a code's history.
type CodeAssignment struct {
	Assignment
	ClaimedAt  time.Time
	AppliedAt  time.Time // zero: never
	ReturnedAt time.Time // zero: not returned
	SharedWith []string  // further journeys of the contact
}

// CodeHold is a code set aside at a checkout.
type CodeHold struct {
	Reference string
	Until     time.Time
}

// historyLimit bounds the lists of a shared code's history.
const historyLimit = 100

// StateAvailable is the state of a code that stands in the pool.
const StateAvailable = "available"

// Code looks a code up with its whole history. The error wraps ErrNotFound for an
// unknown code.
func (s *Store) Code(ctx context.Context, realm, code string) (*CodeHistory, error) {
	c, err := findCode(ctx, s.Pool, realm, code, "")
	if err != nil {
		return nil, err
	}
	h := &CodeHistory{Code: c.code, Realm: c.realm, Set: c.set, ImportID: c.importID, ValidUntil: c.validUntil}
	if err := s.Pool.QueryRow(ctx, `SELECT name FROM coupon WHERE id = $1`, c.couponID).Scan(&h.Coupon); err != nil {
		return nil, fmt.Errorf("loading a code's coupon: %w", err)
	}
	if h.Assignments, err = s.codeAssignments(ctx, c); err != nil {
		return nil, fmt.Errorf("loading a code's holders: %w", err)
	}
	if h.Redemptions, err = s.codeRedemptions(ctx, c); err != nil {
		return nil, fmt.Errorf("loading a code's redemptions: %w", err)
	}
	if h.Holds, err = list[CodeHold](ctx, s.Pool, "a code's holds", `SELECT reference, until FROM hold
		WHERE batch_id = $1 AND pos = $2 AND until > now() ORDER BY until LIMIT $3`, c.batchID, c.pos, historyLimit); err != nil {
		return nil, err
	}
	h.State = h.state(c)
	return h, nil
}

// state is the code's in one word: its own where that ends its use, else its
// present holder's.
func (h *CodeHistory) state(c *codeRow) string {
	if c.state != "ready" {
		return c.state
	}
	for i := len(h.Assignments) - 1; i >= 0; i-- {
		if a := h.Assignments[i]; a.SingleUse && a.State != AssignmentReturned {
			return a.State
		}
	}
	return StateAvailable
}

func (s *Store) codeAssignments(ctx context.Context, c *codeRow) ([]CodeAssignment, error) {
	rows, err := s.Pool.Query(ctx, `SELECT * FROM (SELECT `+assignmentColumns+`, a.created_at, a.applied_at, a.returned_at,
			ARRAY(SELECT s.journey_id FROM assignment_share s WHERE s.assignment_id = a.id ORDER BY s.created_at)
		FROM`+assignmentTables+` WHERE `+everAt+` ORDER BY a.id DESC LIMIT $3) newest ORDER BY 1`,
		c.batchID, c.pos, historyLimit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []CodeAssignment
	for rows.Next() {
		var a CodeAssignment
		var applied, returned *time.Time
		if err := a.scan(rows, &a.ClaimedAt, &applied, &returned, &a.SharedWith); err != nil {
			return nil, err
		}
		a.AppliedAt, a.ReturnedAt = orZero(applied), orZero(returned)
		found = append(found, a)
	}
	return found, rows.Err()
}

func (s *Store) codeRedemptions(ctx context.Context, c *codeRow) ([]Redemption, error) {
	rows, err := s.Pool.Query(ctx, redemptionSelect+`WHERE r.id IN (SELECT id FROM redemption WHERE batch_id = $1 AND pos = $2
		ORDER BY at DESC LIMIT $3) ORDER BY r.at, r.id`, c.batchID, c.pos, historyLimit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Redemption, error) { return scanRedemption(row) })
}
