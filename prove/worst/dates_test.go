package worst

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/workflows"
)

// stops is where a journey waits, one after the other, and the moment until which,
// by the contact's clock.
type stops struct {
	zone  string
	began string
	waits [][2]string // the wait as the file has it, and when it ends
}

// In 2028, a leap year, Berlin's clocks go from 02:00 to 03:00 on 26 March and from
// 03:00 to 02:00 on 29 October; New York's from 02:00 to 03:00 on 12 March and from
// 02:00 to 01:00 on 5 November; Lord Howe's by half an hour only, from 02:00 to 01:30
// on 2 April and from 02:00 to 02:30 on 1 October.
var journeysThroughTheYear = []stops{
	{"Europe/Berlin", "2028-02-28T20:00:00+01:00", [][2]string{
		{`{for: 1h, at: "02:30"}`, "2028-02-29T02:30:00+01:00"}, // a day that other years don't have
		{`{for: 1d, at: "02:30"}`, "2028-03-01T02:30:00+01:00"},
		{`{until: "2028-03-25 12:00", at: "02:30"}`, "2028-03-26T03:00:00+02:00"}, // 02:30 is skipped
		{`{for: 1h, at: "02:30"}`, "2028-03-27T02:30:00+02:00"},                   // and comes again the next day
		{`{until: "2028-10-28 12:00", at: "02:30"}`, "2028-10-29T02:30:00+02:00"}, // the first of two
		{`{for: 30m, at: "02:30"}`, "2028-10-30T02:30:00+01:00"},                  // not the second
		{`{for: 1h, between: "02:30-03:30"}`, "2028-10-31T02:30:00+01:00"},
	}},
	{"America/New_York", "2028-02-28T20:00:00-05:00", [][2]string{
		{`{for: 1h, at: "02:30"}`, "2028-02-29T02:30:00-05:00"},
		{`{until: "2028-03-11 12:00", at: "02:30"}`, "2028-03-12T03:00:00-04:00"},
		{`{until: "2028-11-04 12:00", at: "01:30"}`, "2028-11-05T01:30:00-04:00"},
		{`{for: 30m, at: "01:30"}`, "2028-11-06T01:30:00-05:00"},
	}},
	{"Australia/Lord_Howe", "2028-02-28T20:00:00+11:00", [][2]string{
		{`{for: 1h, at: "02:30"}`, "2028-02-29T02:30:00+11:00"},
		{`{until: "2028-04-01 12:00", at: "01:45"}`, "2028-04-02T01:45:00+11:00"},
		{`{until: "2028-09-30 12:00", at: "02:10"}`, "2028-10-01T02:30:00+11:00"},
	}},
}

// A journey goes through a year in skipped time, with the real activities and the
// real database, and ends each of its waits when the contact's clock says so.
func TestDates_AJourneyWaitsByItsContactsClockThroughItsChanges(t *testing.T) {
	t.Parallel()
	w := open(t, policy{config.Park, patience})
	waits := 0
	for i, j := range journeysThroughTheYear {
		want := make([]string, len(j.waits))
		for k, wait := range j.waits {
			want[k] = wait[1]
		}
		require.Equal(t, want, w.through(fmt.Sprint("year-", i), j), "by the contact's clock in %s", j.zone)
		waits += len(j.waits)
	}
	proof.Found(t, proof.Finding{Promise: 6, Times: waits,
		Tried: fmt.Sprintf("waits for a time of day, of journeys through 29 February and the changes of the clocks in %d zones", len(journeysThroughTheYear)),
		Found: "each ended when the contact's clock said so; a time that was skipped came at the first minute after, one that came twice the first time"})
}

// through takes a journey through its waits and gives when each of them ended.
func (w *world) through(name string, j stops) (ended []string) {
	source := "campaign: " + name + "\ntrigger: manual\nlifetime: 400d\nsteps:\n"
	for i, wait := range j.waits {
		source += fmt.Sprintf("  - wait: %s\n  - tag: stop-%d\n", wait[0], i)
	}
	file, problems := campaign.Parse("year.yaml", []byte(source))
	require.Empty(w, problems.Errors())
	program, err := file.Campaigns[0].Compile(1)
	require.NoError(w, err)
	id := w.journey()
	sum := sha256.Sum256([]byte(source))
	w.exec(`WITH c AS (INSERT INTO campaign (name, version_no) VALUES ($1, 1) RETURNING id),
		v AS (INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 1, $2, 1, $3 FROM c)
		UPDATE journey SET campaign_id = c.id FROM c WHERE journey.id = $4`, name, file.Campaigns[0].Source, sum[:], id)
	w.exec(`UPDATE contact SET time_zone = $1 WHERE id = (SELECT contact_id FROM journey WHERE id = $2)`, j.zone, id)
	zone, err := time.LoadLocation(j.zone)
	require.NoError(w, err)
	began, err := time.Parse(time.RFC3339, j.began)
	require.NoError(w, err)

	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(began)
	env.SetTestTimeout(patience)
	env.RegisterWorkflow(workflows.Journey)
	env.RegisterActivity(w.hands)
	note := func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		now := env.Now().In(zone).Truncate(time.Second).Format(time.RFC3339)
		// A step that was slow is done again by another activity, at the same moment.
		if strings.HasSuffix(info.ActivityType.Name, "Tag") && (len(ended) == 0 || ended[len(ended)-1] != now) {
			ended = append(ended, now)
		}
	}
	env.SetOnActivityStartedListener(note)
	env.SetOnLocalActivityStartedListener(func(info *activity.Info, ctx context.Context, _ []any) { note(info, ctx, nil) })
	env.ExecuteWorkflow(workflows.Journey, workflows.JourneyInput{Journey: id, Plan: program.Plan})
	require.True(w, env.IsWorkflowCompleted())
	require.NoError(w, env.GetWorkflowError())
	return ended
}
