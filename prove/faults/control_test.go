package faults_test

import (
	"testing"

	"scrip.dev/scrip/prove/control"
)

// impatient is how long a proof that has to fail waits for what never comes.
var impatient = []string{"SCRIP_PROVE_PATIENCE=40s"}

func TestControl_AnAnswerBeforeTheCommitIsMissed(t *testing.T) {
	t.Parallel()
	control.Miss(t, control.Safeguard{
		Name:    "waiting for the commit before a webhook is answered",
		File:    "starter/inbox.go",
		Old:     "	<-a.done\n	return a.accepted, a.err\n",
		New:     "	return a.accepted, nil\n",
		Package: "./prove/faults", Proof: "TestPromise1_NoAcceptedEventIsLost/Postgres_is_killed_and_starts_again",
		Says: "everything that was accepted to be done", Env: impatient,
	})
}

func TestControl_ATemporalThatForgetsIsMissed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ proof, says string }{
		"at one moment": {"TestPromise6_WhateverDiesWhenTheEndIsTheSame/cells/.*/cart-recovery.redeemed_kill_the_server_after_worker_RespondWorkflowTaskCompleted_#1", "--- FAIL: TestPromise6_WhateverDiesWhenTheEndIsTheSame"},
		"in a storm":    {"TestPromise6_InAStormEverybodyArrives", "waited 40s for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			control.Miss(t, control.Safeguard{
				Name:    "what Temporal keeps on disk",
				File:    "prove/world/world.go",
				Old:     "	if w.options.Forgetful {\n",
				New:     "	if !w.options.Forgetful {\n",
				Package: "./prove/faults", Proof: c.proof, Says: c.says, Env: impatient,
			})
		})
	}
}

func TestControl_AWorkflowThatChangedItsMindIsMissed(t *testing.T) {
	t.Parallel()
	control.Miss(t, control.Safeguard{
		Name:    "a change of workflow code that replays what was recorded",
		File:    "workflows/act.go",
		Old:     "	case step.Slow:\n",
		New:     "	case step.Slow && step.Do != campaign.Send:\n",
		Package: "./workflows", Proof: "TestReplay_EveryRecordedHistory",
		Says: "TMPRL1100",
	})
}

func TestControl_AReleaseThatDecidesOtherwiseIsMissed(t *testing.T) {
	t.Parallel()
	control.Miss(t, control.Safeguard{
		Name:    "a change of workflow code that goes on where the previous release stopped",
		File:    "workflows/act.go",
		Old:     "	case step.Slow:\n",
		New:     "	case step.Slow && step.Do != campaign.Send:\n",
		Package: "./prove/faults", Proof: "TestPromise8_JourneysOfThePreviousReleaseEndOnThisOne",
		Says: "the second message of", Env: []string{"SCRIP_PROVE_PATIENCE=90s"},
	})
}

func TestControl_AWorkerThatLeavesItsVendorUnheardIsMissed(t *testing.T) {
	t.Parallel()
	control.Miss(t, control.Safeguard{
		Name:    "waiting for calls that take longer than a workflow task",
		File:    "worker/run.go",
		Old:     "	activities.AwaitSteps(hands)\n",
		New:     "",
		Package: "./prove/faults", Proof: "TestPromise4_AWorkerThatIsToldToStopHearsItsVendorOut",
		Says: "nobody heard what the vendor said", Env: impatient,
	})
}

func TestControl_AClaimOfEachAttemptIsMissed(t *testing.T) {
	t.Parallel()
	control.Miss(t, control.Safeguard{
		Name:    "the one key of a journey's claims",
		File:    "activities/assign.go",
		Old:     "		Key: store.ClaimKey(s.Journey, doc.Coupon, 0), Coupon: doc.Coupon,",
		New:     "		Key: store.ClaimKey(s.Journey, doc.Coupon, int(began.UnixMilli())), Coupon: doc.Coupon,",
		Package: "./prove/faults",
		Proof:   "TestPromise6_WhateverDiesWhenTheEndIsTheSame/cells/.*/cart-recovery.redeemed_kill_the_process_after_worker_assignment,code_#1",
		Says:    `does not contain "CART-`, Env: impatient, // the mail has another code than the first that was claimed
	})
}
