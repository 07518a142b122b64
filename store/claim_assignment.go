package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
)

// States of an assignment.
const (
	AssignmentHeld      = "held"      // claimed; nobody has seen it
	AssignmentExposed   = "exposed"   // somebody may have seen it: it never goes back
	AssignmentApplied   = "applied"   // put into a cart
	AssignmentRedeemed  = "redeemed"  // bought with
	AssignmentExpired   = "expired"   // its end was told of
	AssignmentReturned  = "returned"  // went back to the pool unseen
	AssignmentWithdrawn = "withdrawn" // taken back by a person or a step
)

// Assignment is who holds which code.
type Assignment struct {
	ID        int64
	Coupon    string
	Set       string // child set; "" none
	Code      string
	State     string    // AssignmentHeld …
	JourneyID string    // "" outside campaigns
	ContactID string    // "" unknown
	ExpiresAt time.Time // real; zero: no end
	ExposedAt time.Time // real; zero: nobody has seen it
	Issuing   bool      // the shop does not have the code yet
	SingleUse bool      // false for a shared code
}

// usable says whether the code may still be shown and used.
func (a Assignment) usable(now time.Time) bool {
	switch a.State {
	case AssignmentHeld, AssignmentExposed, AssignmentApplied:
		return a.ExpiresAt.IsZero() || a.ExpiresAt.After(now)
	}
	return false
}

const assignmentColumns = `a.id, cp.name, a.child_set, c.code, a.state, coalesce(a.journey_id, ''), coalesce(a.contact_id, ''),
	a.expires_at, a.exposed_at, c.state = 'issuing', a.single_use`

const assignmentTables = ` assignment a JOIN coupon cp ON cp.id = a.coupon_id JOIN code c ON c.batch_id = a.batch_id AND c.pos = a.pos`

func (a *Assignment) scan(row pgx.Row, more ...any) error {
	var expires, exposed *time.Time
	targets := []any{&a.ID, &a.Coupon, &a.Set, &a.Code, &a.State, &a.JourneyID, &a.ContactID, &expires, &exposed, &a.Issuing, &a.SingleUse}
	if err := row.Scan(append(targets, more...)...); err != nil {
		return err
	}
	a.ExpiresAt, a.ExposedAt = orZero(expires), orZero(exposed)
	return nil
}

// orZero reads a nullable time; null is the zero time.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// orNull writes the zero time as null.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// byKey gives what keys have already. Materialised, so that nothing but the index of
// the keys is looked into.
const byKey = `WITH a AS MATERIALIZED (
		SELECT claim_key AS asked, * FROM assignment WHERE claim_key = ANY ($1)
		UNION ALL SELECT al.claim_key, o.* FROM claim_alias al JOIN assignment o ON o.id = al.assignment_id WHERE al.claim_key = ANY ($1))
	SELECT ` + assignmentColumns + `, a.asked
	FROM a JOIN coupon cp ON cp.id = a.coupon_id JOIN code c ON c.batch_id = a.batch_id AND c.pos = a.pos`

func assignmentsByKey(ctx context.Context, q Querier, keys []string) (map[string]Assignment, error) {
	rows, err := q.Query(ctx, byKey, keys)
	if err != nil {
		return nil, fmt.Errorf("looking up claims: %w", err)
	}
	found, err := scanByKey(rows)
	if err != nil {
		return nil, fmt.Errorf("looking up claims: %w", err)
	}
	return found, nil
}

func scanByKey(rows pgx.Rows) (map[string]Assignment, error) {
	defer rows.Close()
	found := map[string]Assignment{}
	for rows.Next() {
		var a Assignment
		var key string
		if err := a.scan(rows, &key); err != nil {
			return nil, err
		}
		found[key] = a
	}
	return found, rows.Err()
}

// queryAssignments lists assignments in the order of sql, which begins at WHERE.
func queryAssignments(ctx context.Context, q Querier, sql string, args ...any) ([]Assignment, error) {
	rows, err := q.Query(ctx, selectAssignments+sql, args...)
	if err != nil {
		return nil, fmt.Errorf("loading assignments: %w", err)
	}
	return scanAssignments(rows)
}

