package activities

import (
	"context"

	"scrip.dev/scrip/store"
)

// FinishInput is how the workflow wants the journey to end.
type FinishInput struct {
	Journey string `json:"journey"`
	Outcome string `json:"outcome"`
	// Settle says that the outcome is only what the steps came to; a redemption on
	// record is truer.
	Settle bool   `json:"settle,omitempty"`
	Step   string `json:"step,omitempty"`
}

// FinishResult is how it ended.
type FinishResult struct {
	Outcome string `json:"outcome"`
	// Withdraw says that codes made in a shop were never seen and have to be taken
	// back there.
	Withdraw bool `json:"withdraw,omitempty"`
}

// Finish closes the journey in Postgres: its outcome, the codes that nobody saw.
// It may run again and then writes the truer outcome.
func (a *Activities) Finish(ctx context.Context, in FinishInput) (FinishResult, error) {
	step := Step{Journey: in.Journey, ID: in.Step}
	ended, err := a.Store.EndJourney(ctx, store.Ending{Journey: in.Journey, Outcome: in.Outcome, Settle: in.Settle, Step: in.Step})
	if err != nil {
		return FinishResult{}, a.wrap(ctx, "ending a journey", step, err)
	}
	if journey, err := a.Store.Journey(ctx, a.Store.Pool, in.Journey); err == nil {
		a.Observe.Ended(journey.Campaign, ended.Outcome)
	}
	return FinishResult{Outcome: ended.Outcome, Withdraw: len(ended.Withdraw) > 0}, nil
}

// TakeBack deactivates, in their shop, the codes of an ended journey that nobody
// saw.
func (a *Activities) TakeBack(ctx context.Context, step Step) (Result, error) {
	codes, err := a.Store.UnseenShopCodes(ctx, step.Journey)
	if err == nil {
		err = a.withdrawInShop(ctx, codes)
	}
	return Result{Status: Done}, a.wrap(ctx, "taking codes back in the shop", step, err)
}

// ByHandInput is a signal that a person sent in place of a webhook.
type ByHandInput struct {
	Journey string `json:"journey"`
	Kind    string `json:"kind"` // event.CodeRedeemed or event.CodeApplied
	Order   string `json:"order,omitempty"`
}

// RecordByHand puts what a person told by signal before the dispatcher, where it
// takes the webhook's way: recorded once, seen by every campaign.
func (a *Activities) RecordByHand(ctx context.Context, in ByHandInput) (Result, error) {
	raised, err := a.Store.RaiseByHand(ctx, in.Kind, in.Journey, in.Order)
	if err != nil {
		return Result{}, a.wrap(ctx, "recording "+in.Kind+" by hand", Step{Journey: in.Journey}, err)
	}
	if !raised {
		return Result{Status: Skipped, Reason: NoCode}, nil
	}
	return Result{Status: Done}, nil
}
