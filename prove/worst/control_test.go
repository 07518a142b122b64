package worst

import (
	"testing"

	"scrip.dev/scrip/prove/control"
)

// Without any one of these, a message is accepted twice.
func TestControl_NeverTwiceOnAChannel(t *testing.T) {
	for _, s := range []control.Safeguard{
		{
			Name: "the ledger's one row a step, written before the call",
			File: "activities/send.go",
			Old:  `SendKey: s.Journey + "/" + s.ID,`,
			New:  `SendKey: store.NewID(s.Journey + "/" + s.ID),`,
		},
		{
			Name: "an attempt that was lost is not free to be made again",
			File: "activities/send.go",
			Old:  `a.Store.EndCall(ctx, m, store.Outcome{State: store.MessageUnknown, Reason: UnknownOutcome})`,
			New:  `a.Store.EndCall(ctx, m, store.Outcome{State: store.MessageReserved})`,
		},
		{
			Name: "an unknown outcome is not one to try again",
			File: "activities/deliver.go",
			Old:  `return store.Outcome{State: store.MessageUnknown, Reason: UnknownOutcome, Detail: vendor.Code + " " + vendor.Detail}, 0`,
			New:  `return store.Outcome{State: store.MessageReserved, Detail: vendor.Code + " " + vendor.Detail}, 0`,
		},
	} {
		t.Run(s.Name, func(t *testing.T) {
			s.Package, s.Proof, s.Says = "./prove/worst", "TestPromise4_NeverTwiceOnAChannel/park", "accepted twice"
			control.Miss(t, s)
		})
	}
}

// Measured by the database's clock alone, a window is over as soon as somebody sets
// that clock.
func TestControl_Clocks(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name:    "what an attempt takes is what both clocks say",
		File:    "store/message_clock.go",
		Old:     `min(m.ago, time.Since(m.Begun()))`,
		New:     `m.ago`,
		Package: "./prove/worst", Proof: "TestClocks_ADatabaseWhoseClockIsSetSendsNothingTwice", Says: "because of a clock",
	})
}
