package silent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/e2e/walk"
	"scrip.dev/scrip/prove/control"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/prove/world"
)

// reader is somebody whose journey entered with one version.
type reader struct {
	*walk.Person
	edition
	level int
}

// TestPromise8_ARunningJourneyKeepsItsVersion changes a campaign twice while people
// are inside, kills the processes meanwhile, and looks at what each journey did.
func TestPromise8_ARunningJourneyKeepsItsVersion(t *testing.T) {
	t.Parallel()
	w := world.Open(t, world.Options{Hour: 250 * time.Millisecond, Patience: proof.Size(3*time.Minute, 20*time.Minute), Files: editions[0].files(brokenText)})
	many := proof.Size(20, 500)
	var readers []*reader
	enter := func(e edition, n int) {
		for range n {
			r := &reader{Person: w.Person(t, fmt.Sprintf("reader%d", len(readers))), edition: e, level: []int{1, 10, 100, 1000}[len(readers)%4]}
			r.Customer.Phone = fmt.Sprintf("+491511%07d", len(readers)) // among so many, drawn numbers would meet
			r.Happens("edition.wanted", map[string]any{"no": fmt.Sprint(len(readers)), "level": r.level})
			readers = append(readers, r)
		}
		settles(t, w, e.no, n)
	}
	answer := func(some []*reader, edition int) {
		for _, r := range some {
			r.Happens("edition.answered", map[string]any{"edition": edition})
		}
	}
	enter(editions[0], many)
	first := source(t, w, 1)

	answer(readers[:many/4], 1) // these come to the broken text before it is mended
	w.Until(t, func() bool {
		return w.Count(t, `SELECT count(*) FROM journey WHERE parked_reason = 'render_error'`) == many/4
	}, "journeys to be held at the text that can't be rendered")
	w.Write(t, editions[1].files(brokenText))
	w.Apply(t)
	w.Kill("worker")
	w.Kill("starter")
	require.NoError(t, w.Start("starter"))
	require.NoError(t, w.Start("worker"))
	enter(editions[1], many/2)

	w.Kill("worker")
	w.Write(t, editions[2].files(mendedText))
	w.Apply(t)
	require.NoError(t, w.Start("worker"))
	enter(editions[2], many/2)

	w.Kill("starter")
	require.NoError(t, w.Start("starter"))
	for _, edition := range []int{3, 2, 1} { // each is taken by those whose version asks for it
		answer(readers, edition)
		if edition == 2 {
			w.Kill("worker")
			require.NoError(t, w.Start("worker"))
		}
	}
	var wrong []string
	w.Until(t, func() bool {
		wrong = strayed(t, w)
		return len(wrong) > 0 || w.Count(t, `SELECT count(*) FROM journey WHERE state = 'ended'`) == len(readers)
	}, "all journeys to end by the version that they entered with")
	require.Empty(t, wrong, "every journey ends by the version that it entered with")
	for _, r := range readers {
		r.check(w)
	}

	require.Equal(t, first, source(t, w, 1), "a version stays as it was applied")
	_, err := w.Store.Pool.Exec(t.Context(), `UPDATE campaign_version SET source = source || ' '`)
	require.ErrorContains(t, err, "rows are never changed")
	proof.Found(t, proof.Finding{Promise: 8, Tried: "changing a campaign twice under a journey, with starter and worker killed", Times: len(readers),
		Found: fmt.Sprintf("all of them ended by the version that they entered with: %d by the first, %d by the second, %d by the third; %d that were held at a broken text got the mended one",
			many, many/2, many/2, many/4)})
}

// settles waits until so many journeys of a version wait for an answer.
func settles(t *testing.T, w *world.World, version, n int) {
	w.Until(t, func() bool {
		return w.Count(t, `SELECT count(*) FROM message m JOIN journey j ON j.id = m.journey_id JOIN campaign c ON c.id = j.campaign_id
			WHERE c.name = 'edition' AND j.version_no = $1 AND m.template = 'edition' AND m.state = 'accepted'`, version) == n
	}, "%d journeys of version %d to be under way", n, version)
}

// strayed tells of what a journey did by another version than its own.
func strayed(t *testing.T, w *world.World) []string {
	rows, err := w.Store.Pool.Query(t.Context(), `SELECT 'version ' || j.version_no || ' has a code of ' || cp.name
		FROM assignment a JOIN coupon cp ON cp.id = a.coupon_id JOIN journey j ON j.id = a.journey_id WHERE cp.name <> 'edition-' || j.version_no
		UNION ALL SELECT 'version ' || version_no || ' ended as ' || outcome FROM journey
		WHERE outcome <> (ARRAY['first', 'second', 'third'])[version_no]
		UNION ALL SELECT 'version ' || j.version_no || ' sent ' || m.step FROM message m JOIN journey j ON j.id = m.journey_id
		WHERE (m.step IN ('welcome') AND j.version_no <> 2) OR (m.step IN ('greeting', 'thanks') AND j.version_no <> 3)`)
	require.NoError(t, err)
	wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return wrong
}

// check looks at one person: their journey, their tags and what they got to read.
func (r *reader) check(w *world.World) {
	var version int
	var outcome string
	var tags []string
	err := w.Store.Pool.QueryRow(r.Context(), `SELECT j.version_no, j.outcome, c.tags FROM journey j JOIN contact c ON c.id = j.contact_id
		JOIN identity i ON i.contact_id = c.id WHERE i.kind = 'email' AND i.value_norm = $1`, r.Customer.Email).Scan(&version, &outcome, &tags)
	require.NoError(r, err)
	require.Equal(r, r.no, version, "a journey enters with the newest version")
	require.Equal(r, outcomes[r.no], outcome)
	slices.Sort(tags)
	require.Equal(r, r.tags(r.level), tags, "a person of level %d in version %d", r.level, r.no)
	messages := r.Messages()
	require.Len(r, messages, 2)
	for _, m := range messages {
		require.Contains(r, m.HTML, fmt.Sprintf("ED%d-", r.no))
	}
	require.Contains(r, messages[1].HTML, "Mended", "a mended text reaches journeys of every version")
	_, code, _ := strings.Cut(messages[0].HTML, "<p>")
	require.Contains(r, messages[1].HTML, strings.TrimSuffix(strings.TrimSpace(code), "</p>"), "the same code")
}

// source is a version as the database has it.
func source(t *testing.T, w *world.World, no int) (text string) {
	require.NoError(t, w.Store.Pool.QueryRow(t.Context(), `SELECT v.source || ' ' || v.created_at FROM campaign_version v JOIN campaign c ON c.id = v.campaign_id
		WHERE c.name = 'edition' AND v.no = $1`, no).Scan(&text))
	return text
}

func TestControl_TheActivitiesActByTheJourneysVersion(t *testing.T) {
	t.Parallel()
	control.Miss(t, control.Safeguard{
		Name: "the version that the activities act by", File: "activities/load.go",
		Old: `	version, err := a.Store.Version(ctx, a.Store.Pool, journey.CampaignID, journey.Version)
`,
		New: `	newest := journey.Version
	if err := a.Store.Pool.QueryRow(ctx, "SELECT version_no FROM campaign WHERE id = $1", journey.CampaignID).Scan(&newest); err != nil {
		return nil, err
	}
	version, err := a.Store.Version(ctx, a.Store.Pool, journey.CampaignID, newest)
`,
		Package: "./prove/silent", Proof: "TestPromise8_ARunningJourneyKeepsItsVersion", Says: "every journey ends by the version that it entered with",
	})
}
