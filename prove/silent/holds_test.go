package silent_test

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/e2e/walk"
	"scrip.dev/scrip/store"
)

// heldCases are steps that are held until something is mended, released or refilled.
var heldCases = []proofCase{
	{kind: step, reason: "out_of_window", file: "steps:\n  - send: {email: note, between: \"WINDOW\"}\n", happen: func(s *scene) {
		j := s.enters(nil)
		s.held(j, "send", "held until the sending window opens")
	}},
	{kind: step, reason: "waiting_for_codes", file: emptyPool("send: {email: note, coupon: NAME}", "wait"), happen: func(s *scene) {
		j := s.enters(nil)
		s.held(j, "send", "waiting for a code, in order")
		s.Imports(s.campaign, "REFILL-"+s.Token)
		require.Equal(s, "completed", s.Ends(j.ID).Outcome)
	}},
	{kind: step, reason: "waiting_for_codes", way: "assign", file: emptyPool("assign: NAME", "wait"), happen: func(s *scene) {
		s.held(s.enters(nil), "assign", "waiting for a code, in order")
	}},
	{kind: step, reason: "campaign_paused", file: "steps:\n  - wait: 40h\n  - tag: silent\n", happen: func(s *scene) {
		j := s.enters(nil)
		s.Call(http.MethodPost, "/v1/campaigns/"+s.campaign+"/pause", nil, nil)
		s.held(j, "tag", "held while the campaign is paused")
		s.Call(http.MethodPost, "/v1/campaigns/"+s.campaign+"/resume", nil, nil)
		require.Equal(s, "completed", s.Ends(j.ID).Outcome)
	}},
	{kind: step, reason: "paused", file: "steps:\n  - await:\n      - event: silent.goes_on\n  - wait: 1h\n", happen: func(s *scene) {
		j := s.enters(nil)
		s.Until(func() bool { return s.Show(j.ID).Status.Waiting != "" }, "the first wait")
		s.Signal(j.ID, "pause", nil)
		s.Until(func() bool { return s.Show(j.ID).Status.Paused }, "the pause")
		s.Happens("silent.goes_on", nil)
		s.held(j, "wait", "paused by hand")
		s.Signal(j.ID, "resume", nil)
		require.Equal(s, "completed", s.Ends(j.ID).Outcome)
	}},
	{kind: step, reason: "render_error", file: "steps:\n  - send: {email: unrendered}\n", happen: func(s *scene) {
		s.held(s.enters(nil), "send", "held until its template is mended")
	}},
	{kind: step, reason: "expression_error", file: "steps:\n  - if: trigger.size.value > 4\n    then:\n      - tag: large\n", happen: func(s *scene) {
		s.held(s.enters(nil), "if", "held: its condition could not be evaluated")
	}},
	{kind: step, reason: "kill_switch", alone: true, file: note, happen: func(s *scene) {
		s.Call(http.MethodPut, "/v1/kill-switch", map[string]any{"on": true}, nil)
		j := s.enters(nil)
		s.held(j, "send", "held by the kill switch")
		s.Call(http.MethodPut, "/v1/kill-switch", map[string]any{"on": false}, nil)
		require.Equal(s, "completed", s.Ends(j.ID).Outcome)
	}},
	// Nobody dispatches what was accepted while the starter is away, and a message
	// that it may concern is held for it: what shows it is the activity under retry.
	{kind: step, reason: "events_waiting", alone: true, file: "steps:\n  - wait: 40h\n  - send: {email: note}\n", happen: func(s *scene) {
		j := s.enters(nil)
		s.Until(func() bool { j = s.Show(j.ID); return j.Status.Waiting != "" }, "the wait")
		contact := s.Contact()
		s.w.Kill("starter")
		s.Cleanup(func() { require.NoError(s, s.w.Start("starter")) })
		body, err := json.Marshal(map[string]any{"type": "silent.accepted"})
		require.NoError(s, err)
		_, err = s.w.Store.Accept(s.Context(), []store.Incoming{{Connection: store.ConnectionAPI, Topic: "silent.accepted", Key: s.Token, Body: body}})
		require.NoError(s, err)
		shown := ""
		s.w.Until(s, func() bool {
			run, err := s.temporal.DescribeWorkflowExecution(s.Context(), j.Workflow, "")
			require.NoError(s, err)
			for _, a := range run.GetPendingActivities() {
				shown = a.GetLastFailure().GetApplicationFailureInfo().GetType() + ": " + a.GetLastFailure().GetMessage()
			}
			return len(shown) > 2
		}, "the activity to say what it waits for")
		require.Contains(s, shown, "events_waiting: an event that was accepted has not reached the journey yet")
		s.oneRow(`SELECT count(*) FROM delivery_queue JOIN delivery_key USING (delivery_id) WHERE key = $1`, s.Token)
		s.notDone("send", "held")
		said, err := s.w.Store.Why(s.Context(), contact, s.campaign)
		require.NoError(s, err)
		require.Equal(s, s.c.reason, said[0].Reason)
		require.Contains(s, said[0].Sentence, "still on their way")
		require.NoError(s, s.w.Start("starter"))
		require.NoError(s, s.w.Ready("starter"))
		require.Equal(s, "completed", s.Ends(j.ID).Outcome)
	}},
}

