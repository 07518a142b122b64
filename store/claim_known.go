package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// refuseOver answers claims of a coupon that is switched off or past its last
// day, and returns the others.
func (t *claimTx) refuseOver(requests []*claimRequest) []*claimRequest {
	open := requests[:0:0]
	for _, r := range requests {
		expires := r.expiry(t.coupon.Doc, t.now)
		if t.coupon.State != CouponActive || !expires.IsZero() && !expires.After(t.now) {
			r.result = ClaimResult{Status: ClaimInactive}
			continue
		}
		open = append(open, r)
	}
	return open
}

// refuseEnded answers claims of journeys that have ended, which a late attempt of
// an activity may still ask for, and returns the others. Their journeys can't end
// until this transaction has: an end that doesn't see the new code would leave it
// with nobody. A journey whose row somebody else holds may be ending; it is not
// waited for here, since its end may wait for the coupon.
func (t *claimTx) refuseEnded(ctx context.Context, requests []*claimRequest) ([]*claimRequest, error) {
	var journeys []string
	for _, r := range requests {
		if r.JourneyID != "" {
			journeys = append(journeys, r.JourneyID)
		}
	}
	if len(journeys) == 0 {
		return requests, nil
	}
	if err := t.busy(ctx, journeys); err != nil {
		return nil, err
	}
	ended := t.over
	return slices.DeleteFunc(requests, func(r *claimRequest) bool {
		if ended[r.JourneyID] {
			r.result = ClaimResult{Status: ClaimOver}
		}
		return ended[r.JourneyID]
	}), nil
}

// keepOpen locks the journeys that are open and says which have ended.
const keepOpen = `SELECT id, state = 'ended' FROM journey WHERE id = ANY ($1) FOR SHARE SKIP LOCKED`

func scanOver(rows pgx.Rows) (map[string]bool, error) {
	over := map[string]bool{}
	var id string
	var ended bool
	_, err := pgx.ForEachRow(rows, []any{&id, &ended}, func() error { over[id] = ended; return nil })
	return over, err
}

// busy gives a *journeysBusy where some of the journeys could not be kept open, as
// others hold them, and ErrNotFound where one doesn't exist.
func (t *claimTx) busy(ctx context.Context, journeys []string) error {
	missing := slices.DeleteFunc(journeys, func(id string) bool { _, kept := t.over[id]; return kept })
	if len(missing) == 0 {
		return nil
	}
	rows, err := t.tx.Query(ctx, `SELECT id FROM journey WHERE id = ANY ($1)`, missing)
	if err != nil {
		return fmt.Errorf("looking for locked journeys: %w", err)
	}
	busy, err := collect[string](rows)
	if err != nil {
		return fmt.Errorf("looking for locked journeys: %w", err)
	}
	for _, id := range missing {
		if !slices.Contains(busy, id) {
			return fmt.Errorf("keeping journey %s open: %w", id, ErrNotFound)
		}
	}
	return &journeysBusy{busy}
}

// journeysBusy: somebody else holds these journeys, perhaps to end them.
type journeysBusy struct{ ids []string }

func (b *journeysBusy) Error() string { return "a journey is being changed" }

// wait returns when they have been let go. Nothing is held meanwhile, so that
// nobody waits in a circle.
func (b *journeysBusy) wait(ctx context.Context, q Querier) error {
	for _, id := range b.ids {
		if _, err := q.Exec(ctx, `SELECT 1 FROM journey WHERE id = $1 FOR SHARE`, id); err != nil {
			return fmt.Errorf("waiting for a journey: %w", err)
		}
	}
	return nil
}

// known answers the requests whose keys have codes already and returns the
// others, one a key; those that repeat a key in the group get its answer, too.
func (t *claimTx) known(ctx context.Context, group []*claimRequest) ([]*claimRequest, error) {
	keys := make([]string, 0, 2*len(group))
	for _, r := range group {
		r.key = r.Key
		r.ofContact = t.coupon.Doc.OnePer == "contact" && r.ContactID != ""
		if r.ofContact {
			r.key = contactKeyPrefix + r.ContactID + "/" + t.coupon.Name
			keys = append(keys, r.Key)
		}
		keys = append(keys, r.key)
	}
	had := t.had
	t.had = nil
	if had == nil || t.coupon.Doc.OnePer == "contact" {
		var err error
		if had, err = assignmentsByKey(ctx, t.tx, keys); err != nil {
			return nil, err
		}
	}
	fresh := make([]*claimRequest, 0, len(group))
	for _, r := range group {
		if a, ok := had[r.Key]; ok && r.Key != r.key {
			// The journey was given a fallback before; that is what it has.
			r.result = ClaimResult{Status: ClaimAssigned, Assignment: a}
			continue
		}
		a, ok := had[r.key]
		if !ok {
			fresh = append(fresh, r)
			continue
		}
		if err := t.repeat(ctx, r, a); err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

// alias notes codes of the contact that were given as a fallback under the keys
// they were asked for, so that asking again finds them also after a refill.
func (t *claimTx) alias(ctx context.Context, group []*claimRequest) error {
	for _, r := range group {
		if !r.fallback || !r.ofContact || r.result.Status != ClaimAssigned {
			continue
		}
		_, err := t.tx.Exec(ctx, `INSERT INTO claim_alias (claim_key, assignment_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
			r.Key, r.result.Assignment.ID)
		if err != nil {
			return fmt.Errorf("noting a fallback: %w", err)
		}
	}
	return nil
}

// repeat answers a claim whose key has a code. A contact's code is shared with
// the journey that asks while it can be used.
func (t *claimTx) repeat(ctx context.Context, r *claimRequest, a Assignment) error {
	r.result = ClaimResult{Status: ClaimAssigned, Assignment: a}
	if !r.ofContact || a.JourneyID == r.JourneyID && r.JourneyID != "" {
		return nil
	}
	if !a.usable(t.now) {
		r.result.Status = ClaimAlreadyHad
		return nil
	}
	return t.share(ctx, r, a.ID)
}

func (t *claimTx) share(ctx context.Context, r *claimRequest, assignmentID int64) error {
	if r.JourneyID == "" {
		return nil
	}
	_, err := t.tx.Exec(ctx, `INSERT INTO assignment_share (assignment_id, journey_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		assignmentID, r.JourneyID)
	if err != nil {
		return fmt.Errorf("sharing the contact's code: %w", err)
	}
	return nil
}
