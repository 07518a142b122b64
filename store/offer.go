package store

import (
	"context"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/integrations"
)

// ShopOffer is a coupon as its shop has to know it.
type ShopOffer struct {
	integrations.Offer
	Connection string // the shop connection; "" the project's
	sum        []byte // of the coupon's document
}

// Offer gives a coupon's offer. Each code's own expiry is kept by Scrip; the
// discount in the shop ends when the last code could.
func (s *Store) Offer(ctx context.Context, q Querier, coupon string, zone *time.Location) (ShopOffer, error) {
	c, err := s.Coupon(ctx, q, coupon)
	if err != nil {
		return ShopOffer{}, err
	}
	d := c.Doc.Discount
	offer := ShopOffer{Connection: c.Doc.Connection, sum: c.sum, Offer: integrations.Offer{
		Coupon: c.Name, ExternalID: c.ExternalID, Percentage: d.Percentage, Amount: d.Amount, Currency: d.Currency,
		FreeShipping: d.FreeShipping, StartsAt: time.Now(), MinOrder: c.Doc.Limits.MinOrder, PerContact: c.Doc.Limits.PerContact,
	}}
	if from, ok := campaign.ValidFromOf(*c.Doc, zone); ok {
		offer.StartsAt = from
	}
	if c.Doc.ValidUntil != "" {
		if date, err := campaign.ParseDate(c.Doc.ValidUntil); err == nil {
			offer.EndsAt = date.Last(zone)
		}
	}
	return offer, nil
}
