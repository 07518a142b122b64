package worst

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/sandbox"
)

// What a vendor asks to wait is what Temporal is asked to wait; and a loop that
// waits so long doesn't come a moment earlier, as the vendor sees it.
func TestRetryAfter_IsHonoured(t *testing.T) {
	t.Parallel()
	w := open(t, policy{config.Park, 300 * time.Millisecond})
	for name, f := range map[string]sandbox.Fault{
		"429 in seconds": {Kind: sandbox.FaultStatus, Status: 429, RetryAfter: 3600},
		"429 by a date":  {Kind: sandbox.FaultStatus, Status: 429, RetryAfter: 3600, RetryDate: true},
		"503 in seconds": {Kind: sandbox.FaultStatus, Status: 503, RetryAfter: 3600},
	} {
		for _, channel := range []string{"email", "sms"} {
			w.set(channel, f, 1)
			result, attempts := w.send(w.ready(channel), channel, quickly)
			require.Equal(t, activities.Done, result.Status, name)
			asked := delays(attempts)
			require.Len(t, asked, 1, "%s: %+v", name, attempts)
			// A date has whole seconds, and some time passes until it is read.
			require.Greater(t, asked[0], 3600*time.Second-patience, "%s on %s", name, channel)
			require.Less(t, asked[0], 3600*time.Second+w.hands.Limits.Backoff, "%s on %s", name, channel)
		}
	}
	w.set("email", sandbox.Fault{Kind: sandbox.FaultStatus, Status: 429}, 1)
	_, attempts := w.send(w.ready("email"), "email", quickly)
	require.Len(t, delays(attempts), 1)
	require.GreaterOrEqual(t, delays(attempts)[0], w.hands.Limits.Backoff, "without a word about it, the first pause")
	require.Less(t, delays(attempts)[0], 2*w.hands.Limits.Backoff)

	w.set("sms", sandbox.Fault{Kind: sandbox.FaultStatus, Status: 429, RetryAfter: 1}, 1)
	id := w.ready("sms")
	w.send(id, "sms", func(asked time.Duration) time.Duration { return asked })
	var phone string
	require.NoError(t, w.store.Pool.QueryRow(t.Context(), `SELECT address FROM message WHERE journey_id = $1 AND channel = 'sms'`, id).Scan(&phone))
	came := w.log.of(phone)
	require.Len(t, came, 2)
	require.GreaterOrEqual(t, came[1].Sub(came[0]), time.Second)
}

// ready gives a journey at its step for a channel; the second step needs the code
// that the first one claims.
func (w *world) ready(channel string) string {
	id := w.journey()
	if channel == "sms" {
		result, _ := w.send(id, "email", quickly)
		require.Equal(w, activities.Done, result.Status)
		w.quiet()
	}
	return id
}

// delays are what Temporal was asked to wait where the vendor took nothing.
func delays(attempts []attempt) (all []time.Duration) {
	for _, a := range attempts {
		if a.reason == activities.ErrorNotAccepted {
			all = append(all, a.delay)
		}
	}
	return all
}
