package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

const waitCoupon = "coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\non_empty: {wait: 12h, fallback: shared}\n---\n" +
	"coupon: shared\ndiscount: {percentage: 5}\ncodes: {shared: COMEBACK5}\n"

func TestClaim_WaitsInOrderAndIsServedByARefill(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(5)
	c.apply(waitCoupon)
	for i := range 4 {
		result := c.claim(i, "gift")
		require.Equal(t, store.ClaimWaiting, result.Status)
		require.WithinDuration(t, time.Now().Add(12*time.Hour), result.WaitUntil, time.Minute)
		require.Equal(t, result, c.claim(i, "gift"), "asking again keeps the place and the deadline")
	}
	require.Equal(t, 1, c.raised(event.CouponEmpty), "once until a refill")
	c.importLines("gift", "A", "B", "C")
	require.Equal(t, []string{journey(0), journey(1), journey(2)}, c.woken())
	require.Equal(t, store.ClaimWaiting, c.claim(4, "gift").Status, "a newcomer stands behind those who wait")
	for i, code := range []string{"A", "B", "C"} {
		require.Equal(t, code, c.claimed(i, "gift").Code)
	}
	c.importLines("gift", "D")
	require.Equal(t, "D", c.claimed(3, "gift").Code)
	stats, err := c.CouponStats(c.ctx, "gift")
	require.NoError(t, err)
	require.EqualValues(t, 1, stats.Waiting)
}

func TestClaim_KeepsTheFallbackAlsoWhereCodesBelongToContacts(t *testing.T) {
	t.Parallel()
	for name, onePer := range map[string][2]string{
		"the first": {"one_per: contact\n", ""}, "the fallback": {"", "one_per: contact\n"}, "both": {"one_per: contact\n", "one_per: contact\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCodes(t)
			c.journeys(1)
			c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\non_empty: {fallback: other}\n" + onePer[0] +
				"---\ncoupon: other\ndiscount: {percentage: 5}\ncodes: {generate: \"OTHER-########\"}\n" + onePer[1])
			fallback := c.claimed(0, "gift")
			require.Equal(t, "other", fallback.Coupon)
			require.Equal(t, fallback.Code, c.claimed(0, "gift").Code)
			c.importLines("gift", "A")
			require.Equal(t, fallback.Code, c.claimed(0, "gift").Code, "a refill does not change what the journey has")
			require.Equal(t, 1, c.count(`SELECT count(*) FROM assignment`))
		})
	}
}

func TestClaim_GivesNothingToAJourneyThatHasEnded(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(2)
	c.apply(listCoupon)
	c.importLines("gift", "A", "B")
	had := c.claimed(0, "gift")
	require.NoError(t, c.Expose(c.ctx, c.Pool, had.ID))
	for i := range 2 {
		_, err := c.EndJourney(c.ctx, store.Ending{Journey: journey(i), Outcome: "completed"})
		require.NoError(t, err)
	}
	require.Equal(t, had.Code, c.claimed(0, "gift").Code, "what it had, a late retry still finds")
	require.Equal(t, store.ClaimOver, c.claim(1, "gift").Status)
	require.Equal(t, 1, c.count(`SELECT count(*) FROM assignment`))
}

func TestClaim_TakesTheFallbackAfterTheDeadlineAndKeepsIt(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(1)
	c.apply(waitCoupon)
	claim := claimOf(0, "gift")
	claim.Clock = campaign.Clock{Start: time.Now(), Scale: 3600 * 12 * 1000} // twelve hours in a millisecond
	result, err := c.Claim(c.ctx, claim)
	require.NoError(t, err)
	require.Equal(t, store.ClaimWaiting, result.Status)
	require.Eventually(t, func() bool { return time.Now().After(result.WaitUntil) }, time.Second, time.Millisecond)
	result, err = c.Claim(c.ctx, claim)
	require.NoError(t, err)
	require.Equal(t, store.ClaimAssigned, result.Status)
	require.Equal(t, "COMEBACK5", result.Assignment.Code)
	require.False(t, result.Assignment.SingleUse)
	c.importLines("gift", "A")
	require.Equal(t, "COMEBACK5", c.claimed(0, "gift").Code, "a refill does not change what the journey has")
	require.Empty(t, c.woken())
}

