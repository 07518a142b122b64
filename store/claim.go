package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"scrip.dev/scrip/campaign"
)

// Claim asks for one code of a coupon. The same Key always gets the same code,
// however often and from wherever it is asked.
type Claim struct {
	Key       string // ClaimKey of a journey, or "api:<key id>/<idempotency key>"
	Coupon    string // name, or name/set
	Set       string // child set; "" draws from all of them
	JourneyID string // "" outside campaigns
	ContactID string // "" where nobody is known
	New       bool   // a further code of this journey; the Key's ordinal says which

	ValidFor     time.Duration // 0: the coupon's
	ValidForDays bool          // ValidFor was written in days: to the end of the last one
	Clock        campaign.Clock
	Zone         *time.Location // the project's, for expiry; nil is UTC

	// Waitable allows the claim to stand in line for a refill; it needs a journey
	// that can be woken.
	Waitable bool
}

// ClaimKey is the key of a journey's claim. ordinal is 0 for the journey's code
// of the coupon, and counts up for each further one (`new: true`).
func ClaimKey(journeyID, coupon string, ordinal int) string {
	return journeyID + "/" + coupon + "/" + strconv.Itoa(ordinal)
}

// ClaimStatus is what became of a claim.
type ClaimStatus string

// Statuses.
const (
	ClaimAssigned   ClaimStatus = "assigned"    // the Assignment is set
	ClaimWaiting    ClaimStatus = "waiting"     // in line; ask again when woken, or at WaitUntil
	ClaimEmpty      ClaimStatus = "empty"       // no code, and nothing to wait for
	ClaimAlreadyHad ClaimStatus = "already_had" // one_per: contact, and the contact's code is used up
	ClaimInactive   ClaimStatus = "inactive"    // the coupon is switched off or over
	ClaimOver       ClaimStatus = "over"        // the journey has ended: nobody would give the code back
)

// ClaimResult is the answer to a Claim.
type ClaimResult struct {
	Status     ClaimStatus
	Assignment Assignment // set with ClaimAssigned; the one used up with ClaimAlreadyHad
	WaitUntil  time.Time  // with ClaimWaiting: the real moment of the deadline
}

// Claims of one coupon run together in one transaction, at most this many.
const claimGroupSize = 256

// A group's transaction ends after this long; its claims may be asked again.
const claimTimeout = 20 * time.Second

// Fallback coupons may have fallbacks of their own, to this depth.
const maxFallbacks = 5

// ErrClosed says that the store is being closed.
var ErrClosed = errors.New("the store is closed")

// claimer gathers concurrent claims: while one transaction of a coupon is under
// way, those that come in wait and then go together. A commit is paid once a
// group instead of once a code, and the pool's counter is fought over by
// processes, not by requests.
type claimer struct {
	store  *Store
	mu     sync.Mutex
	lanes  map[string]*claimLane
	closed bool
	ctx    context.Context
	cancel context.CancelFunc
	busy   sync.WaitGroup
}

// claimLane is the line before one coupon and set; it exists while somebody is in
// it.
type claimLane struct {
	waiting []*claimRequest
}

type claimRequest struct {
	Claim
	key       string // the Key, or the contact's where the coupon gives one per contact
	ofContact bool   // the key is the contact's
	fallback  bool   // the Key is that of another coupon, which was empty
	result    ClaimResult
	err       error
	done      chan struct{}
}

// contactKeyPrefix begins the keys of codes that belong to a contact rather than
// to a journey.
const contactKeyPrefix = "contact:"

// expiry gives the real moment at which a code claimed at now ends; the zero time
// for no end.
func (c Claim) expiry(doc *campaign.Coupon, now time.Time) time.Time {
	terms, zone := *doc, c.Zone
	if c.ValidFor > 0 {
		terms.ValidFor, terms.ValidForDays = c.ValidFor, c.ValidForDays
	}
	if zone == nil {
		zone = time.UTC
	}
	expires, ok := campaign.ExpiryOf(terms, c.Clock.Virtual(now), zone)
	if !ok {
		return time.Time{}
	}
	return c.Clock.Real(expires).UTC().Truncate(time.Microsecond)
}

