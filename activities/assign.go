package activities

import (
	"context"
	"errors"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// Assign gives the journey a code without a message. One journey has one code of
// a coupon, however often it is asked for, unless the step says `new`.
func (a *Activities) Assign(ctx context.Context, step Step) (Result, error) {
	return a.perform(ctx, "assigning a code", step, func(s *scene) (Result, error) {
		code, result, err := a.claim(ctx, s, *s.doc.Assign)
		if err != nil || result.Status == Held {
			return result, err
		}
		if code != nil {
			result = Result{Status: Done, Expiry: code.ExpiresAt}
		}
		// No message says what became of the step.
		return result, a.Store.SaveStepResult(ctx, s.Journey, s.ID, store.StepResult{Status: result.Status, Reason: result.Reason})
	})
}

func claimOf(coupon string) campaign.AssignDoc { return campaign.AssignDoc{Coupon: coupon} }

// claim takes a code and, where its coupon's codes are made in a shop, makes it
// there. A result with a status ends the step: no code, or waiting for one.
func (a *Activities) claim(ctx context.Context, s *scene, doc campaign.AssignDoc) (*store.Assignment, Result, error) {
	began := time.Now()
	claim := store.Claim{
		Key: store.ClaimKey(s.Journey, doc.Coupon, 0), Coupon: doc.Coupon, JourneyID: s.Journey, ContactID: s.contact.ID,
		ValidFor: doc.ValidFor, ValidForDays: doc.ValidForDays, Clock: s.Clock, Zone: a.Project.Zone, Waitable: true,
	}
	if doc.New {
		// Another code for this step: the step itself is part of the key.
		claim.Key, claim.New = store.ClaimKey(s.Journey, doc.Coupon, 0)+"/"+s.ID, true
	}
	got, err := a.Store.Claim(ctx, claim)
	if err != nil {
		return nil, Result{}, err
	}
	a.Observe.Claimed(doc.Coupon, string(got.Status), time.Since(began))
	switch got.Status {
	case store.ClaimAssigned:
		s.claimed(got.Assignment)
		return &got.Assignment, Result{}, a.issue(ctx, &got.Assignment)
	case store.ClaimWaiting:
		return nil, Result{Status: Held, Reason: WaitingForSupply, Until: got.WaitUntil}, nil
	case store.ClaimAlreadyHad:
		return nil, Result{Status: Skipped, Reason: AlreadyHad}, nil
	default:
		return nil, Result{Status: Skipped, Reason: NoCode}, nil
	}
}

// issue makes a claimed code exist in its shop.
func (a *Activities) issue(ctx context.Context, code *store.Assignment) error {
	err := a.Store.IssueCode(ctx, code, a.Project.Zone, func(offer store.ShopOffer) (string, error) {
		issuer, ok := a.Connections.Issuer(offer.Connection)
		if !ok {
			return "", again(ErrorShop, "the coupon's shop connection is not configured", time.Minute)
		}
		externalID, err := issuer.Issue(ctx, offer.Offer, code.Code)
		if err != nil && integrations.ClassOf(err) == integrations.Invalid {
			a.Log.ErrorContext(ctx, "the shop refuses to make a code; look at the coupon's discount", "coupon", code.Coupon, "error", err)
			return "", again(ErrorShop, "the shop refuses the code; the log says why", time.Minute)
		}
		return externalID, err
	})
	if errors.Is(err, store.ErrBeingIssued) {
		return again(ErrorChanged, err.Error(), 500*time.Millisecond)
	}
	return err
}

// Withdraw makes this journey's code of a coupon unusable, here and in its shop.
func (a *Activities) Withdraw(ctx context.Context, step Step) (Result, error) {
	return a.perform(ctx, "withdrawing a code", step, func(s *scene) (Result, error) {
		codes, err := a.Store.WithdrawJourneyCode(ctx, s.Journey, s.doc.Withdraw)
		if err != nil {
			return Result{}, err
		}
		return Result{Status: Done}, a.withdrawInShop(ctx, codes)
	})
}

func (a *Activities) withdrawInShop(ctx context.Context, codes []store.ShopCode) error {
	for _, code := range codes {
		issuer, ok := a.Connections.Issuer(code.Connection)
		if !ok {
			return again(ErrorShop, "the coupon's shop connection is not configured", time.Minute)
		}
		offer := integrations.Offer{Coupon: code.Coupon, ExternalID: code.ExternalID}
		if err := issuer.Withdraw(ctx, offer, code.Code); err != nil {
			return err
		}
		if err := a.Store.MarkWithdrawnInShop(ctx, code.AssignmentID); err != nil {
			return err
		}
	}
	return nil
}
