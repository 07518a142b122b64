package secrets_test

import (
	"testing"

	"scrip.dev/scrip/prove/control"
)

const thisProof = "TestPromise7_HistoriesHoldIdsNeverPersonalData"

func TestControl_TheTextOfAnErrorInAHistory(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "that errors carry no text from elsewhere", File: "activities/errors.go",
		Old:     `temporal.NewApplicationErrorWithOptions(doing+" failed", kind, temporal.ApplicationErrorOptions{NonRetryable: permanent})`,
		New:     `temporal.NewApplicationErrorWithOptions(doing+" failed: "+err.Error(), kind, temporal.ApplicationErrorOptions{NonRetryable: permanent})`,
		Package: "./prove/secrets", Proof: thisProof, Says: "in the description of everything/",
	})
}

func TestControl_ThePanicOfAVendorsFolder(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "that a panic's text goes nowhere", File: "worker/panic.go",
		Old:     `info.ActivityType.Name+" panicked; the log says where"`,
		New:     `fmt.Sprint(failure)`,
		Package: "./prove/secrets", Proof: thisProof, Says: "in a trace",
	})
}

func TestControl_TheValuesThatErrorsQuoteInTheLog(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "that errors are logged without what they quote", File: "logging/private.go",
		Old:     `slog.StringValue(Private(err))`,
		New:     `slog.StringValue(err.Error())`,
		Package: "./prove/secrets", Proof: thisProof, Says: "in the log",
	})
}
