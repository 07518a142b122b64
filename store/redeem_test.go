package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

func order(id string, total, discount int64) *event.Order {
	return &event.Order{ID: id, Total: decimal.NewFromInt(total), Discount: decimal.NewFromInt(discount), Currency: "EUR"}
}

func use(code, orderID string, total int64) store.Use {
	return store.Use{Code: code, Order: order(orderID, total, 10), Source: "api"}
}

// requireRefused asks that the error is a refusal for the reason.
func requireRefused(t testing.TB, reason store.Reason, err error) {
	t.Helper()
	var refused *store.Refused
	require.ErrorAs(t, err, &refused)
	require.Equal(t, reason, refused.Reason)
}

// race runs do for n at once and counts who was let through; all others must have
// been refused for the reason.
func (c *codes) race(n int, reason store.Reason, do func(s *store.Store, i int) error) (through int) {
	stores := []*store.Store{c.Store, c.open()}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			err := do(stores[i%2], i)
			mu.Lock()
			defer mu.Unlock()
			var refused *store.Refused
			switch {
			case err == nil:
				through++
			case !errors.As(err, &refused) || refused.Reason != reason:
				c.Errorf("use %d: %v", i, err)
			}
		})
	}
	wait.Wait()
	return through
}

func TestRedeem_KeepsEveryCapExactlyUnderARace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits  string
		contact bool
		reason  store.Reason
		through int
	}{
		"uses":        {"codes: {shared: ALL10, max_uses: 7}\n", false, store.ReasonLimitReached, 7},
		"total":       {"codes: {shared: ALL10}\nlimits: {total: 9}\n", false, store.ReasonLimitReached, 9},
		"budget":      {"codes: {shared: ALL10}\nlimits: {budget: 65}\n", false, store.ReasonBudget, 6},
		"per contact": {"codes: {shared: ALL10}\nlimits: {per_contact: 2}\n", true, store.ReasonPerContact, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCodes(t)
			c.journeys(1)
			c.apply("coupon: all\ndiscount: {percentage: 10}\n" + test.limits)
			through := c.race(30, test.reason, func(s *store.Store, i int) error {
				u := use("all10", fmt.Sprint(i), 100)
				if test.contact {
					u.ContactID = contact(0)
				}
				_, err := s.Redeem(c.ctx, u)
				return err
			})
			require.Equal(t, test.through, through)
			stats, err := c.CouponStats(c.ctx, "all")
			require.NoError(t, err)
			require.EqualValues(t, test.through, stats.Uses)
			require.Equal(t, test.through, c.raised(event.CodeRedeemed))
			if name == "uses" || name == "total" {
				require.Equal(t, 1, c.raised(event.LimitReached))
			}
		})
	}
}

func TestRedeem_CountsUnderACapWhatCameBeforeIt(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	with := func(limits string) {
		c.apply("coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10}\n" + limits)
	}
	order := 0
	redeem := func(n int) int {
		first := order
		order += n
		return c.race(n, store.ReasonLimitReached, func(s *store.Store, i int) error {
			_, err := s.Redeem(c.ctx, use("all10", fmt.Sprint(first+i), 100))
			return err
		})
	}
	uses := func() (int64, string) {
		stats, err := c.CouponStats(c.ctx, "all")
		require.NoError(t, err)
		return stats.Uses, stats.Spent.String()
	}
	with("")
	require.Equal(t, 30, redeem(30))
	for i := range 2 {
		_, err := c.RollBack(c.ctx, c.Pool, store.RollBackRequest{OrderKey: fmt.Sprint(i)})
		require.NoError(t, err)
	}
	n, spent := uses()
	require.Equal(t, []any{int64(28), "280"}, []any{n, spent})
	with("limits: {total: 40}\n")
	n, _ = uses()
	require.EqualValues(t, 28, n)
	// One by a process of an earlier build, for which no cap waits.
	_, err := c.Pool.Exec(c.ctx, `INSERT INTO coupon_use_part SELECT id, 1, 1, 10 FROM coupon`)
	require.NoError(t, err)
	require.Equal(t, 11, redeem(30))
	require.Equal(t, 1, c.raised(event.LimitReached))
	with("")
	require.Equal(t, 5, redeem(5))
	with("limits: {total: 46}\n")
	require.Equal(t, 1, redeem(3))
	n, spent = uses()
	require.Equal(t, []any{int64(46), "460"}, []any{n, spent})
}

