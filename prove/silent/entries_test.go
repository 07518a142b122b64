package silent_test

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/require"
)

const inside = "steps:\n  - wait: 80d\n"

// entryCases are people who do not enter, and why.
var entryCases = []proofCase{
	{kind: entry, reason: "where", file: "trigger:\n  event: EVENT\n  where: event.size > 5\n" + inside, happen: func(s *scene) {
		s.Happens(s.event, map[string]any{"size": 1})
		s.happened(s.event, 1) // in the same transaction
		s.refusedAtOnce()
		s.why(s.Contact())
	}},
	{kind: entry, reason: "expression_error", file: "trigger:\n  event: EVENT\n  where: event.size > 5\n" + inside, happen: func(s *scene) {
		s.turnedAway(nil)
		s.counts("starter", `scrip_expression_errors_total{campaign="`+s.campaign+`"}`)
	}},
	{kind: entry, reason: "cooldown", file: "entry: {cooldown: 80d}\nsteps:\n  - tag: silent\n", happen: func(s *scene) {
		s.Ends(s.enters(nil).ID)
		s.turnedAway(nil)
	}},
	{kind: entry, reason: "already_entered", file: "entry: {key: event.no}\nsteps:\n  - tag: silent\n", happen: func(s *scene) {
		s.Ends(s.enters(map[string]any{"no": "1"}).ID)
		s.turnedAway(map[string]any{"no": "1"})
	}},
	{kind: entry, reason: "inside", file: inside, happen: func(s *scene) {
		s.enters(nil)
		s.turnedAway(nil)
	}},
	{kind: entry, reason: "already_exited", file: "exit:\n  - event: EVENT_over\n" + inside, happen: func(s *scene) {
		s.Happens(s.event+"_over", nil)
		s.happened(s.event+"_over", 1)
		s.says(map[string]any{"type": s.event, "occurred_at": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)})
		s.refused()
		s.why(s.Contact())
	}},
	{kind: entry, reason: "exited", file: waitsOut + "exit:\n  - event: EVENT_over\n" + inside, happen: func(s *scene) {
		s.waits(s.Person.Customer.Email, nil)
		s.Happens(s.event+"_over", nil)
		s.refused()
		s.why(s.Contact())
	}},
	// Nobody is known of whom `scrip why` could be asked: the campaign shows it.
	{kind: entry, reason: "no_contact", file: inside, happen: func(s *scene) {
		s.Call(http.MethodPost, "/v1/events", map[string]any{"id": s.Token, "type": s.event}, nil)
		s.refused()
		var shown struct {
			Refusals []struct{ Name, Reason string }
		}
		status, body := s.Try(http.MethodGet, "/v1/campaigns/"+s.campaign, nil)
		require.Equal(s, http.StatusOK, status)
		s.Decode(body, &shown)
		require.Len(s, shown.Refusals, 1)
		require.Contains(s, string(body), "no_contact")
	}},
	{kind: entry, reason: "no_key", file: "entry: {key: event.no}\n" + inside, happen: func(s *scene) { s.turnedAway(nil) }},
	{kind: entry, reason: "paused", file: inside, happen: func(s *scene) {
		s.Call(http.MethodPost, "/v1/campaigns/"+s.campaign+"/pause", nil, nil)
		s.turnedAway(nil)
	}},
	{kind: entry, reason: "draining", file: inside, happen: func(s *scene) {
		s.Call(http.MethodPost, "/v1/campaigns/"+s.campaign+"/drain", nil, nil)
		s.turnedAway(nil)
	}},
	{kind: entry, reason: "stopped", file: inside, happen: func(s *scene) {
		s.Call(http.MethodPost, "/v1/campaigns/"+s.campaign+"/stop", nil, nil)
		s.turnedAway(nil)
	}},
	{kind: entry, reason: "stopped", way: "while it waited", file: waitsOut + inside, happen: func(s *scene) {
		s.waits(s.Customer.Email, nil)
		s.Call(http.MethodPost, "/v1/campaigns/"+s.campaign+"/stop", nil, nil)
		s.refused()
		s.why(s.Contact())
	}},
	{kind: entry, reason: "unreadable_version", file: inside, happen: func(s *scene) {
		s.newerBuild()
		s.turnedAway(nil)
	}},
}

// turnedAway has the person knock, and demands that the refusal is told.
func (s *scene) turnedAway(fields map[string]any) {
	s.Helper()
	s.Happens(s.event, fields)
	s.refused()
	s.why(s.Contact())
}

// says sends an event of the person as it is written.
func (s *scene) says(event map[string]any) {
	s.Helper()
	event["id"], event["contact"] = s.Token, map[string]any{"email": s.Customer.Email}
	s.Call(http.MethodPost, "/v1/events", event, nil)
}

// newerBuild applies a version of the case's campaign with a verb that this build
// doesn't know.
func (s *scene) newerBuild() {
	s.Helper()
	source := "campaign: " + s.campaign + "\ntrigger: {event: " + s.event + "}\nexit:\n  - event: " + s.event + "_over\nsteps:\n  - teleport: home\n"
	for _, statement := range []string{
		`INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 2, $2, 2, sha256(convert_to($2, 'UTF8')) FROM campaign WHERE name = $1`,
		`UPDATE campaign SET version_no = 2 WHERE name = $1 AND $2 <> ''`,
	} {
		_, err := s.w.Store.Pool.Exec(s.Context(), statement, s.campaign, source)
		require.NoError(s, err)
	}
}
