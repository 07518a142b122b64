package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
)

// waitTerms is what a waiter's claim needs besides the columns of its row.
type waitTerms struct {
	ValidFor     time.Duration  `json:"valid_for,omitempty"`
	ValidForDays bool           `json:"valid_for_days,omitempty"`
	Clock        campaign.Clock `json:"clock,omitzero"`
	Zone         string         `json:"zone,omitempty"`
}

func termsOf(c Claim) waitTerms {
	t := waitTerms{ValidFor: c.ValidFor, ValidForDays: c.ValidForDays, Clock: c.Clock}
	if c.Zone != nil {
		t.Zone = c.Zone.String()
	}
	return t
}

// turnAway decides about claims for which nothing is left, under the coupon's
// lock, so that no refill comes in between: stand in line, or none.
func (t *claimTx) turnAway(ctx context.Context, left []*claimRequest) error {
	if len(left) == 0 {
		return nil
	}
	deadlines, err := t.deadlines(ctx, left)
	if err != nil {
		return err
	}
	for _, r := range left {
		deadline, inLine := deadlines[waiterKey{r.key, r.JourneyID}]
		switch {
		case inLine && deadline.After(t.now):
			r.result = ClaimResult{Status: ClaimWaiting, WaitUntil: deadline}
		case inLine:
			r.result = ClaimResult{Status: ClaimEmpty}
			err = t.leaveLine(ctx, r)
		case t.waits(r):
			err = t.standInLine(ctx, r)
			deadlines[waiterKey{r.key, r.JourneyID}] = r.result.WaitUntil
		default:
			r.result = ClaimResult{Status: ClaimEmpty}
		}
		if err != nil {
			return err
		}
	}
	return t.countWaiters(ctx)
}

// waits says whether a claim may stand in line. The uses of a shared code come
// back through nobody's refill, so nobody waits for them.
func (t *claimTx) waits(r *claimRequest) bool {
	return t.coupon.Doc.OnEmpty.Wait > 0 && t.coupon.Pool != campaign.PoolShared && r.Waitable && r.JourneyID != "" && r.ContactID != ""
}

type waiterKey struct{ key, journeyID string }

func (t *claimTx) deadlines(ctx context.Context, left []*claimRequest) (map[waiterKey]time.Time, error) {
	keys := make([]string, len(left))
	for i, r := range left {
		keys[i] = r.key
	}
	rows, err := t.tx.Query(ctx, `SELECT claim_key, journey_id, until FROM supply_waiter WHERE coupon_id = $1 AND claim_key = ANY ($2)`,
		t.coupon.ID, keys)
	if err != nil {
		return nil, fmt.Errorf("reading the line: %w", err)
	}
	found := map[waiterKey]time.Time{}
	var k waiterKey
	var until time.Time
	if _, err := pgx.ForEachRow(rows, []any{&k.key, &k.journeyID, &until}, func() error { found[k] = until.UTC(); return nil }); err != nil {
		return nil, fmt.Errorf("reading the line: %w", err)
	}
	return found, nil
}

func (t *claimTx) standInLine(ctx context.Context, r *claimRequest) error {
	until := t.now.Add(r.Clock.Shorten(t.coupon.Doc.OnEmpty.Wait)).Truncate(time.Microsecond)
	_, err := t.tx.Exec(ctx, `INSERT INTO supply_waiter (claim_key, coupon_id, child_set, journey_id, contact_id, until, terms)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, r.key, t.coupon.ID, t.set, r.JourneyID, r.ContactID, until, termsOf(r.Claim))
	if err != nil {
		return fmt.Errorf("standing in line: %w", err)
	}
	r.result = ClaimResult{Status: ClaimWaiting, WaitUntil: until}
	return nil
}

func (t *claimTx) leaveLine(ctx context.Context, r *claimRequest) error {
	_, err := t.tx.Exec(ctx, `DELETE FROM supply_waiter WHERE coupon_id = $1 AND claim_key = $2 AND journey_id = $3`, t.coupon.ID, r.key, r.JourneyID)
	if err != nil {
		return fmt.Errorf("leaving the line: %w", err)
	}
	return nil
}

func (t *claimTx) countWaiters(ctx context.Context) error {
	err := t.tx.QueryRow(ctx, `UPDATE coupon SET waiters = (SELECT count(*) FROM supply_waiter w WHERE w.coupon_id = coupon.id)
		WHERE id = $1 RETURNING waiters`, t.coupon.ID).Scan(&t.coupon.waiters)
	if err != nil {
		return fmt.Errorf("counting the line: %w", err)
	}
	return nil
}

// waitersServed bounds how many a transaction serves.
const waitersServed = 500

// serveWaiters gives codes to those in line for the set, first come, first
// served, and tells their journeys. free is false while somebody is left who
// stands before a newcomer. The coupon's lock must be held.
func (t *claimTx) serveWaiters(ctx context.Context) (free bool, err error) {
	line, err := t.line(ctx)
	if err != nil || len(line) == 0 {
		return err == nil, err
	}
	short := map[string]bool{} // sets that have run out: who wants another set still goes on
	var served []*claimRequest
	for i := 0; i < len(line); {
		end := i + 1
		for end < len(line) && line[end].Set == line[i].Set {
			end++
		}
		if run := line[i:end]; !short[run[0].Set] {
			left, err := t.serveRun(ctx, run)
			if err != nil {
				return false, err
			}
			short[run[0].Set] = len(left) > 0
			for _, r := range run {
				if r.result.Status != "" {
					served = append(served, r)
				}
			}
		}
		i = end
	}
	for _, r := range served {
		if err := t.leaveLine(ctx, r); err != nil {
			return false, err
		}
		if err := t.store.EnqueueSignal(ctx, t.tx, r.JourneyID, "resume", nil); err != nil {
			return false, err
		}
	}
	if len(served) > 0 {
		if err := t.countWaiters(ctx); err != nil {
			return false, err
		}
	}
	return len(served) == len(line) && len(line) < waitersServed, nil
}

// serveRun serves waiters of one set; left are those who go without.
func (t *claimTx) serveRun(ctx context.Context, run []*claimRequest) (left []*claimRequest, err error) {
	of := *t
	of.set = run[0].Set
	fresh, err := of.known(ctx, run)
	if err == nil {
		left, err = of.give(ctx, fresh)
	}
	t.coupon = of.coupon
	return left, err
}

// line reads the head of the line. A claim for any set stands in everybody's.
func (t *claimTx) line(ctx context.Context) ([]*claimRequest, error) {
	rows, err := t.tx.Query(ctx, `SELECT claim_key, child_set, journey_id, contact_id, terms FROM supply_waiter
		WHERE coupon_id = $1 AND ($2 = '' OR child_set IN ('', $2)) ORDER BY seq LIMIT $3`, t.coupon.ID, t.set, waitersServed)
	if err != nil {
		return nil, fmt.Errorf("reading the line: %w", err)
	}
	defer rows.Close()
	var line []*claimRequest
	for rows.Next() {
		r := &claimRequest{}
		var terms waitTerms
		if err := rows.Scan(&r.Key, &r.Set, &r.JourneyID, &r.ContactID, &terms); err != nil {
			return nil, fmt.Errorf("reading the line: %w", err)
		}
		r.ValidFor, r.ValidForDays, r.Clock = terms.ValidFor, terms.ValidForDays, terms.Clock
		if zone, err := campaign.Location(terms.Zone); err == nil {
			r.Zone = zone
		}
		line = append(line, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the line: %w", err)
	}
	return line, nil
}
