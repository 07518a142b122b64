package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

func TestIssueCode_MakesACouponsDiscountWithItsFirstCodeAlone(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(4)
	c.apply("coupon: cart\ndiscount: {percentage: 10}\ncodes: {shop: \"CART-########\", connection: shop}\n")
	claimed := func(i int) *store.Assignment {
		code := c.claimed(i, "cart")
		require.True(t, code.Issuing)
		return &code
	}
	first, second, third, fourth := claimed(0), claimed(1), claimed(2), claimed(3)
	under := func(s *store.Store, code *store.Assignment, answer string, err error) (asked string, _ error) {
		return asked, s.IssueCode(c.ctx, code, time.UTC, func(offer store.ShopOffer) (string, error) {
			asked = "under " + offer.ExternalID
			return answer, err
		})
	}
	err := c.IssueCode(c.ctx, first, time.UTC, func(offer store.ShopOffer) (string, error) {
		require.Empty(t, offer.ExternalID)
		asked, err := under(c.open(), second, "gid://discount/9", nil)
		require.ErrorIs(t, err, store.ErrBeingIssued)
		require.Empty(t, asked, "nobody makes another discount meanwhile")
		return "gid://discount/1", nil
	})
	require.NoError(t, err)
	require.False(t, first.Issuing)
	asked, err := under(c.Store, second, "gid://discount/1", nil)
	require.NoError(t, err)
	require.Equal(t, "under gid://discount/1", asked)

	// Somebody deletes the discount in the shop.
	_, err = under(c.Store, third, "", fmt.Errorf("issuing: %w", integrations.ErrOfferGone))
	require.ErrorIs(t, err, integrations.ErrOfferGone)
	require.True(t, third.Issuing)
	asked, err = under(c.Store, third, "gid://discount/2", nil)
	require.NoError(t, err)
	require.Equal(t, "under ", asked, "the next code makes another")
	asked, err = under(c.Store, fourth, "gid://discount/2", nil)
	require.NoError(t, err)
	require.Equal(t, "under gid://discount/2", asked)
	require.Zero(t, c.count(`SELECT count(*) FROM code WHERE state = 'issuing'`))
	asked, err = under(c.Store, fourth, "gid://discount/3", nil)
	require.NoError(t, err)
	require.Empty(t, asked, "it is there")
}
