package activities

import (
	"context"
	"strings"

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
	// Remarks are kept with what became of the journey's steps.
	Remarks []Remark `json:"remarks,omitempty"`
}

// Remark is why a wait was over at once.
type Remark struct {
	Step   string `json:"step"`
	Reason string `json:"reason"`
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
	for _, r := range in.Remarks {
		if err := a.Store.SaveStepResult(ctx, in.Journey, r.Step, store.StepResult{Status: Done, Reason: r.Reason}); err != nil {
			return FinishResult{}, a.wrap(ctx, "ending a journey", step, err)
		}
	}
	a.ended(ended)
	return FinishResult{Outcome: ended.Outcome, Withdraw: len(ended.Withdraw) > 0}, nil
}

// ended counts a journey's end, and the messages that it kept from going out.
func (a *Activities) ended(ended store.Ended) {
	a.Observe.Ended(ended.Campaign, ended.Outcome)
	for _, channel := range ended.Unsent {
		a.Observe.Skipped(channel, JourneyOver)
	}
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
		return a.nothingByHand(ctx, in)
	}
	return Result{Status: Done}, nil
}

// nothingByHand says that a signal was about a code of a journey that has none.
func (a *Activities) nothingByHand(ctx context.Context, in ByHandInput) (Result, error) {
	step := Step{Journey: in.Journey, ID: strings.ReplaceAll(in.Kind, ".", "_") + "_by_hand"}
	journey, err := a.Store.Journey(ctx, a.Store.Pool, in.Journey)
	if err == nil {
		err = a.Store.SaveStepResult(ctx, in.Journey, step.ID, store.StepResult{Status: Skipped, Reason: NoCode})
	}
	if err != nil {
		return Result{}, a.wrap(ctx, "recording "+in.Kind+" by hand", step, err)
	}
	a.Observe.NotDone(journey.Campaign, "signal", Skipped, NoCode)
	return Result{Status: Skipped, Reason: NoCode}, nil
}
