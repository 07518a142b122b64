package store_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/store"
)

func TestClaim_GivesEachCodeOnceToManyProcessesAtOnce(t *testing.T) {
	t.Parallel()
	for _, draw := range []string{"imported", "random"} {
		t.Run(draw, func(t *testing.T) {
			t.Parallel()
			const keys, pool = 1400, 1500
			c := newCodes(t)
			c.journeys(keys)
			c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true, draw: " + draw + "}\n")
			c.importLines("gift", numbered("A", pool/2)...)
			c.importLines("gift", numbered("B", pool/2)...)
			stores := []*store.Store{c.Store, c.open()}

			asked := make(chan int, 2*keys)
			for i := range keys {
				asked <- i
				if rand.IntN(10) < 3 {
					asked <- rand.IntN(i + 1)
				}
			}
			close(asked)
			var mu sync.Mutex
			byKey := map[int]string{}
			var wait sync.WaitGroup
			for worker := range 64 {
				wait.Go(func() {
					for i := range asked {
						result, err := stores[(worker+i)%2].Claim(c.ctx, claimOf(i, "gift"))
						if err != nil || result.Status != store.ClaimAssigned {
							t.Errorf("claim %d: %v %v", i, result.Status, err)
							return
						}
						mu.Lock()
						if had, ok := byKey[i]; ok && had != result.Assignment.Code {
							t.Errorf("key %d was given %s and %s", i, had, result.Assignment.Code)
						}
						byKey[i] = result.Assignment.Code
						mu.Unlock()
					}
				})
			}
			wait.Wait()
			require.Len(t, byKey, keys)
			holders := map[string]int{}
			for _, code := range byKey {
				holders[code]++
				require.Equal(t, 1, holders[code])
			}
			require.Equal(t, keys, c.count(`SELECT count(*) FROM assignment`))
			require.Equal(t, keys, c.count(`SELECT sum(head)::int FROM batch`), "no code is lost between the counter and the holders")
		})
	}
}

func TestClaim_GivesTheSameCodeToARetryAndAnotherToANewOrdinal(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(1)
	c.apply(listCoupon)
	c.importLines("gift", "A", "B")
	first := c.claimed(0, "gift")
	require.Equal(t, "A", first.Code)
	again := c.claimed(0, "gift")
	require.Equal(t, first, again)
	further := claimOf(0, "gift")
	further.Key, further.New = store.ClaimKey(journey(0), "gift", 1), true
	result, err := c.Claim(c.ctx, further)
	require.NoError(t, err)
	require.Equal(t, "B", result.Assignment.Code)
	codes, err := c.JourneyCodes(c.ctx, c.Pool, journey(0))
	require.NoError(t, err)
	require.Len(t, codes, 2)
	require.Equal(t, "B", codes[1].Code)
}

func TestClaim_ThatCannotBeServedTakesNobodyWithIt(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(20)
	c.apply(listCoupon)
	c.importLines("gift", numbered("A", 40)...)
	var wait sync.WaitGroup
	for i := range 40 {
		wait.Go(func() {
			result, err := c.Claim(c.ctx, claimOf(i, "gift"))
			if i < 20 && (err != nil || result.Status != store.ClaimAssigned) || i >= 20 && err == nil {
				t.Errorf("claim %d: %v %v", i, result.Status, err)
			}
		})
	}
	wait.Wait()
	require.Equal(t, 20, c.count(`SELECT head FROM batch`))
}

func TestClaim_LosesNoCodeWhenItsTransactionIsBrokenOff(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(2)
	c.apply(listCoupon)
	c.importLines("gift", "A", "B")
	// The insert breaks at its commit, as a killed process would break it.
	_, err := c.Pool.Exec(c.ctx, `CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken off'; END $$;
		CREATE CONSTRAINT TRIGGER broken AFTER INSERT ON assignment DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION broken()`)
	require.NoError(t, err)
	_, err = c.Claim(c.ctx, claimOf(0, "gift"))
	require.Error(t, err)
	_, err = c.Pool.Exec(c.ctx, `DROP TRIGGER broken ON assignment`)
	require.NoError(t, err)
	require.Equal(t, "A", c.claimed(1, "gift").Code)
	require.Equal(t, "B", c.claimed(0, "gift").Code)
}

func TestClaim_PassesOverWithdrawnCodes(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(2)
	c.apply(listCoupon)
	all := numbered("A", 40)
	c.importLines("gift", all...)
	for _, code := range all[1:39] {
		_, err := c.WithdrawCode(c.ctx, "", code)
		require.NoError(t, err)
	}
	stats, err := c.CouponStats(c.ctx, "gift")
	require.NoError(t, err)
	require.EqualValues(t, 2, stats.Available)
	require.Equal(t, all[0], c.claimed(0, "gift").Code)
	require.Equal(t, all[39], c.claimed(1, "gift").Code)
	stats, err = c.CouponStats(c.ctx, "gift")
	require.NoError(t, err)
	require.Zero(t, stats.Available)
}

