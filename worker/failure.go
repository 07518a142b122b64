package worker

import (
	"errors"
	"log/slog"

	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"scrip.dev/scrip/codec"
	"scrip.dev/scrip/store"
)

// Failures keeps foreign error texts out of histories: they can carry an address,
// a code or a statement's values. What isn't an error of Temporal's or of our
// activities becomes "internal error" with a reference under which the log has it.
type Failures struct {
	converter.FailureConverter
	log *slog.Logger
}

// NewFailures makes the converter that clients and workers share. Where payloads
// are encrypted, messages and stack traces of errors are too.
func NewFailures(payloads *codec.Codec, log *slog.Logger) *Failures {
	return &Failures{log: log, FailureConverter: temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: codec.Converter(payloads), EncodeCommonAttributes: payloads.On(),
	})}
}

// ErrorToFailure is the converter's outgoing side.
func (f *Failures) ErrorToFailure(err error) *failurepb.Failure {
	if known(err) {
		return f.FailureConverter.ErrorToFailure(err)
	}
	reference := store.NewID("er")
	f.log.Error("internal error", "reference", reference, "error", err)
	return f.FailureConverter.ErrorToFailure(temporal.NewApplicationError("internal error "+reference, "internal"))
}

// FailureToError is the converter's incoming side. The SDK decrypts a failure where
// it stands, which may be a marker that is on its way into the history.
func (f *Failures) FailureToError(failure *failurepb.Failure) error {
	return f.FailureConverter.FailureToError(proto.CloneOf(failure))
}

// known says whether an error, and every cause below it, was made by Temporal or
// by our activities' wrap. Panics are not: their text is anybody's.
func known(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		switch err.(type) {
		case *temporal.ApplicationError, *temporal.CanceledError, *temporal.TimeoutError, *temporal.TerminatedError,
			*temporal.ServerError, *temporal.ActivityError, *temporal.ChildWorkflowExecutionError:
		default:
			return false
		}
	}
	return true
}
