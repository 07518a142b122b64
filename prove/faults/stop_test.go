package faults_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/prove/world"
)

// TestPromise4_AWorkerThatIsToldToStopHearsItsVendorOut has a vendor take longer than a
// message may take inside a workflow task, and the worker be stopped meanwhile: what came
// of the call is written down before the process ends.
func TestPromise4_AWorkerThatIsToldToStopHearsItsVendorOut(t *testing.T) {
	t.Parallel()
	w := world.Open(t, world.Options{Files: world.Errands, Environment: []string{
		"SCRIP_WORKER_CALL_TIMEOUT=8s", "SCRIP_WORKER_REPORT_TIMEOUT=2s", "SCRIP_WORKER_STEP_TIMEOUT=12s"}})
	require.NoError(t, w.Sandbox.SetFault(sandbox.Fault{Vendor: "sendgrid", Kind: sandbox.FaultTimeout, Accept: true, Times: 1}))
	require.NoError(t, w.Sandbox.SetFault(sandbox.Fault{Vendor: "sendgrid", Kind: sandbox.FaultLate, DelayMS: 15_000, Times: 1}))
	load := w.Load(5)
	eventually(t, time.Minute, func() bool { return load.Accepted() > 0 }, "an event to be accepted")
	accepted, _ := load.End()

	w.Until(t, func() bool {
		return w.Count(t, `SELECT count(*) FROM message WHERE state = 'calling' AND called_at < now() - interval '4500 ms'`) == 1
	}, "the call to take too long for a workflow task")
	for _, name := range w.Names() {
		require.NoError(t, w.Stop(name))
	}
	require.Zero(t, w.Count(t, `SELECT count(*) FROM message WHERE state = 'calling'`), "nobody heard what the vendor said")
	require.Equal(t, 1, w.Count(t, `SELECT count(*) FROM message WHERE state = 'unknown'`), "it said nothing, and that is known")

	for _, name := range w.Names() {
		require.NoError(t, w.Start(name))
	}
	w.Until(t, func() bool { return load.Became(t).Sent == accepted }, "all messages to be sent")
	require.Zero(t, load.Became(t).SentTwice)
	proof.Found(t, proof.Finding{Promise: 4, Tried: "a worker told to stop while a vendor takes its time", Times: 1,
		Found: "the outcome was written down before the process ended; taken once"})
}