func (c *claimer) start(s *Store) {
	c.store = s
	c.lanes = map[string]*claimLane{}
	c.ctx, c.cancel = context.WithCancel(context.Background())
}

// stop refuses new claims and waits for those under way.
func (c *claimer) stop() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.busy.Wait()
	c.cancel()
}

// Claim gives a code, or says why there is none. What happens when the pool is
// empty follows from the coupon: wait in order, then its fallback, then
// ClaimEmpty. A code is claimed for good even if ctx ends before the answer: ask
// again under the same key. The error wraps ErrNotFound for an unknown coupon.
func (s *Store) Claim(ctx context.Context, claim Claim) (ClaimResult, error) {
	if claim.Set == "" {
		claim.Coupon, claim.Set = SplitCoupon(claim.Coupon)
	}
	if claim.Key == "" || claim.Coupon == "" {
		return ClaimResult{}, errors.New("claiming a code: the claim needs a key and a coupon")
	}
	for depth := range maxFallbacks {
		result, err := s.claimer.ask(ctx, claim, depth > 0)
		if err != nil {
			return ClaimResult{}, fmt.Errorf("claiming a code of %s: %w", claim.Coupon, err)
		}
		if result.Status != ClaimEmpty {
			return result, nil
		}
		coupon, err := s.Coupon(ctx, s.Pool, claim.Coupon)
		if err != nil {
			return ClaimResult{}, fmt.Errorf("claiming a code: %w", err)
		}
		if coupon.Doc.OnEmpty.Fallback == "" {
			return result, nil
		}
		// The fallback's code is kept under the first coupon's key: asked again, it
		// is found there, also when that coupon has been refilled since.
		claim.Coupon, claim.Set = SplitCoupon(coupon.Doc.OnEmpty.Fallback)
		claim.Waitable = false
	}
	return ClaimResult{Status: ClaimEmpty}, nil
}

// ask puts a claim into its lane and waits for the answer.
func (c *claimer) ask(ctx context.Context, claim Claim, fallback bool) (ClaimResult, error) {
	r := &claimRequest{Claim: claim, fallback: fallback, done: make(chan struct{})}
	lane := claim.Coupon + "/" + claim.Set
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ClaimResult{}, ErrClosed
	}
	l, running := c.lanes[lane]
	if !running {
		l = &claimLane{}
		c.lanes[lane] = l
		c.busy.Add(1)
		go c.run(lane, l)
	}
	l.waiting = append(l.waiting, r)
	c.mu.Unlock()

	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		return ClaimResult{}, ctx.Err()
	}
}

// run serves a lane group by group until nobody waits.
func (c *claimer) run(name string, l *claimLane) {
	defer c.busy.Done()
	for {
		// Those who were just served, and ask again, come into this group rather
		// than into the next: otherwise two half groups would take turns.
		runtime.Gosched()
		c.mu.Lock()
		n := min(len(l.waiting), claimGroupSize)
		if n == 0 {
			delete(c.lanes, name)
			c.mu.Unlock()
			return
		}
		group := l.waiting[:n:n]
		l.waiting = l.waiting[n:]
		c.mu.Unlock()
		c.serve(group)
	}
}

// serve runs one group. If it fails, each claim is tried alone, so that one that
// cannot be served (an unknown journey, say) takes nobody with it.
func (c *claimer) serve(group []*claimRequest) {
	if err := c.transact(group); err != nil {
		for _, r := range group {
			if len(group) > 1 {
				r.err = c.transact([]*claimRequest{r})
			} else {
				r.err = err
			}
		}
	}
	for _, r := range group {
		close(r.done)
	}
}

func (c *claimer) transact(group []*claimRequest) error {
	ctx, cancel := context.WithTimeout(c.ctx, claimTimeout)
	defer cancel()
	return c.store.claimGroup(ctx, group)
}
