package starter

import (
	"context"
	"errors"
	"net/http"

	"scrip.dev/scrip/store"
)

// guarded runs a look-up of a code within what the caller may miss.
func guarded[T any](a *api, ctx context.Context, look func() (T, error)) (T, error) {
	var out T
	var err error
	refused := a.guesses.look(ctx, keyOf(ctx).ID, addressOf(ctx), func() (exists bool) {
		out, err = look()
		var told *store.Refused
		return !errors.Is(err, store.ErrNotFound) && (!errors.As(err, &told) || told.Reason != store.ReasonNotFound)
	})
	if refused != nil {
		return out, refused
	}
	return out, refusal(err)
}

// refusal is what a caller is told of a code that must not be used.
func refusal(err error) error {
	var refused *store.Refused
	if !errors.As(err, &refused) {
		return err
	}
	status := http.StatusConflict
	if refused.Reason == store.ReasonNotFound {
		status = http.StatusNotFound
	}
	return problem(status, string(refused.Reason), "%s", refusalSentence(refused.Reason))
}

func refusalSentence(reason store.Reason) string {
	return map[store.Reason]string{
		store.ReasonNotFound:     "there is no code that could be used here: it doesn't exist, nobody was given it, or it is somebody else's alone; check how it is written, and send who asks",
		store.ReasonInactive:     "the code was withdrawn, or its coupon is switched off",
		store.ReasonNotYetValid:  "the coupon isn't valid yet",
		store.ReasonExpired:      "the code has expired",
		store.ReasonUsed:         "the code is for one use, and it was used",
		store.ReasonHeld:         "the code is set aside at another checkout; try again when that is over",
		store.ReasonMinOrder:     "the order is too small for the coupon; send the order's total, or ask for more in the cart",
		store.ReasonPerContact:   "this person has used the coupon as often as it may be used",
		store.ReasonLimitReached: "all uses of the coupon are taken",
		store.ReasonBudget:       "the discount doesn't fit into what is left of the coupon's budget",
	}[reason]
}