// meets runs first, holds its transaction open until then is done or waits for it, and
// asserts that it waits. It gives what then comes to.
func (c *codes) meets(first func(tx *store.Tx), then func() error) error {
	c.Helper()
	done := make(chan error, 1)
	require.NoError(c, c.InTx(c.ctx, func(tx *store.Tx) error {
		first(tx)
		go func() { done <- then() }()
		c.somebodyWaits(done)
		return nil
	}))
	return <-done
}

// somebodyWaits returns when what sends to done waits for a lock.
func (c *codes) somebodyWaits(done chan error) {
	c.Helper()
	require.Eventually(c, func() bool {
		return len(done) > 0 || c.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
	}, time.Minute, 10*time.Millisecond, "one of the two to wait")
	require.Empty(c, done, "it doesn't wait for what is under way")
}

func TestRedeem_ACapThatComesWaitsForTheUsesUnderWay(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply("coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10}\n")
	capped := c.coupons("coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10}\nlimits: {total: 2}\n")
	err := c.meets(func(tx *store.Tx) {
		for i := range 2 {
			_, _, err := c.RecordRedemption(c.ctx, tx, use("ALL10", fmt.Sprint(i), 100))
			require.NoError(t, err)
		}
	}, func() error {
		return c.InTx(c.ctx, func(tx *store.Tx) error {
			_, err := c.ApplyCoupon(c.ctx, tx, capped[0])
			return err
		})
	})
	require.NoError(t, err)
	_, err = c.Redeem(c.ctx, use("ALL10", "3", 100))
	requireRefused(t, store.ReasonLimitReached, err)
	c.journeys(1)
	require.Equal(t, store.ClaimEmpty, c.claim(0, "all").Status, "nobody is given what a shop would refuse")
}

func TestRedeem_AUseThatWaitedForACapToGoIsCountedWithoutIt(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply("coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10}\nlimits: {total: 1}\n")
	_, err := c.Redeem(c.ctx, use("ALL10", "1", 100))
	require.NoError(t, err)
	require.Equal(t, 1, c.raised(event.LimitReached))
	err = c.meets(func(tx *store.Tx) {
		c.applyIn(tx, "coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10}\n")
	}, func() error {
		_, _, err := c.RecordRedemption(c.ctx, c.Pool, use("ALL10", "2", 100))
		return err
	})
	require.NoError(t, err)
	require.Equal(t, 1, c.raised(event.LimitReached))
	c.journeys(1)
	require.Equal(t, "ALL10", c.claimed(0, "all").Code, "there is no limit any more")
}

func TestRedeem_UsesAndAnApplyThatMeetInACircleBothSucceed(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	offers := func(percent int) string {
		return fmt.Sprintf("coupon: one\ndiscount: {percentage: %[1]d}\ncodes: {shared: ONE10}\n---\ncoupon: two\ndiscount: {percentage: %[1]d}\ncodes: {shared: TWO10}\n", percent)
	}
	c.apply(offers(10))
	changed := c.coupons(offers(20))
	done := make(chan error, 1)
	require.NoError(t, c.InTx(c.ctx, func(tx *store.Tx) error {
		_, _, err := c.RecordRedemption(c.ctx, tx, use("TWO10", "1", 100))
		require.NoError(t, err)
		go func() {
			_, err := c.Apply(c.ctx, store.Folder{Coupons: changed}, store.ApplyOptions{Actor: "test"})
			done <- err
		}()
		c.somebodyWaits(done) // with the first coupon, for the second
		_, _, err = c.RecordRedemption(c.ctx, tx, use("ONE10", "1", 100))
		return err
	}))
	require.NoError(t, <-done)
	require.Equal(t, 2, c.count(`SELECT count(*) FROM coupon WHERE source LIKE '%percentage: 20%'`))
	require.Equal(t, 2, c.count(`SELECT count(*) FROM redemption`))
}

