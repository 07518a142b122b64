package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// codeRow is one code string with what its batch says of it.
type codeRow struct {
	batchID, pos int64
	realm, code  string
	state        string // ready, issuing, withdrawn, used
	couponID     int64
	pool         string
	set, kind    string
	importID     string
	validUntil   time.Time
	source       string // of the coupon, and its sha256
	sum          []byte
}

// findCode looks a string up among the codes of a realm and those of no realm.
// A realm that isn't a shop's ("" or our own) looks everywhere. Unknown strings
// and those of other shops are ErrNotFound alike.
func findCode(ctx context.Context, q Querier, realm, code, lock string) (*codeRow, error) {
	return findCodeAmong(ctx, q, allCodes, realm, code, lock)
}

// JourneyCodes lists what a journey holds, the newest claim last: its own codes
// and those of its contact that it was given.
func (s *Store) JourneyCodes(ctx context.Context, q Querier, journeyID string) ([]Assignment, error) {
	return queryAssignments(ctx, q, ofJourney, journeyID)
}

const ofJourney = `LEFT JOIN assignment_share sh ON sh.assignment_id = a.id AND sh.journey_id = $1
	WHERE a.returned_at IS NULL AND a.id IN (SELECT id FROM assignment WHERE journey_id = $1
		UNION ALL SELECT assignment_id FROM assignment_share WHERE journey_id = $1)
	ORDER BY coalesce(sh.created_at, a.created_at), a.id`

// ErrUnusable says that a code went back, was withdrawn or has expired.
var ErrUnusable = errors.New("the code can no longer be used")

// Expose records that somebody may see the code from now on: it does not go back
// to the pool. Do it in the transaction that lets it out. Only EndCall takes it
// back. The error is ErrUnusable where it must not go out any more.
func (s *Store) Expose(ctx context.Context, q Querier, assignmentID int64) error {
	batch := &pgx.Batch{}
	queueExpose(batch, assignmentID)
	return q.SendBatch(ctx, batch).Close()
}

func queueExpose(batch *pgx.Batch, assignmentID int64) {
	batch.Queue(`UPDATE assignment SET exposed_at = coalesce(exposed_at, now()),
			exposures = exposures + CASE WHEN exposures = 0 AND exposed_at IS NOT NULL THEN 2 ELSE 1 END,
			state = CASE state WHEN 'held' THEN 'exposed' ELSE state END
		WHERE id = $1 AND state IN ('held', 'exposed', 'applied', 'redeemed')`, assignmentID).Exec(func(done pgconn.CommandTag) error {
		if done.RowsAffected() == 0 {
			return fmt.Errorf("exposing a code: %w", ErrUnusable)
		}
		return nil
	})
}

// MarkIssued records that the shop has the code; externalID is the shop's id of
// the discount that it is under.
func (s *Store) MarkIssued(ctx context.Context, q Querier, assignmentID int64, externalID string) error {
	_, err := q.Exec(ctx, `UPDATE code c SET state = CASE c.state WHEN 'issuing' THEN 'ready' ELSE c.state END, external_id = $2
		FROM assignment a WHERE a.id = $1 AND c.batch_id = a.batch_id AND c.pos = a.pos`, assignmentID, externalID)
	if err != nil {
		return fmt.Errorf("recording that a code was issued: %w", err)
	}
	return nil
}

// Holder is who holds a code.
type Holder struct {
	AssignmentID int64
	JourneyIDs   []string // the claiming journey first
	ContactID    string   // "" unknown
	Coupon       string
	State        string // AssignmentHeld …
}

// CodeHolders says whose code a string is: its one holder, whoever uses it, or,
// for a shared code, what contactID holds of it. It is empty for foreign codes.
func (s *Store) CodeHolders(ctx context.Context, q Querier, realm, code, contactID string) ([]Holder, error) {
	c, err := findCode(ctx, q, realm, code, "")
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return queryHolders(ctx, q, holdersOf, c.batchID, c.pos, contactID)
}

// AssignmentHolders says whose code one assignment is, whoever else holds the
// same shared code.
func (s *Store) AssignmentHolders(ctx context.Context, q Querier, assignmentID int64) ([]Holder, error) {
	return queryHolders(ctx, q, `a.id = $1 AND a.returned_at IS NULL`, assignmentID)
}

func queryHolders(ctx context.Context, q Querier, where string, args ...any) ([]Holder, error) {
	rows, err := q.Query(ctx, `SELECT a.id, coalesce(a.journey_id, ''), coalesce(ct.merged_into, ct.id, ''), cp.name, a.state,
			ARRAY(SELECT s.journey_id FROM assignment_share s WHERE s.assignment_id = a.id ORDER BY s.created_at)
		FROM assignment a JOIN coupon cp ON cp.id = a.coupon_id LEFT JOIN contact ct ON ct.id = a.contact_id WHERE `+where+` ORDER BY a.id`, args...)
	if err != nil {
		return nil, fmt.Errorf("looking up a code's holders: %w", err)
	}
	defer rows.Close()
	var holders []Holder
	for rows.Next() {
		var h Holder
		var journey string
		var shares []string
		if err := rows.Scan(&h.AssignmentID, &journey, &h.ContactID, &h.Coupon, &h.State, &shares); err != nil {
			return nil, fmt.Errorf("looking up a code's holders: %w", err)
		}
		if journey != "" {
			h.JourneyIDs = append(h.JourneyIDs, journey)
		}
		h.JourneyIDs = append(h.JourneyIDs, shares...)
		holders = append(holders, h)
	}
	return holders, rows.Err()
}

// livingAt finds the assignments of the code at ($1, $2) that were not returned.
// Both kinds are named, because each has an index of its own: without that, every
// assignment there is would be looked at.
const livingAt = `a.batch_id = $1 AND a.pos = $2 AND a.returned_at IS NULL AND (a.single_use OR NOT a.single_use)`

// everAt finds all assignments of the code at ($1, $2), by the same indexes.
const everAt = `a.batch_id = $1 AND a.pos = $2 AND (a.single_use AND a.returned_at IS NULL OR NOT a.single_use OR a.returned_at IS NOT NULL)`

// holdersOf finds the assignments of the code at ($1, $2): its one holder's, or,
// of a shared code, those of the contact $3, by whatever id it was known. It names
// both kinds as livingAt does.
const holdersOf = `a.batch_id = $1 AND a.pos = $2 AND a.returned_at IS NULL AND (a.single_use
	OR NOT a.single_use AND a.contact_id IN (SELECT id FROM contact WHERE id = $3 OR merged_into = $3))`

// CodeApplied records that a code was put into a cart. It returns the assignments
// for which this is news.
func (s *Store) CodeApplied(ctx context.Context, q Querier, realm, code, contactID string, at time.Time) ([]Assignment, error) {
	c, err := findCode(ctx, q, realm, code, "")
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := q.Query(ctx, `UPDATE assignment a SET state = 'applied', applied_at = coalesce(applied_at, $4), exposures = exposures + 1
		WHERE `+holdersOf+` AND a.state IN ('held', 'exposed') RETURNING a.id`, c.batchID, c.pos, contactID, at)
	if err != nil {
		return nil, fmt.Errorf("recording an applied code: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return queryAssignments(ctx, q, `WHERE a.id = ANY ($1) ORDER BY a.id`, ids)
}