func TestClaim_MakesCodesOfThePatternAndNoTwoAlike(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(300)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {generate: \"HI-######\", alphabet: ABC}\n")
	seen := map[string]bool{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for i := range 300 {
		wait.Go(func() {
			result, err := c.Claim(c.ctx, claimOf(i, "gift"))
			mu.Lock()
			defer mu.Unlock()
			if err != nil || seen[result.Assignment.Code] {
				t.Errorf("claim %d: %v %v", i, result, err)
			}
			seen[result.Assignment.Code] = true
		})
	}
	wait.Wait()
	for code := range seen {
		require.Regexp(t, `^HI-[ABC]{6}$`, code)
	}
}

func TestClaim_KeepsAShopsCodeAsIssuingUntilTheShopHasIt(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(1)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {shop: \"X-########\", connection: shop}\n")
	made := c.claimed(0, "gift")
	require.True(t, made.Issuing)
	require.NoError(t, c.MarkIssued(c.ctx, c.Pool, made.ID, "gid://code/1"))
	again := c.claimed(0, "gift")
	require.False(t, again.Issuing)
	require.Equal(t, made.Code, again.Code)

	codes, err := c.ReturnCodes(c.ctx, c.Pool, journey(0))
	require.NoError(t, err)
	require.Equal(t, []store.ShopCode{{AssignmentID: made.ID, Coupon: "gift", Connection: "shop", ExternalID: "gid://code/1", Code: made.Code}}, codes)
	require.NoError(t, c.MarkWithdrawnInShop(c.ctx, made.ID))
	codes, err = c.UnseenShopCodes(c.ctx, journey(0))
	require.NoError(t, err)
	require.Empty(t, codes)
}

func TestClaim_HonoursTheTotalExactlyUnderARace(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(60)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {generate: \"HI-########\"}\nlimits: {total: 25}\non_empty: skip\n")
	stores := []*store.Store{c.Store, c.open()}
	var given, empty int
	var mu sync.Mutex
	var wait sync.WaitGroup
	for i := range 60 {
		wait.Go(func() {
			result, err := stores[i%2].Claim(c.ctx, claimOf(i, "gift"))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case result.Status == store.ClaimAssigned:
				given++
			case result.Status == store.ClaimEmpty:
				empty++
			}
		})
	}
	wait.Wait()
	require.Equal(t, 25, given)
	require.Equal(t, 35, empty)
}

func TestClaim_SharesAContactsOneCodeWhileItIsUsable(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(2)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {generate: \"HI-########\"}\none_per: contact\n")
	second := claimOf(1, "gift")
	second.ContactID = contact(0)
	first := c.claimed(0, "gift")
	result, err := c.Claim(c.ctx, second)
	require.NoError(t, err)
	require.Equal(t, first.Code, result.Assignment.Code)
	shared, err := c.JourneyCodes(c.ctx, c.Pool, journey(1))
	require.NoError(t, err)
	require.Len(t, shared, 1)

	// The journey that claimed it is over: the code goes to the one that shares it.
	_, err = c.ReturnCodes(c.ctx, c.Pool, journey(0))
	require.NoError(t, err)
	holders, err := c.CodeHolders(c.ctx, c.Pool, "", first.Code, "")
	require.NoError(t, err)
	require.Equal(t, []string{journey(1)}, holders[0].JourneyIDs)

	require.NoError(t, c.Expose(c.ctx, c.Pool, first.ID))
	_, _, err = c.RecordRedemption(c.ctx, c.Pool, store.Use{Code: first.Code, OrderKey: "1", Source: "shop"})
	require.NoError(t, err)
	third := claimOf(0, "gift")
	result, err = c.Claim(c.ctx, third)
	require.NoError(t, err)
	require.Equal(t, store.ClaimAlreadyHad, result.Status)
}

func TestClaim_DrawsFromTheSetAndNoOther(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(3)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true, sets: [classic, gold]}\non_empty: skip\n")
	c.importLines("gift/classic", "C1")
	c.importLines("gift/gold", "G1")
	gold := c.claimed(0, "gift/gold")
	require.Equal(t, "G1", gold.Code)
	require.Equal(t, "gold", gold.Set)
	require.Equal(t, store.ClaimEmpty, c.claim(1, "gift/gold").Status)
	require.Equal(t, "C1", c.claimed(2, "gift").Code)
}

func TestClaim_OfAnInactiveCouponKeepsWhatWasGiven(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(2)
	c.apply(listCoupon)
	c.importLines("gift", "A", "B")
	c.claimed(0, "gift")
	require.NoError(t, c.SetCouponState(c.ctx, c.Pool, "gift", store.CouponInactive))
	require.Equal(t, "A", c.claimed(0, "gift").Code)
	require.Equal(t, store.ClaimInactive, c.claim(1, "gift").Status)
	_, err := c.Claim(c.ctx, claimOf(0, "unknown"))
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestAssign_ShowsTheCodeAndIsIdempotent(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(1)
	c.apply(listCoupon)
	c.importLines("gift", "A")
	claim := store.Claim{Key: "api:ak_1/order-7", Coupon: "gift", ContactID: contact(0), Clock: campaign.Clock{}}
	first, err := c.Assign(c.ctx, claim)
	require.NoError(t, err)
	require.Equal(t, store.AssignmentExposed, first.Assignment.State)
	again, err := c.Assign(c.ctx, claim)
	require.NoError(t, err)
	require.Equal(t, first.Assignment.Code, again.Assignment.Code)
	require.WithinDuration(t, time.Now(), again.Assignment.ExposedAt, time.Minute)
}

func TestClose_RefusesFurtherClaims(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply(listCoupon)
	other, err := store.Open(c.ctx, c.url, 2)
	require.NoError(t, err)
	other.Close()
	_, err = other.Claim(c.ctx, claimOf(0, "gift"))
	require.True(t, errors.Is(err, store.ErrClosed))
	require.NotErrorIs(t, err, pgx.ErrNoRows)
}