func TestRedeem_AUseThatWaitedForACapToComeIsBoundByIt(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply("coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10}\n")
	_, err := c.Redeem(c.ctx, use("ALL10", "1", 100))
	require.NoError(t, err)
	err = c.meets(func(tx *store.Tx) {
		c.applyIn(tx, "coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10}\nlimits: {total: 1}\n")
	}, func() error {
		_, err := c.Redeem(c.ctx, use("ALL10", "2", 100))
		return err
	})
	requireRefused(t, store.ReasonLimitReached, err)
}

func TestRedeem_UsesASingleCodeOnceAndRepeatsTheAnswer(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(1)
	c.apply(listCoupon)
	c.importLines("gift", "A")
	c.claimed(0, "gift")
	ids := sync.Map{}
	through := c.race(24, store.ReasonUsed, func(s *store.Store, i int) error {
		r, err := s.Redeem(c.ctx, use(" a ", fmt.Sprint(i%3), 100))
		if err == nil {
			ids.Store(r.ID, r.OrderKey)
		}
		return err
	})
	require.Equal(t, 8, through, "one order's eight askings")
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	require.Equal(t, 1, n)
}

func TestRedeem_RefusesWithTheFirstReasonThatHolds(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(3)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\nvalid_for: 7d\nredeemable_by: holder\nlimits: {min_order: 50}\n---\n" +
		"coupon: soon\ndiscount: {percentage: 10}\ncodes: {shared: SOON10}\nvalid_from: \"2999-01-01\"\n---\n" +
		"coupon: over\ndiscount: {percentage: 10}\ncodes: {shared: OVER10}\nvalid_until: \"2020-01-01\"\n")
	c.importLines("gift", "A", "B", "C", "D")
	for i := range 3 {
		c.claimed(i, "gift")
	}
	held := use("A", "1", 100)
	held.ContactID, held.Reference = contact(0), "cart-1"
	other := held
	other.Reference = "cart-2"
	_, err := c.Hold(c.ctx, held, time.Hour)
	require.NoError(t, err)
	_, err = c.WithdrawCode(c.ctx, "", "C")
	require.NoError(t, err)

	late := use("B", "1", 100)
	late.At = time.Now().AddDate(0, 0, 9)
	late.ContactID = contact(1)
	stranger := use("B", "1", 100)
	stranger.ContactID = contact(2)
	strangersLate := late
	strangersLate.ContactID = contact(2)
	withdrawn := use("C", "1", 100)
	withdrawn.ContactID = contact(2)
	small := use("B", "1", 20)
	small.ContactID = contact(1)
	for _, test := range []struct {
		reason store.Reason
		use    store.Use
	}{
		{store.ReasonNotFound, use("NEVER", "1", 100)},
		{store.ReasonNotFound, use("D", "1", 100)},
		{store.ReasonNotFound, stranger},
		{store.ReasonNotFound, strangersLate},
		{store.ReasonNotFound, use("B", "1", 100)},
		{store.ReasonNotFound, use("C", "1", 100)},
		{store.ReasonInactive, withdrawn},
		{store.ReasonNotYetValid, use("SOON10", "1", 100)},
		{store.ReasonExpired, use("OVER10", "1", 100)},
		{store.ReasonExpired, late},
		{store.ReasonHeld, other},
		{store.ReasonMinOrder, small},
	} {
		_, err := c.Redeem(c.ctx, test.use)
		requireRefused(t, test.reason, err)
		_, err = c.Validate(c.ctx, test.use)
		requireRefused(t, test.reason, err)
	}
	_, err = c.Redeem(c.ctx, held)
	require.NoError(t, err)
	_, err = c.Redeem(c.ctx, other)
	require.NoError(t, err, "the same order again is no second use")
	other.Order = order("2", 100, 10)
	_, err = c.Redeem(c.ctx, other)
	requireRefused(t, store.ReasonUsed, err)
}