const selectAssignments = `SELECT ` + assignmentColumns + ` FROM` + assignmentTables + ` `

func scanAssignments(rows pgx.Rows) ([]Assignment, error) {
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Assignment, err error) { return a, a.scan(row) })
	if err != nil {
		return nil, fmt.Errorf("loading assignments: %w", err)
	}
	return found, nil
}

// newAssignments are rows to be written, column by column.
type newAssignments struct {
	keys, sets, journeys, contacts []string
	batches, positions             []int64
	expires                        []*time.Time
}

func (n *newAssignments) add(r *claimRequest, c suppliedCode, expires time.Time) {
	n.keys = append(n.keys, r.key)
	n.sets = append(n.sets, c.set)
	n.journeys = append(n.journeys, r.JourneyID)
	n.contacts = append(n.contacts, r.ContactID)
	n.batches = append(n.batches, c.batchID)
	n.positions = append(n.positions, c.pos)
	n.expires = append(n.expires, orNull(expires))
}

// insert writes the rows whose keys are free and gives their ids by key. It waits
// for another transaction that is writing one of the keys; sorted, two such
// transactions never wait for each other.
func (n *newAssignments) insert(ctx context.Context, q Querier, couponID int64, singleUse bool) (map[string]int64, error) {
	rows, err := q.Query(ctx, `INSERT INTO assignment (claim_key, coupon_id, single_use, child_set, journey_id, contact_id, batch_id, pos, expires_at)
		SELECT key, $1, $2, child_set, nullif(journey, ''), nullif(contact, ''), batch, pos, expires
		FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::timestamptz[])
			AS new (key, child_set, journey, contact, batch, pos, expires)
		ORDER BY key ON CONFLICT (claim_key) DO NOTHING RETURNING id, claim_key`,
		couponID, singleUse, n.keys, n.sets, n.journeys, n.contacts, n.batches, n.positions, n.expires)
	if err != nil {
		return nil, fmt.Errorf("writing assignments: %w", err)
	}
	defer rows.Close()
	ids := make(map[string]int64, len(n.keys))
	for rows.Next() {
		var id int64
		var key string
		if err := rows.Scan(&id, &key); err != nil {
			return nil, fmt.Errorf("writing assignments: %w", err)
		}
		ids[key] = id
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("writing assignments: %w", err)
	}
	return ids, nil
}

// assign writes who holds which code. The keys are unique: if another process
// holds one by now, the whole group begins again and reads it.
func (t *claimTx) assign(ctx context.Context, requests []*claimRequest, codes []suppliedCode) error {
	if len(requests) == 0 {
		return nil
	}
	var rows newAssignments
	byKey := make(map[string]int, len(requests))
	for i, r := range requests {
		expires := r.expiry(t.coupon.Doc, t.now)
		if end := codes[i].validUntil; !end.IsZero() && (expires.IsZero() || end.Before(expires)) {
			expires = end
		}
		rows.add(r, codes[i], expires)
		byKey[r.key] = i
		r.result = ClaimResult{Status: ClaimAssigned, Assignment: Assignment{
			Coupon: t.coupon.Name, Set: codes[i].set, Code: codes[i].code, State: AssignmentHeld,
			JourneyID: r.JourneyID, ContactID: r.ContactID, ExpiresAt: expires,
			Issuing: codes[i].issuing, SingleUse: t.coupon.Pool != campaign.PoolShared,
		}}
	}
	inserted, err := rows.insert(ctx, t.tx, t.coupon.ID, t.coupon.Pool != campaign.PoolShared)
	if err != nil {
		return err
	}
	for key, id := range inserted {
		requests[byKey[key]].result.Assignment.ID = id
	}
	if len(inserted) < len(requests) {
		return errKeyTaken
	}
	if t.bounded() {
		t.coupon.assigned += int64(len(requests))
		if _, err := t.tx.Exec(ctx, `UPDATE coupon SET assigned = $2 WHERE id = $1`, t.coupon.ID, t.coupon.assigned); err != nil {
			return fmt.Errorf("counting assigned codes: %w", err)
		}
	}
	return nil
}
