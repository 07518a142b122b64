package faults_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/e2e/walk"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/prove/world"
)

// previous is the last commit of the release before this one.
const previous = "28d2d6e94c21e26ace192cebaf193ee903067cc4"

// crossing is a campaign whose journeys are inside while the release changes: at a
// wait, then at a send, then at an await.
var crossing = map[string]string{
	"templates/crossing/email.html": "---\nsubject: Before\nlayout: none\n---\n<p>{{ code }}</p>\n",
	"templates/crossing/sms.txt":    "After: {{ code }}",
	"campaigns/crossing.yaml": `
campaign: crossing
trigger: {event: crossing.begun}
entry: {key: event.no}
lifetime: 200d
steps:
  - send: {email: crossing, coupon: crossing-10, kind: transactional}
  - await:
      - event: crossing.continued
      - after: 150d
        then: [{end: forgotten}]
  - wait: 2h
  - send: {sms: crossing, coupon: crossing-10, kind: transactional}
  - await:
      - event: crossing.ended
        then: [{end: crossed}]
      - after: 20d
---
coupon: crossing-10
discount: {percentage: 10}
codes: {generate: "CROSS-##########"}
`}

// TestPromise8_JourneysOfThePreviousReleaseEndOnThisOne has the previous release
// begin journeys, brings this one up beside it, migrations included, while both
// serve, ends the old one, and sees every journey to its end.
func TestPromise8_JourneysOfThePreviousReleaseEndOnThisOne(t *testing.T) {
	t.Parallel()
	count := proof.Size(40, 1000)
	files := maps.Clone(world.Errands)
	maps.Copy(files, crossing)
	w := world.Open(t, world.Options{Binary: previousBinary(t), Files: files, Patience: 20 * time.Minute})
	all := &walk.Person{TB: t, System: w.System}
	everybody := func(kind string) {
		for from := 0; from < count; from += 100 {
			var events []map[string]any
			for no := from; no < min(from+100, count); no++ {
				events = append(events, map[string]any{"id": fmt.Sprintf("%s-%d", kind, no), "type": kind, "fields": map[string]any{"no": no},
					"contact": map[string]any{"email": fmt.Sprintf("crossing-%d@example.com", no), "phone": fmt.Sprintf("+4915113%06d", no)}})
			}
			all.Call(http.MethodPost, "/v1/events", events, nil)
		}
	}
	sent := func(channel string) (n int) {
		for _, m := range w.Sandbox.Messages() {
			if m.Channel == channel && (m.Subject == "Before" || channel == "sms") {
				n++
			}
		}
		return n
	}
	everybody("crossing.begun")
	all.Until(func() bool { return sent("email") == count }, "the old release to begin %d journeys", count)

	// Both releases serve and work for a while, under load.
	load := w.Load(5)
	fresh := []string{w.Add(t, world.Starter, world.Binary(t)), w.Add(t, world.Worker, world.Binary(t))}
	tasks := map[string]*atomic.Int64{world.Worker: {}, fresh[1]: {}}
	for name, count := range tasks {
		_, temporal := w.Wires(name)
		temporal.Watch(func(method string) func() {
			if method == "RespondWorkflowTaskCompleted" {
				count.Add(1)
			}
			return func() {}
		})
	}
	for _, name := range fresh {
		require.NoError(t, w.Start(name))
		require.NoError(t, w.Ready(name))
	}
	answered := load.Accepted() + 5 // what was asked while nobody answered on the new one's address is over
	eventually(t, time.Minute, func() bool { return load.Accepted() >= answered }, "events to be accepted")
	migrated := load.Refused()
	for status := range migrated {
		require.Equal(t, http.StatusBadGateway, status, "the old starter refuses nothing while the new one migrates the database under it")
	}
	together := load.Accepted() + proof.Size(25, 250)
	eventually(t, 5*time.Minute, func() bool { return load.Accepted() >= together }, "both releases to serve")
	everybody("crossing.continued")
	require.Equal(t, migrated, load.Refused(), "both starters accept, in turn")
	for name, count := range tasks {
		require.Positive(t, count.Load(), "%s works beside the other", name)
	}
	require.NoError(t, w.Stop(world.Worker))
	require.NoError(t, w.Stop(world.Starter))

	all.Until(func() bool { return sent("sms") == count }, "the second message of %d journeys", count)
	everybody("crossing.ended")
	var ended, codes, failed int
	all.Until(func() bool {
		require.NoError(t, w.Store.Pool.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE j.outcome = 'crossed'), count(DISTINCT (a.batch_id, a.pos)),
			count(*) FILTER (WHERE j.outcome <> 'crossed') FROM journey j JOIN campaign c ON c.id = j.campaign_id LEFT JOIN assignment a ON a.journey_id = j.id
			WHERE c.name = 'crossing'`).Scan(&ended, &codes, &failed))
		return ended+failed == count
	}, "every journey to end")
	require.Equal(t, count, ended)
	require.Equal(t, count, codes, "each journey has one code, each code one journey")
	for id, times := range w.Taken() {
		require.Equal(t, 1, times, "message %s", id)
	}
	accepted, _ := load.End()
	var became world.Became
	eventually(t, 5*time.Minute, func() bool {
		became = load.Became(t)
		return became.Started+became.Refused >= accepted && became.Unfinished == 0
	}, "the load to be done")
	require.Empty(t, became.Lost)
	require.Empty(t, became.Twice)
	proof.Found(t, proof.Finding{Promise: 8, Tried: "journeys begun by the previous release, ended by this one, both beside each other meanwhile", Times: count,
		Found: fmt.Sprintf("each ended as it should, with one code and two messages; of %d events that came in meanwhile none was lost", accepted)})
}

// previousBinary builds the previous release from the repository's history.
func previousBinary(t *testing.T) string {
	root, dir := world.Root(t), t.TempDir()
	if err := exec.Command("git", "-C", root, "cat-file", "-e", previous+"^{commit}").Run(); err != nil {
		t.Skipf("the previous release, commit %s, isn't in this checkout: fetch its history", previous)
	}
	archive := filepath.Join(dir, "previous.tar")
	run(t, root, "git", "archive", "--output", archive, previous)
	source := filepath.Join(dir, "previous")
	require.NoError(t, os.Mkdir(source, 0o700))
	run(t, source, "tar", "-xf", archive)
	binary := filepath.Join(dir, "scrip")
	run(t, source, "go", "build", "-o", binary, ".")
	return binary
}

func run(t *testing.T, dir, name string, args ...string) {
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
}