func TestHold_KeepsAUseOfACappedCouponUntilItIsReleased(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply("coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10, max_uses: 3}\n")
	through := c.race(20, store.ReasonLimitReached, func(s *store.Store, i int) error {
		_, err := s.Hold(c.ctx, store.Use{Code: "ALL10", Reference: fmt.Sprint(i)}, time.Hour)
		return err
	})
	require.Equal(t, 3, through)
	_, err := c.Redeem(c.ctx, use("ALL10", "1", 100))
	requireRefused(t, store.ReasonLimitReached, err)
	var reference string
	require.NoError(t, c.Pool.QueryRow(c.ctx, `SELECT reference FROM hold LIMIT 1`).Scan(&reference))
	require.NoError(t, c.ReleaseHold(c.ctx, store.Use{Code: "ALL10", Reference: reference}))
	_, err = c.Redeem(c.ctx, use("ALL10", "1", 100))
	require.NoError(t, err)
}

func TestRecordRedemption_RecordsWhatHappenedAndFlagsIt(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(2)
	c.apply(listCoupon)
	c.importLines("gift", "A", "B", "C")
	a := c.claimed(0, "gift")
	record := func(code, id string) (store.Redemption, store.RedeemOutcome) {
		r, outcome, err := c.RecordRedemption(c.ctx, c.Pool, store.Use{Code: code, Realm: "shop", Order: order(id, 90, 10), Source: "shop"})
		require.NoError(t, err)
		return r, outcome
	}
	r, outcome := record("a", "1")
	require.Equal(t, store.RedeemNew, outcome)
	require.Equal(t, a.ID, r.AssignmentID)
	require.Equal(t, journey(0), r.JourneyID)
	require.Equal(t, contact(0), r.ContactID)
	require.Empty(t, r.Flag)
	_, outcome = record("A", "1")
	require.Equal(t, store.RedeemDuplicate, outcome)
	r, outcome = record("A", "2")
	require.Equal(t, store.RedeemNew, outcome)
	require.Equal(t, store.ReasonUsed, r.Flag)
	_, outcome = record("NEVER", "3")
	require.Equal(t, store.RedeemForeign, outcome)
	_, outcome = record("B", "4")
	require.Equal(t, store.RedeemNew, outcome)
	require.Equal(t, "C", c.claimed(1, "gift").Code, "a code that somebody used is not given to anybody")
}

func TestRecordRedemption_CompletesAPersonsWordWithTheOrder(t *testing.T) {
	t.Parallel()
	for name, byHand := range map[string]string{"without an order": "manual:jn_0", "with the order": "77"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCodes(t)
			c.journeys(1)
			c.apply(listCoupon)
			c.importLines("gift", "A")
			c.claimed(0, "gift")
			manual := store.Use{Code: "A", OrderKey: byHand, Source: "manual", Order: &event.Order{ID: byHand}}
			_, outcome, err := c.RecordRedemption(c.ctx, c.Pool, manual)
			require.NoError(t, err)
			require.Equal(t, store.RedeemNew, outcome)
			webhook := store.Use{Code: "A", Source: "shop", Order: order("77", 90, 10)}
			r, outcome, err := c.RecordRedemption(c.ctx, c.Pool, webhook)
			require.NoError(t, err)
			require.Equal(t, store.RedeemUpgraded, outcome)
			require.Equal(t, "77", r.OrderKey)
			require.Equal(t, "90", r.Total.String())
			for _, u := range []store.Use{manual, webhook} {
				_, outcome, err = c.RecordRedemption(c.ctx, c.Pool, u)
				require.NoError(t, err)
				require.Equal(t, store.RedeemDuplicate, outcome)
			}
			stats, err := c.CouponStats(c.ctx, "gift")
			require.NoError(t, err)
			require.EqualValues(t, 1, stats.Uses)
			require.Equal(t, "10", stats.Spent.String())
		})
	}
}

