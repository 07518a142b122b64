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
)

// again is an error that Temporal retries after a while, and that says nothing
// but its reason.
func again(reason string, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(reason, reason, temporal.ApplicationErrorOptions{
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
		return err
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
