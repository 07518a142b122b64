package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// Types of the errors that reach a history. A history holds no error text from
// anywhere else: it could carry an address or a code.
const (
	ErrorDatabase = "database"
	ErrorVendor   = "vendor"
	ErrorMissing  = "missing"
	ErrorInternal = "internal"

	ErrorNotAccepted = "not_accepted" // the vendor certainly took nothing
	ErrorUnderWay    = "under_way"    // another attempt has the message
	ErrorChanged     = "changed"      // something changed meanwhile: decided anew
	ErrorShop        = "shop"         // the shop doesn't make the code
)

// again is an error that Temporal retries after a while. Its kind is a reason, its
// message says the same to people who look at the UI.
func again(kind, message string, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(message, kind, temporal.ApplicationErrorOptions{
		NextRetryDelay: max(after, 50*time.Millisecond), Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// wrap decides, in this one place, what of an error may be seen in a history and
// whether it is worth another try. The error itself goes to the log.
func (a *Activities) wrap(ctx context.Context, doing string, step Step, err error) error {
	if err == nil {
		return nil
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app // without what was put around it on the way, which may say anything
	}
	kind, permanent := ErrorDatabase, false
	var vendor *integrations.Error
	switch {
	case errors.Is(err, store.ErrNotFound):
		kind, permanent = ErrorMissing, true
	case errors.As(err, &vendor):
		kind = ErrorVendor
		permanent = vendor.Class == integrations.Invalid
	}
	a.Log.WarnContext(ctx, doing+" failed", "journey", step.Journey, "step", step.ID, "kind", kind, "error", err)
	return temporal.NewApplicationErrorWithOptions(doing+" failed", kind, temporal.ApplicationErrorOptions{NonRetryable: permanent})
}