// vendorCases are those in which the vendor leaves it open whether it took a
// message.
var vendorCases = []proofCase{
	{kind: step, reason: "unknown_outcome", alone: true, file: "steps:\n  - send: {email: note, connection: park}\n", happen: func(s *scene) {
		j := s.unknown()
		s.held(j, "send", "held until somebody says whether the message was sent")
		s.oneRow(`SELECT count(*) FROM message WHERE journey_id = $1 AND state = 'parked' AND reason = $2`, j.ID, s.c.reason)
		s.counts("worker", `scrip_messages_total{channel="email",connection="park",outcome="parked"}`)
	}},
	{kind: step, reason: "given_up", alone: true, file: "steps:\n  - send: {email: note, connection: park}\n", happen: func(s *scene) {
		j := s.unknown()
		s.Until(func() bool { return s.Show(j.ID).Reason == "unknown_outcome" }, "the message to be parked")
		var id string
		require.NoError(s, s.w.Store.Pool.QueryRow(s.Context(), `SELECT id FROM message WHERE journey_id = $1`, j.ID).Scan(&id))
		s.Call(http.MethodPost, "/v1/unknown/"+id+"/resolve", map[string]any{"verdict": "give_up"}, nil)
		j = s.Ends(j.ID)
		s.oneRow(`SELECT count(*) FROM message WHERE journey_id = $1 AND state = 'refused' AND reason = $2`, j.ID, s.c.reason)
		s.counts("starter", `scrip_messages_skipped_total{channel="email",reason="given_up"}`)
		s.notDone("send", "failed")
		s.why(s.Contact())
	}},
}

// unknown has the vendor break off in the person's message, and shows by a later
// one that its webhooks flow.
func (s *scene) unknown() (j walk.Journey) {
	s.Helper()
	require.NoError(s, s.w.Sandbox.SetFault(sandbox.Fault{Vendor: "sendgrid", Kind: sandbox.FaultReset, Times: 1}))
	j = s.enters(nil)
	s.Until(func() bool {
		return s.w.Count(s, `SELECT count(*) FROM message WHERE journey_id = $1 AND state = 'unknown'`, j.ID) == 1
	}, "the outcome to be unknown")
	later := s.w.Person(s, "later")
	later.Happens(s.event, nil)
	later.Receives(1)
	return j
}

// window is closed now, and opens once a day of the development clock for so short
// that a journey hardly ever meets it.
func window(now time.Time) string {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	opens := now.In(zone).Add(-2 * time.Hour)
	return opens.Format("15:04") + "-" + opens.Add(time.Minute).Format("15:04")
}
