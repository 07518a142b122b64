package worker

import (
	"errors"
	"log/slog"

	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"scrip.dev/scrip/store"
)

// Failures keeps foreign error texts out of histories: they can carry an address,
// a code or a statement's values. What isn't an error of Temporal's or of our
// activities becomes "internal error" with a reference under which the log has it.
type Failures struct {
	converter.FailureConverter
	log *slog.Logger
}

// NewFailures makes the converter that clients and workers share.
func NewFailures(log *slog.Logger) *Failures {
	return &Failures{FailureConverter: temporal.GetDefaultFailureConverter(), log: log}
}

// ErrorToFailure is the converter's outgoing side.
func (f *Failures) ErrorToFailure(err error) *failurepb.Failure {
	if err == nil || known(err) {
		return f.FailureConverter.ErrorToFailure(err)
	}
	reference := store.NewID("er")
	f.log.Error("internal error", "reference", reference, "error", err)
	return f.FailureConverter.ErrorToFailure(temporal.NewApplicationError("internal error "+reference, "internal"))
}

// known says whether an error was made by Temporal or by our activities' wrap.
// Panics are not: their text is anybody's.
func known(err error) bool {
	var (
		panicked    *temporal.PanicError
		application *temporal.ApplicationError
		canceled    *temporal.CanceledError
		timeout     *temporal.TimeoutError
		terminated  *temporal.TerminatedError
		server      *temporal.ServerError
		activity    *temporal.ActivityError
		child       *temporal.ChildWorkflowExecutionError
	)
	if errors.As(err, &panicked) {
		return false
	}
	return errors.As(err, &application) || errors.As(err, &canceled) || errors.As(err, &timeout) || errors.As(err, &terminated) ||
		errors.As(err, &server) || errors.As(err, &activity) || errors.As(err, &child)
}
