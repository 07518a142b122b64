package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

const unseenCodes = `SELECT count(*) FROM assignment WHERE state = 'held' AND exposed_at IS NULL`

// ended ends the journey and says whether its code went back.
func (d *desk) ended() bool {
	_, err := d.store.EndJourney(d.Context(), store.Ending{Journey: d.journey, Outcome: "completed"})
	require.NoError(d, err)
	return d.count(`SELECT count(*) FROM assignment WHERE state = 'returned'`) == 1
}

func TestSend_WhatTheVendorCertainlyDidNotTakeUsesUpNoCode(t *testing.T) {
	for name, answers := range map[string][]error{
		"refused":            {failure(integrations.Invalid)},
		"put off":            {failure(integrations.RateLimited), failure(integrations.Retry)},
		"put off, refused":   {failure(integrations.Retry), failure(integrations.Suppressed)},
		"connection is shut": {failure(integrations.Auth)},
	} {
		t.Run(name, func(t *testing.T) {
			d := setup(t)
			d.vendor.answers = answers
			for range answers {
				_, _ = d.send()
			}
			require.Equal(t, len(answers), d.vendor.calls())
			require.Equal(t, 1, d.count(unseenCodes), "the journey keeps it for what comes next")
			require.True(t, d.ended())
		})
	}
}

func TestSend_ACodeThatMayHaveArrivedIsUsedUpWhateverComesLater(t *testing.T) {
	d := setup(t)
	d.outlets.outlet.Resend = true
	d.vendor.answers = []error{failure(integrations.Unknown), failure(integrations.Invalid)}
	_, err := d.send()
	d.retried(err)
	m := d.message()
	moved, err := d.store.Settle(t.Context(), m, store.Outcome{State: store.MessageReserved, Resend: true})
	require.NoError(t, err)
	require.True(t, moved)
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Failed, result.Status)
	require.Zero(t, d.count(unseenCodes), "the first attempt may have arrived")
	require.False(t, d.ended())
}

func TestSend_AnAttemptThatTheVendorDoesNotKnowUsesUpNoCode(t *testing.T) {
	d := setup(t)
	d.vendor.answers = []error{failure(integrations.Unknown), failure(integrations.Invalid)}
	_, err := d.send()
	d.retried(err)
	require.Zero(t, d.count(unseenCodes))
	moved, err := d.store.Settle(t.Context(), d.message(), store.Outcome{State: store.MessageReserved})
	require.NoError(t, err)
	require.True(t, moved)
	require.Equal(t, 1, d.count(unseenCodes), "it was looked for and not found")
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Failed, result.Status)
	require.True(t, d.ended(), "nobody saw it: it goes back")
}

func TestRecordEvidence_WinsOverARefusalOfALaterAttempt(t *testing.T) {
	d := setup(t)
	d.outlets.outlet.Resend = true
	d.vendor.answers = []error{failure(integrations.Unknown), failure(integrations.Invalid)}
	_, err := d.send()
	d.retried(err)
	_, err = d.store.Settle(t.Context(), d.message(), store.Outcome{State: store.MessageReserved, Resend: true})
	require.NoError(t, err)
	_, err = d.send()
	require.NoError(t, err)
	require.Equal(t, store.MessageRefused, d.message().State)
	require.NoError(t, d.store.RecordEvidence(t.Context(), d.store.Pool, []string{"email"},
		event.Evidence{MessageID: d.message().ID, Status: event.StatusDelivered, At: time.Now()}))
	m := d.message()
	require.Equal(t, store.MessageAccepted, m.State)
	require.Empty(t, m.Reason)
	require.Equal(t, event.StatusDelivered, m.Delivery)
}

func TestSend_EvidenceThatItArrivedAfterAllUsesUpTheCode(t *testing.T) {
	d := setup(t)
	d.vendor.answers = []error{failure(integrations.Retry)}
	_, err := d.send()
	d.retried(err)
	require.Equal(t, 1, d.count(unseenCodes))
	require.NoError(t, d.store.RecordEvidence(t.Context(), d.store.Pool, []string{"email"},
		event.Evidence{MessageID: d.message().ID, VendorID: "v1", Status: event.StatusDelivered, At: time.Now()}))
	require.False(t, d.ended())
}

func TestSend_ARefusalAfterTheJourneyEndedReturnsTheCode(t *testing.T) {
	d := setup(t)
	ctx := t.Context()
	got, err := d.store.Claim(ctx, store.Claim{Key: store.ClaimKey(d.journey, "hello-10", 0), Coupon: "hello-10", JourneyID: d.journey, ContactID: d.contact})
	require.NoError(t, err)
	begun, err := d.store.BeginCall(ctx, store.Message{SendKey: "k", JourneyID: d.journey, Step: "s", Channel: "email", Kind: "marketing",
		Connection: "email", AssignmentID: got.Assignment.ID}, time.Minute, func(*store.Tx) (bool, error) { return true, nil })
	require.NoError(t, err)
	require.False(t, d.ended(), "it may be arriving")
	moved, err := d.store.EndCall(ctx, begun, store.Outcome{State: store.MessageRefused, Reason: activities.VendorRefused})
	require.NoError(t, err)
	require.True(t, moved)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM assignment WHERE state = 'returned'`))
}

func TestSend_EveryCodeThatAMessagePrintsIsSeen(t *testing.T) {
	d := setup(t)
	d.exec(`INSERT INTO template_version (name, no, files, sha256) VALUES ('hello', 2, $1, 'y')`,
		map[string]string{"email.html": "---\nsubject: Hello\nlayout: none\n---\n<p>{{ code }} {{ codes.other.code }} {{ unsubscribe_url }}</p>"})
	d.exec(`UPDATE template SET version_no = 2`)
	d.exec(`INSERT INTO coupon (name, source, sha256, pool) SELECT 'other', source, sha256, pool FROM coupon`)
	d.exec(`INSERT INTO batch (coupon_id, kind, head, tail, next_pos) SELECT id, 'import', 1, 1, 1 FROM coupon WHERE name = 'other'`)
	d.exec(`INSERT INTO code (batch_id, pos, code, code_norm) SELECT max(id), 0, 'OTHER-1', 'OTHER-1' FROM batch`)
	d.exec(`INSERT INTO assignment (claim_key, coupon_id, journey_id, batch_id, pos)
		SELECT 'x', cp.id, $1, b.id, 0 FROM coupon cp JOIN batch b ON b.coupon_id = cp.id WHERE cp.name = 'other'`, d.journey)
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Done, result.Status)
	require.Contains(t, d.vendor.sent[0].HTML, "OTHER-1")
	require.Zero(t, d.count(unseenCodes))
}
