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
			Old:  `return store.Outcome{State: store.MessageUnknown, Reason: UnknownOutcome, Detail: detail}, 0`,
			New:  `return store.Outcome{State: store.MessageReserved, Detail: detail}, 0`,
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
		Env: []string{"SCRIP_PROVE=full"}, // few messages are where a clock is set at the wrong moment
	})
}

// Whoever doesn't look whose turn it is writes under a lease that has passed on.
func TestControl_ALeaseIsCheckedBeforeEachWrite(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name:    "the epoch that every write under a lease checks",
		File:    "store/lease.go",
		Old:     `FROM lease WHERE name = $1 AND epoch = $2 FOR KEY SHARE`,
		New:     `FROM lease WHERE name = $1 AND $2::bigint > 0 FOR KEY SHARE`,
		Package: "./prove/worst", Proof: "TestClocks_ALeaseIsNeverWrittenUnderByTwo", Says: "somebody wrote under a lease",
	})
}

func TestControl_AVendorIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name:    "the vendor's own word about when to come again",
		File:    "activities/limits.go",
		Old:     `	return max(asked, pause) + rand.N(pause/2)`,
		New:     `	return pause + rand.N(pause/2)`,
		Package: "./prove/worst", Proof: "TestRetryAfter_IsHonoured", Says: "is not greater than",
	})
}

func TestControl_AWaitIsReckonedByTheContactsClock(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name:    "the contact's time zone",
		File:    "activities/decide.go",
		Old:     "	zone := a.zone(s)\n	until, reason, err := a.until(ctx, s, wait.Until, zone)\n",
		New:     "	zone := time.UTC\n	until, reason, err := a.until(ctx, s, wait.Until, zone)\n",
		Package: "./prove/worst", Proof: "TestDates_AJourneyWaitsByItsContactsClockThroughItsChanges", Says: "by the contact's clock",
	})
}

func TestControl_ACodeIsUsedOnceUnderAClockThatIsSet(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name:    "the look whether a code was used",
		File:    "store/redeem_reason.go",
		Old:     "	case st.singleUse() && st.codeUses > 0:\n		return ReasonUsed\n",
		New:     "",
		Package: "./prove/worst", Proof: "TestClocks_ACodeIsGivenUsedAndEndedOnceUnderAClockThatIsSet", Says: "used once",
	})
}

func TestControl_AnEntryThatWasPutOffEntersOnce(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name:    "the end of a debounced entry's row when it enters",
		File:    "store/entry_pending.go",
		Old:     "`DELETE FROM pending_entry WHERE id = $1`, id)",
		New:     "`UPDATE pending_entry SET trace = trace WHERE id = $1`, id)",
		Package: "./prove/worst", Proof: "TestClocks_AnEntryThatIsPutOffEntersOnceUnderAClockThatIsSet", Says: "everybody to have entered",
	})
}
