package store

import (
	"context"
	"errors"
	"time"

	"scrip.dev/scrip/integrations"
)

// ErrBeingIssued says that the discount under which a coupon's codes are made is being
// made by somebody else; ask again in a moment.
var ErrBeingIssued = errors.New("the coupon's discount is being made")

// IssueCode has issue make a claimed code in its shop, and records that it is there.
// The code string is the key there: asking again finds it. A coupon's first code makes
// its discount, so first codes go one after the other: the error is ErrBeingIssued where
// somebody's is under way. issue gives the shop's id of the discount.
func (s *Store) IssueCode(ctx context.Context, code *Assignment, zone *time.Location, issue func(ShopOffer) (externalID string, err error)) error {
	if !code.Issuing {
		return nil
	}
	offer, err := s.Offer(ctx, s.Pool, code.Coupon, zone)
	if err != nil {
		return err
	}
	if offer.ExternalID != "" {
		return s.issueUnder(ctx, s.Pool, offer, code, issue)
	}
	ran, err := s.OneAtATime(ctx, "issue:"+code.Coupon, func(tx *Tx) error {
		if offer, err = s.Offer(ctx, tx, code.Coupon, zone); err != nil {
			return err
		}
		return s.issueUnder(ctx, tx, offer, code, issue)
	})
	if err == nil && !ran {
		return ErrBeingIssued
	}
	return err
}

func (s *Store) issueUnder(ctx context.Context, q Querier, offer ShopOffer, code *Assignment, issue func(ShopOffer) (string, error)) error {
	externalID, err := issue(offer)
	if errors.Is(err, integrations.ErrOfferGone) {
		// Somebody deleted the discount in the shop: the next attempt makes another.
		return errors.Join(err, s.SetCouponDiscount(ctx, s.Pool, offer, ""))
	}
	if err != nil {
		return err
	}
	if offer.ExternalID == "" { // the coupon comes before its codes
		if err := s.SetCouponDiscount(ctx, q, offer, externalID); err != nil {
			return err
		}
	}
	code.Issuing = false
	return s.MarkIssued(ctx, q, code.ID, externalID)
}
