package store_test

import (
	"fmt"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

// A few lines that say what redeeming means; the database must always agree.
type redeemModel struct {
	maxUses, perContact, budget int
	orders                      map[string]modelUse
}

type modelUse struct {
	contact, discount int
	undone            bool
}

func (m *redeemModel) sums(contact int) (uses, contactUses, spent int) {
	for _, u := range m.orders {
		if u.undone {
			continue
		}
		uses++
		spent += u.discount
		if u.contact == contact {
			contactUses++
		}
	}
	return uses, contactUses, spent
}

func (m *redeemModel) redeem(order string, contact, discount int) store.Reason {
	if u, known := m.orders[order]; known && !u.undone {
		return ""
	}
	uses, contactUses, spent := m.sums(contact)
	switch {
	case contactUses >= m.perContact:
		return store.ReasonPerContact
	case uses >= m.maxUses:
		return store.ReasonLimitReached
	case spent >= m.budget || spent+discount > m.budget:
		return store.ReasonBudget
	}
	m.orders[order] = modelUse{contact: contact, discount: discount}
	return ""
}

func TestRedeem_AgreesWithItsModel(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(3)
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		m := redeemModel{maxUses: rapid.IntRange(1, 6).Draw(t, "uses"), perContact: rapid.IntRange(1, 3).Draw(t, "per contact"),
			budget: rapid.IntRange(5, 40).Draw(t, "budget"), orders: map[string]modelUse{}}
		name := fmt.Sprintf("all-%d", round)
		c.apply(fmt.Sprintf("coupon: %s\ndiscount: {percentage: 10}\ncodes: {shared: ALL-%d, max_uses: %d}\nlimits: {per_contact: %d, budget: %d}\n",
			name, round, m.maxUses, m.perContact, m.budget))
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			key := fmt.Sprintf("%d-%d", round, rapid.IntRange(0, 8).Draw(t, "order"))
			if rapid.IntRange(0, 3).Draw(t, "undo") == 0 {
				undone, err := c.RollBack(c.ctx, c.Pool, store.RollBackRequest{OrderKey: key})
				require.NoError(t, err)
				u, known := m.orders[key]
				require.Equal(t, known && !u.undone, len(undone) == 1)
				if known {
					u.undone = true
					m.orders[key] = u
				}
				continue
			}
			who, discount := rapid.IntRange(0, 2).Draw(t, "contact"), rapid.IntRange(1, 12).Draw(t, "discount")
			_, err := c.Redeem(c.ctx, store.Use{Code: fmt.Sprintf("ALL-%d", round), ContactID: contact(who), Source: "api",
				Order: &event.Order{ID: key, Total: decimal.NewFromInt(100), Discount: decimal.NewFromInt(int64(discount))}})
			if reason := m.redeem(key, who, discount); reason != "" {
				requireRefused(c, reason, err)
			} else {
				require.NoError(t, err)
			}
		}
		stats, err := c.CouponStats(c.ctx, name)
		require.NoError(t, err)
		uses, _, spent := m.sums(0)
		require.EqualValues(t, uses, stats.Uses)
		require.EqualValues(t, spent, stats.Spent.IntPart())
	})
}
