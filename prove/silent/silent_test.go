package silent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/prove/control"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/prove/world"
)

// proofCase brings one reason about and looks for all that has to tell of it.
type proofCase struct {
	kind, reason string
	way          string // where one reason has several: "assign"
	alone        bool   // it disturbs others: it is brought about after them
	long         bool   // it takes a minute or more: only at full size
	file         string // its campaign without the head; NAME and EVENT stand for the case's own
	happen       func(*scene)
}

// slug names the case, and its campaign and its events.
func (c proofCase) slug() string {
	words := strings.FieldsFunc(strings.ToLower(c.kind+" "+c.reason+" "+c.way), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	name := strings.Join(words, "-")
	return strings.TrimRight(name[:min(len(name), 50)], "-")
}

// event is what starts the case's campaign.
func (c proofCase) event() string { return "silent." + strings.ReplaceAll(c.slug(), "-", "_") }

func allCases() []proofCase {
	return slices.Concat(stepCases, heldCases, waitCases, vendorCases, entryCases, peopleCases, outcomeCases, letterCases, hookCases)
}

// panics can be brought about only by a defect; the starter's own tests make one.
const panics = "dispatching panicked:"

// TestPromise9_NothingIsSilent brings about every reason that the program knows for
// not doing something, and demands of each its one row, its metric, its words where
// people look, and a sentence of `scrip why`.
func TestPromise9_NothingIsSilent(t *testing.T) {
	t.Parallel()
	cases := allCases()
	everyReasonHasACase(t, cases)
	w := world.Open(t, world.Options{Hour: 250 * time.Millisecond, Files: project(cases)})
	temporal, err := client.Dial(client.Options{HostPort: w.TemporalAddress()})
	require.NoError(t, err)
	t.Cleanup(temporal.Close)
	dropConnections(t, w)

	times := 0
	run := func(c proofCase) func(*testing.T) {
		times++
		return func(t *testing.T) {
			if !c.alone {
				t.Parallel()
			}
			c.happen(&scene{Person: w.Person(t, c.slug()[:min(len(c.slug()), 30)]), w: w, c: c, temporal: temporal, campaign: c.slug(), event: c.event()})
		}
	}
	for _, alone := range []bool{false, true} {
		t.Run(map[bool]string{false: "together", true: "alone"}[alone], func(t *testing.T) {
			for _, c := range cases {
				if c.alone == alone && (!c.long || proof.Full()) {
					t.Run(c.slug(), run(c))
				}
			}
		})
	}
	if !t.Failed() {
		proof.Found(t, proof.Finding{Promise: 9, Tried: "bringing about every reason for not doing something", Times: times,
			Found: "each left its row, counted in the metrics of the process that decided, and is said in words"})
	}
}

// everyReasonHasACase fails where the program has learnt a reason that nothing here
// brings about, or a sentence for one that it doesn't have.
func everyReasonHasACase(t *testing.T, cases []proofCase) {
	known := reasons(t)
	for kind, all := range known {
		for _, reason := range all {
			found := reason == panics || slices.ContainsFunc(cases, func(c proofCase) bool { return c.kind == kind && c.reason == reason })
			require.True(t, found, "nothing brings about the %s reason %q", kind, reason)
		}
	}
	for _, c := range cases {
		require.Contains(t, known[c.kind], c.reason, "the program has no such %s reason", c.kind)
	}
	require.ElementsMatch(t, known[entry], sentences(t, "refusalSentences"))
	require.ElementsMatch(t, known[outcome], sentences(t, "outcomeSentences"))
	said := append(sentences(t, "parkedSentences"), sentences(t, "skipSentences")...)
	for _, reason := range known[step] {
		if reason != "events_waiting" { // it lasts until the event has reached its journey
			require.Contains(t, said, reason)
		}
	}
	require.Subset(t, known[step], said)
}

// project is the cases' campaigns, and the texts that they send.
func project(cases []proofCase) map[string]string {
	files := map[string]string{
		"templates/note/email.html":       "---\nsubject: Note\nlayout: none\n---\n<p>Note</p>\n",
		"templates/note/sms.txt":          "Note\n",
		"templates/unrendered/email.html": "---\nsubject: Note\nlayout: none\n---\n<p>" + brokenText[:strings.Index(brokenText, " {{ code")] + "</p>\n",
		"scrip.yaml":                      world.Settings + spareConnections,
	}
	for _, c := range cases {
		if c.file == "" {
			continue
		}
		text := strings.NewReplacer("NAME", c.slug(), "EVENT", c.event(), "WINDOW", window(time.Now())).Replace(c.file)
		head := fmt.Sprintf("campaign: %s\n", c.slug())
		if !strings.Contains(text, "trigger:") {
			head += fmt.Sprintf("trigger: {event: %s}\n", c.event())
		}
		files["campaigns/"+c.slug()+".yaml"] = head + strings.TrimPrefix(text, "\n")
	}
	return files
}

// spareConnections are one that isn't live, one that writes to one address only,
// and two that the worker's settings will lack.
const (
	spareConnections = `
  quiet:
    kind: sendgrid
    evidence_window: 3s
    api_key: ${SCRIP_SANDBOX_SENDGRID_KEY}
    webhook_public_key: ${SCRIP_SANDBOX_SENDGRID_PUBLIC_KEY}
    from: shop@example.com
    base_url: ${SCRIP_SANDBOX_URL}/sendgrid
  chosen:
    kind: sendgrid
    sandbox: true
    only_to: [owner@example.com]
    evidence_window: 3s
    api_key: ${SCRIP_SANDBOX_SENDGRID_KEY}
    webhook_public_key: ${SCRIP_SANDBOX_SENDGRID_PUBLIC_KEY}
    from: shop@example.com
    base_url: ${SCRIP_SANDBOX_URL}/sendgrid
  park:
    kind: sendgrid
    sandbox: true
    evidence_window: 5s
    on_unknown: park
    api_key: ${SCRIP_SANDBOX_SENDGRID_KEY}
    webhook_public_key: ${SCRIP_SANDBOX_SENDGRID_PUBLIC_KEY}
    from: shop@example.com
    base_url: ${SCRIP_SANDBOX_URL}/sendgrid
` + missingConnections
	missingConnections = `  spare:
    kind: sendgrid
    sandbox: true
    api_key: ${SCRIP_SANDBOX_SENDGRID_KEY}
    webhook_public_key: ${SCRIP_SANDBOX_SENDGRID_PUBLIC_KEY}
    from: shop@example.com
    base_url: ${SCRIP_SANDBOX_URL}/sendgrid
  other:
    kind: http
    base_url: ${SCRIP_SANDBOX_URL}/other
    allow_private: true
`
)

// dropConnections restarts the worker with settings that lack what campaigns use.
func dropConnections(t *testing.T, w *world.World) {
	settings := strings.Replace(world.Settings+spareConnections, missingConnections, "", 1)
	settings = strings.Replace(settings, "  growth: {email: growth@example.com}\n", "", 1)
	w.Write(t, map[string]string{"scrip.yaml": settings})
	require.NoError(t, w.Stop("worker"))
	require.NoError(t, w.Start("worker"))
	require.NoError(t, w.Ready("worker"))
}

func TestControl_ASkippedMessageIsARow(t *testing.T) {
	t.Parallel()
	control.Miss(t, control.Safeguard{
		Name: "the row of a skipped message", File: "activities/send.go",
		Old: `	if err := a.Store.SkipMessage(ctx, a.Store.Pool, m, reason); err != nil {
		return Result{}, err
	}
`,
		Package: "./prove/silent", Proof: "TestPromise9_NothingIsSilent/together/step-no-consent", Says: "the one row that says no_consent",
	})
}

func TestControl_ARefusedEntryIsARow(t *testing.T) {
	t.Parallel()
	control.Miss(t, control.Safeguard{
		Name: "the row of a refused entry", File: "starter/entries.go",
		Old:     `	return s.Store.Refuse(ctx, s.tx, r)`,
		New:     `	_ = r; return nil`,
		Package: "./prove/silent", Proof: "TestPromise9_NothingIsSilent/together/entry-where", Says: "the one row that says where",
	})
}
