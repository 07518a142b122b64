package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

func TestRaiseExpired_TellsOnceOfCodesThatEndedUnusedAfterTheGrace(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(4)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\nvalid_for: 24h\n")
	c.importLines("gift", "A", "B", "C", "D")
	ended := map[int]string{0: "11 minutes", 1: "9 minutes", 2: "1 hour"}
	for i := range 4 {
		a := c.claimed(i, "gift")
		if ago, ok := ended[i]; ok {
			_, err := c.Pool.Exec(c.ctx, `UPDATE assignment SET expires_at = now() - $2::interval WHERE id = $1`, a.ID, ago)
			require.NoError(t, err)
		}
	}
	_, _, err := c.RecordRedemption(c.ctx, c.Pool, store.Use{Code: "C", OrderKey: "1", Source: "shop"})
	require.NoError(t, err)
	for range 2 {
		_, err = c.RaiseExpired(c.ctx, campaign.Clock{})
		require.NoError(t, err)
		require.Equal(t, 1, c.raised(event.CodeExpired), "A alone: B is within the grace, C was used, D goes on")
	}
	_, err = c.RaiseExpired(c.ctx, campaign.Clock{Start: time.Now(), Scale: 3600})
	require.NoError(t, err)
	require.Equal(t, 2, c.raised(event.CodeExpired), "a fast clock has a short grace")
	a := c.claimed(0, "gift")
	require.Equal(t, store.AssignmentExpired, a.State)
	require.ErrorIs(t, c.Expose(c.ctx, c.Pool, a.ID), store.ErrUnusable)
}

func TestReturnCodes_GiveBackWhatNobodySawAlsoWhenItsClaimHasExpired(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(3)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\nvalid_for: 24h\n")
	c.importLines("gift", "A", "B")
	unseen, seen := c.claimed(0, "gift"), c.claimed(1, "gift")
	require.NoError(t, c.Expose(c.ctx, c.Pool, seen.ID))
	_, err := c.Pool.Exec(c.ctx, `UPDATE assignment SET expires_at = now() - interval '1 hour'`)
	require.NoError(t, err)
	_, err = c.RaiseExpired(c.ctx, campaign.Clock{})
	require.NoError(t, err)
	for i := range 2 {
		_, err := c.ReturnCodes(c.ctx, c.Pool, journey(i))
		require.NoError(t, err)
	}
	require.Equal(t, unseen.Code, c.claimed(2, "gift").Code)
	stats, err := c.CouponStats(c.ctx, "gift")
	require.NoError(t, err)
	require.Zero(t, stats.Available, "the other may have been seen")
}

func TestRaiseExpired_EndsOneClaimOfASharedCodeAndNotTheContactsOthers(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(2)
	c.apply("coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10}\nvalid_for: 24h\n")
	var first int64
	for i := range 2 {
		claim := claimOf(i, "all")
		claim.ContactID = contact(0)
		got, err := c.Claim(c.ctx, claim)
		require.NoError(t, err)
		if i == 0 {
			first = got.Assignment.ID
		}
	}
	holders, err := c.AssignmentHolders(c.ctx, c.Pool, first)
	require.NoError(t, err)
	require.Len(t, holders, 1)
	require.Equal(t, []string{journey(0)}, holders[0].JourneyIDs)
}

func TestRaiseExpiredCoupons_TellsOnceUntilALaterDayIsApplied(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	document := "coupon: early\ndiscount: {percentage: 10}\ncodes: {shared: EARLY10}\nvalid_until: "
	c.apply(document + "\"2020-01-01\"\n")
	c.apply("coupon: ever\ndiscount: {percentage: 10}\ncodes: {shared: EVER10}\n")
	for _, told := range []int{1, 0} {
		n, err := c.RaiseExpiredCoupons(c.ctx, campaign.Clock{}, time.UTC)
		require.NoError(t, err)
		require.Equal(t, told, n)
	}
	c.apply(document + "\"2020-02-01\"\n")
	n, err := c.RaiseExpiredCoupons(c.ctx, campaign.Clock{}, time.UTC)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, 2, c.raised(event.CouponExpired))
}
