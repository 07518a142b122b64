package silent_test

import (
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/e2e/walk"
	"scrip.dev/scrip/prove/world"
)

// scene is one person to whom one reason happens.
type scene struct {
	*walk.Person
	w               *world.World
	c               proofCase
	temporal        client.Client
	campaign, event string
}

// oneRow demands exactly one row, of those that a statement counts.
func (s *scene) oneRow(statement string, args ...any) {
	s.Helper()
	require.Equal(s, 1, s.w.Count(s, statement, args...), "the one row that says %s: %s", s.c.reason, statement)
}

// counts demands that a process has counted up a metric with its labels.
func (s *scene) counts(process, series string) {
	s.Helper()
	page := s.w.Metrics(s, process)
	for line := range strings.Lines(page) {
		if value, ok := strings.CutPrefix(line, series+" "); ok && strings.TrimSpace(value) != "0" {
			return
		}
	}
	name, _, _ := strings.Cut(series, "{")
	var near []string
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, name+"{") {
			near = append(near, line)
		}
	}
	require.Fail(s, "nothing counts "+series, "%s counts:\n%s", process, strings.Join(near, ""))
}

// why demands a sentence of `scrip why` for the reason, and gives it.
func (s *scene) why(contact string) string {
	s.Helper()
	var told struct {
		Explanations []struct{ Campaign, Reason, Sentence string }
	}
	s.Call(http.MethodGet, "/v1/why?contact="+contact+"&campaign="+s.campaign, nil, &told)
	for _, e := range told.Explanations {
		if e.Reason != s.c.reason {
			continue
		}
		bare := strings.HasSuffix(e.Sentence, ": "+strings.ReplaceAll(s.c.reason, "_", " "))
		require.True(s, strings.Contains(e.Sentence, " ") && !bare, "a sentence, not the bare word: %s", e.Sentence)
		return e.Sentence
	}
	require.Fail(s, "`scrip why` doesn't say "+s.c.reason, "%+v", told.Explanations)
	return ""
}

// enters starts the case's campaign for the person.
func (s *scene) enters(fields map[string]any) walk.Journey {
	s.Helper()
	return s.Wants(s.event, s.campaign, fields)
}

// unsent demands what every message that was not sent leaves behind.
func (s *scene) unsent(j walk.Journey, step, state, channel string) {
	s.Helper()
	s.oneRow(`SELECT count(*) FROM message WHERE journey_id = $1 AND step = $2 AND state = $3 AND reason = $4`, j.ID, step, state, s.c.reason)
	s.counts("worker", `scrip_messages_skipped_total{channel="`+channel+`",reason="`+s.c.reason+`"}`)
	s.why(s.Contact())
}

// skips lets the person in and demands that the campaign's message is skipped.
func (s *scene) skips(step, channel string) {
	s.Helper()
	j := s.Ends(s.enters(nil).ID)
	s.unsent(j, step, "skipped", channel)
	s.notDone("send", "skipped")
}

// notDone demands the metric of a step that was not done.
func (s *scene) notDone(verb, status string) {
	s.Helper()
	s.counts("worker", `scrip_steps_not_done_total{campaign="`+s.campaign+`",reason="`+s.c.reason+`",status="`+status+`",verb="`+verb+`"}`)
}

// held demands what every held step leaves behind: in the journey's row, in the
// metrics, in the answer to the status query, in the words that Temporal's UI
// shows, and in `scrip why`.
func (s *scene) held(j walk.Journey, verb, words string) {
	s.Helper()
	s.Until(func() bool { j = s.Show(j.ID); return j.Reason == s.c.reason && j.Status.Held == s.c.reason }, "the journey to be held for %s", s.c.reason)
	s.why(s.Contact())
	require.Equal(s, "parked", j.State)
	s.oneRow(`SELECT count(*) FROM journey WHERE id = $1 AND state = 'parked' AND parked_reason = $2`, j.ID, s.c.reason)
	require.Contains(s, j.Status.Waiting, words)
	answer, err := s.temporal.QueryWorkflow(s.Context(), j.Workflow, "", "__temporal_workflow_metadata")
	require.NoError(s, err)
	var shown sdkpb.WorkflowMetadata
	require.NoError(s, answer.Get(&shown))
	require.Contains(s, shown.CurrentDetails, words)
	require.Contains(s, shown.CurrentDetails, s.c.reason)
	s.notDone(verb, "held")
}

// refused demands what every refused entry leaves behind. The person may never
// have entered.
func (s *scene) refused() {
	s.Helper()
	s.Until(func() bool {
		return s.w.Count(s, `SELECT count(*) FROM refusal r JOIN campaign c ON c.id = r.campaign_id WHERE c.name = $1`, s.campaign) > 0
	}, "the one row that says %s", s.c.reason)
	s.refusedAtOnce()
}

func (s *scene) refusedAtOnce() {
	s.Helper()
	s.oneRow(`SELECT count(*) FROM refusal r JOIN campaign c ON c.id = r.campaign_id WHERE c.name = $1 AND r.reason = $2`, s.campaign, s.c.reason)
	s.oneRow(`SELECT count(*) FROM refusal r JOIN campaign c ON c.id = r.campaign_id WHERE c.name = $1`, s.campaign)
	// Counted when the transaction has committed: a moment after the row is seen.
	s.counted("starter", `scrip_refused_entries_total{campaign="`+s.campaign+`",reason="`+s.c.reason+`"}`)
}

// counted waits until a process has counted what is in the database already.
func (s *scene) counted(process, series string) {
	s.Helper()
	s.Until(func() bool { return strings.Contains(s.w.Metrics(s, process), series+" ") }, "the %s to count %s", process, series)
	s.counts(process, series)
}

// happened waits until the case's event is stored, together with what follows.
func (s *scene) happened(kind string, n int) {
	s.Helper()
	s.Until(func() bool { return s.w.Count(s, `SELECT count(*) FROM event WHERE type = $1`, kind) >= n }, "%s to be dispatched", kind)
}
