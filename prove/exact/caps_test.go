package exact

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/prove/control"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

// outcomes counts the redemptions that went through, and refusals by reason.
type outcomes map[store.Reason]int

const redeemed store.Reason = "redeemed"

// race makes n redemptions at once, over several stores as processes have them.
func (s *shop) race(n int, use func(i int) store.Use) outcomes {
	s.Helper()
	stores := []*store.Store{s.Store, s.open(), s.open(), s.open()}
	counted := outcomes{}
	var mu sync.Mutex
	var racers sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		racers.Go(func() {
			<-begin
			_, err := stores[i%len(stores)].Redeem(s.ctx, use(i))
			mu.Lock()
			defer mu.Unlock()
			var refused *store.Refused
			switch {
			case err == nil:
				counted[redeemed]++
			case errors.As(err, &refused):
				counted[refused.Reason]++
			default:
				s.Errorf("redemption %d: %v", i, err)
			}
		})
	}
	close(begin)
	racers.Wait()
	return counted
}

// redemption is the use of a code in an order of its own.
func redemption(code string, i int) store.Use {
	return store.Use{Code: code, Source: "api", Order: &event.Order{
		ID: fmt.Sprint(i), Total: decimal.NewFromInt(100), Discount: decimal.NewFromInt(10), Currency: "EUR"}}
}

func TestPromise3_ACapIsNeverPassed(t *testing.T) {
	uses, cap := proof.Size(1_000, 10_000), proof.Size(100, 1_000)
	t.Run("of all uses", func(t *testing.T) {
		s := newShop(t)
		s.apply(fmt.Sprintf("coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10, max_uses: %d}\n", cap))
		require.Equal(t, outcomes{redeemed: cap, store.ReasonLimitReached: uses - cap},
			s.race(uses, func(i int) store.Use { return redemption("all10", i) }))
		require.Equal(t, cap, s.count(`SELECT count(*) FROM redemption`))
		require.Equal(t, cap, s.count(`SELECT uses FROM coupon_use`))
		require.Equal(t, cap, s.raised(event.CodeRedeemed))
		require.Equal(t, 1, s.raised(event.LimitReached), "the limit is told of once")
		found(t, fmt.Sprintf("redemptions at once under a cap of %d", cap), uses, "exactly %d through, %d refused as limit_reached, coupon.limit_reached once", cap, uses-cap)
	})
	t.Run("of a contact", func(t *testing.T) {
		const contacts, each = 20, 3
		s := newShop(t)
		s.journeys(contacts)
		s.apply(fmt.Sprintf("coupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10}\nlimits: {per_contact: %d}\n", each))
		require.Equal(t, outcomes{redeemed: contacts * each, store.ReasonPerContact: uses - contacts*each},
			s.race(uses, func(i int) store.Use {
				u := redemption("all10", i)
				u.ContactID = contactID(i % contacts)
				return u
			}))
		s.nobody("a contact has not what it may have", `SELECT contact_id, count(*) FROM redemption GROUP BY 1 HAVING count(*) <> $1`, each)
		found(t, fmt.Sprintf("redemptions at once by %d contacts, %d each allowed", contacts, each), uses, "exactly %d through", contacts*each)
	})
	t.Run("of a code for one use", func(t *testing.T) {
		const codes = 50
		s := newShop(t)
		s.journeys(codes)
		s.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\n")
		s.importCodes(0, codes)
		for i := range codes {
			_, err := s.Claim(s.ctx, claimOf(i, 0))
			require.NoError(t, err)
		}
		require.Equal(t, outcomes{redeemed: codes, store.ReasonUsed: uses - codes},
			s.race(uses, func(i int) store.Use { return redemption(codeName(i%codes), i) }))
		s.nobody("a code was used more than once", `SELECT batch_id, pos FROM redemption GROUP BY 1, 2 HAVING count(*) > 1`)
		require.Equal(t, codes, s.count(`SELECT count(*) FROM redemption`))
		found(t, fmt.Sprintf("redemptions at once of %d codes for one use", codes), uses, "each used exactly once")
	})
}

func found(t *testing.T, tried string, times int, what string, args ...any) {
	t.Helper()
	proof.Found(t, proof.Finding{Promise: 3, Tried: tried, Times: times, Found: fmt.Sprintf(what, args...)})
}

func TestControl_AUseIsCountedUnderTheLocksOfItsCodeAndItsCoupon(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the locks of a redemption", File: "store/redeem_standing.go",
		Old: "	codeLock := \"\"\n	if lock {\n", New: "	codeLock := \"\"\n	lock = false\n	if lock {\n",
		Package: "./prove/exact", Proof: "TestPromise3_ACapIsNeverPassed", Says: "limit_reached",
		Env: short(""),
	})
}