func TestRollBack_FreesTheUseOnce(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply("coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10, max_uses: 1}\n")
	_, err := c.Redeem(c.ctx, use("ALL10", "1", 100))
	require.NoError(t, err)
	_, err = c.Redeem(c.ctx, use("ALL10", "2", 100))
	requireRefused(t, store.ReasonLimitReached, err)
	for n := range 2 {
		undone, err := c.RollBack(c.ctx, c.Pool, store.RollBackRequest{Realm: "shop", OrderKey: "1"})
		require.NoError(t, err)
		require.Len(t, undone, 1-n)
	}
	_, err = c.Redeem(c.ctx, use("ALL10", "2", 100))
	require.NoError(t, err)
	require.Equal(t, 2, c.raised(event.LimitReached), "once each time that it is reached")
}

func TestUnredeem_TellsOfTheUseThatWasTakenBackAndLetsTheOrderUseTheCodeAgain(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(1)
	c.apply(listCoupon)
	c.importLines("gift", "A")
	c.claimed(0, "gift")
	first, err := c.Redeem(c.ctx, use("A", "1", 100))
	require.NoError(t, err)
	for n := range 2 {
		undone, err := c.Unredeem(c.ctx, store.RollBackRequest{OrderKey: "1", Code: "A"})
		require.NoError(t, err)
		require.Len(t, undone, 1-n)
	}
	require.Equal(t, 1, c.raised(event.CodeRolledBack))
	again, err := c.Redeem(c.ctx, use("A", "1", 120))
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, "redeemed", again.State)
	require.Equal(t, 2, c.raised(event.CodeRedeemed))
	_, err = c.Redeem(c.ctx, use("A", "2", 100))
	requireRefused(t, store.ReasonUsed, err)
}

func TestEndJourney_EndsAsRedeemedAlsoWhereTheContactsCodeIsShared(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(2)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\none_per: contact\n")
	c.importLines("gift", "A")
	for i := range 2 {
		claim := claimOf(i, "gift")
		claim.ContactID = contact(0)
		got, err := c.Claim(c.ctx, claim)
		require.NoError(t, err)
		require.Equal(t, "A", got.Assignment.Code)
		require.NoError(t, c.Expose(c.ctx, c.Pool, got.Assignment.ID))
	}
	_, _, err := c.RecordRedemption(c.ctx, c.Pool, store.Use{Code: "A", OrderKey: "1", Source: "shop"})
	require.NoError(t, err)
	holders, err := c.CodeHolders(c.ctx, c.Pool, "shop", "A", "")
	require.NoError(t, err)
	require.Equal(t, []string{journey(0), journey(1)}, holders[0].JourneyIDs, "the event reaches both")
	for i := range 2 {
		ended, err := c.EndJourney(c.ctx, store.Ending{Journey: journey(i), Outcome: "completed", Settle: true})
		require.NoError(t, err)
		require.Equal(t, "redeemed", ended.Outcome)
	}
}

func TestCodeApplied_IsNewsOnce(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(1)
	c.apply(listCoupon)
	c.importLines("gift", "A")
	c.claimed(0, "gift")
	for n := range 2 {
		news, err := c.CodeApplied(c.ctx, c.Pool, "shop", "a", "", time.Now())
		require.NoError(t, err)
		require.Len(t, news, 1-n)
	}
	news, err := c.CodeApplied(c.ctx, c.Pool, "shop", "unknown", "", time.Now())
	require.NoError(t, err)
	require.Empty(t, news)
}
