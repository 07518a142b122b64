package silent_test

import (
	"net/http"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/e2e/walk"
)

var triggerNow = client.ScheduleTriggerOptions{}

// outcomeCases are the ways in which journeys end besides the file's own labels.
var outcomeCases = []proofCase{
	{kind: outcome, reason: "completed", file: "steps:\n  - tag: silent\n", happen: func(s *scene) { s.ended(s.enters(nil)) }},
	{kind: outcome, reason: "redeemed", file: `
steps:
  - assign: NAME
  - wait: 80d
---
coupon: NAME
discount: {percentage: 10}
codes: {generate: "RED-########"}
`, happen: func(s *scene) {
		j := s.enters(nil)
		s.Until(func() bool { return len(s.Show(j.ID).Codes) == 1 }, "a code")
		s.Call(http.MethodPost, "/v1/codes/"+s.Show(j.ID).Codes[0].Code+"/redeem", map[string]any{"order": map[string]any{"id": s.Token, "total": "80.00", "currency": "EUR"}}, nil)
		s.ended(j)
	}},
	{kind: outcome, reason: "timed_out", file: "lifetime: 3h\nsteps:\n  - await:\n      - event: silent.never\n", happen: func(s *scene) { s.ended(s.enters(nil)) }},
	{kind: outcome, reason: "restarted", file: "entry: {while_inside: restart}\n" + inside, happen: func(s *scene) {
		j := s.enters(nil)
		s.Happens(s.event, nil)
		s.ended(j)
	}},
	{kind: outcome, reason: "stopped", file: inside, happen: func(s *scene) {
		j := s.enters(nil)
		s.Call(http.MethodPost, "/v1/campaigns/"+s.campaign+"/stop", nil, nil)
		s.ended(j)
	}},
	{kind: outcome, reason: "erased", file: inside, happen: func(s *scene) {
		j, contact := s.enters(nil), s.Contact()
		s.Call(http.MethodPost, "/v1/contacts/"+contact+"/erase", nil, nil)
		s.endedOf(j, contact)
	}},
	{kind: outcome, reason: "merged", file: inside, happen: func(s *scene) {
		other := s.w.Person(s, "other")
		s.enters(nil)
		j := other.Wants(s.event, s.campaign, nil)
		s.one(other.Customer.Email)
		s.ended(j)
	}},
	// The coupon is gone from the database: no retry can help.
	{kind: outcome, reason: "failed", file: `
steps:
  - wait: 40h
  - assign: NAME
---
coupon: NAME
discount: {percentage: 10}
codes: {generate: "GON-########"}
`, happen: func(s *scene) {
		j := s.enters(nil)
		_, err := s.w.Store.Pool.Exec(s.Context(), `UPDATE coupon SET name = name || '-gone' WHERE name = $1`, s.campaign)
		require.NoError(s, err)
		s.ended(j)
	}},
	// Its workflow was terminated, an hour ago.
	{kind: outcome, reason: "lost", file: inside, happen: func(s *scene) {
		j := s.enters(nil)
		s.Until(func() bool { j = s.Show(j.ID); return j.Status.Waiting != "" }, "the journey to be under way")
		s.Until(func() bool {
			return s.w.Count(s, `SELECT count(*) FROM journey WHERE id = $1 AND started_at IS NOT NULL`, j.ID) == 1
		}, "the start to be acknowledged")
		require.NoError(s, s.temporal.TerminateWorkflow(s.Context(), j.Workflow, "", "proof"))
		_, err := s.w.Store.Pool.Exec(s.Context(), `UPDATE journey SET started_at = now() - interval '2 hours' WHERE id = $1`, j.ID)
		require.NoError(s, err)
		s.upkeep()
		s.ended(j)
	}},
}

func (s *scene) ended(j walk.Journey) {
	s.Helper()
	s.endedOf(j, s.Contact())
}

// endedOf demands what every end leaves behind.
func (s *scene) endedOf(j walk.Journey, contact string) {
	s.Helper()
	require.Equal(s, s.c.reason, s.Ends(j.ID).Outcome)
	s.oneRow(`SELECT count(*) FROM journey WHERE id = $1 AND state = 'ended' AND outcome = $2`, j.ID, s.c.reason)
	// Counted when the row is committed: a moment after it is seen.
	series := `scrip_journeys_ended_total{campaign="` + s.campaign + `",outcome="` + s.c.reason + `"}`
	s.counted("worker", series)
	s.why(contact)
}