func TestClaim_OutsideJourneysNeverWaits(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\n")
	result, err := c.Assign(c.ctx, store.Claim{Key: "api:ak/1", Coupon: "gift"})
	require.NoError(t, err)
	require.Equal(t, store.ClaimEmpty, result.Status)
}

func TestReturnCodes_ServeThoseWhoWaitAndAreDrawnFirst(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(4)
	c.apply(waitCoupon)
	c.importLines("gift", "A", "B")
	c.claimed(0, "gift")
	seen := c.claimed(1, "gift")
	require.NoError(t, c.Expose(c.ctx, c.Pool, seen.ID))
	require.Equal(t, store.ClaimWaiting, c.claim(2, "gift").Status)
	for range 2 {
		for i := range 2 {
			_, err := c.ReturnCodes(c.ctx, c.Pool, journey(i))
			require.NoError(t, err)
		}
	}
	require.Equal(t, []string{journey(2)}, c.woken())
	require.Equal(t, "A", c.claimed(2, "gift").Code)
	c.importLines("gift", "C")
	_, err := c.ReturnCodes(c.ctx, c.Pool, journey(2))
	require.NoError(t, err)
	require.Equal(t, "A", c.claimed(3, "gift").Code)
	holders, err := c.CodeHolders(c.ctx, c.Pool, "", "b", "")
	require.NoError(t, err)
	require.Equal(t, contact(1), holders[0].ContactID, "a code that was seen stays with its holder")
}

func TestReturnCodes_TakesAnEndedJourneyOutOfTheLine(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(2)
	c.apply(waitCoupon)
	c.claim(0, "gift")
	c.claim(1, "gift")
	_, err := c.ReturnCodes(c.ctx, c.Pool, journey(0))
	require.NoError(t, err)
	c.importLines("gift", "A")
	require.Equal(t, []string{journey(1)}, c.woken())
}

func TestClaim_TellsEachCrossingOfAThresholdOnce(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(40)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\nlow_at: [5, 2, 0]\non_empty: skip\n")
	c.importLines("gift", numbered("A", 10)...)
	stores := []*store.Store{c.Store, c.open()}
	race := func(from, to int) {
		var wait sync.WaitGroup
		for i := from; i < to; i++ {
			wait.Go(func() {
				if _, err := stores[i%2].Claim(c.ctx, claimOf(i, "gift")); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
	race(0, 4)
	require.Equal(t, 0, c.raised(event.CouponLow))
	race(4, 20)
	require.Equal(t, 3, c.raised(event.CouponLow))
	require.Equal(t, 1, c.raised(event.CouponEmpty))
	c.importLines("gift", numbered("B", 4)...)
	race(20, 40)
	require.Equal(t, 5, c.raised(event.CouponLow), "a refill to 4 is below 5 still: 2 and 0 are crossed again")
	require.Equal(t, 2, c.raised(event.CouponEmpty))
}

func TestClaim_LosesNobodyBetweenAnEmptyPoolAndARefill(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	const n = 120
	c.journeys(n)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\n")
	codes := numbered("A", n)
	stores := []*store.Store{c.Store, c.open()}
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			if _, err := stores[i%2].Claim(c.ctx, claimOf(i, "gift")); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range 6 {
		c.importLines("gift", codes[i*n/6:(i+1)*n/6]...)
	}
	wait.Wait()
	require.Equal(t, n, c.count(`SELECT count(DISTINCT (batch_id, pos)) FROM assignment`))
	require.Zero(t, c.count(`SELECT count(*) FROM supply_waiter`))
	require.Zero(t, c.count(`SELECT waiters FROM coupon`))
}
