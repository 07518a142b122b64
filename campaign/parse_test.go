package campaign_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
)

// wrong files: every one is refused with a sentence that contains want. The
// schema refuses them too, unless it cannot know.
var wrong = map[string]struct {
	src, want   string
	schemaTakes bool
}{
	"unknown key":             {"campaign: a\ntriger: manual\ntrigger: manual\nsteps:\n  - end: true\n", "f.yaml:2:1: a campaign has no key `triger`; did you mean `trigger`?", false},
	"on for event":            {"campaign: a\ntrigger: {on: order.paid}\nsteps:\n  - end: true\n", "f.yaml:2:11: write `event:` instead of `on:`", false},
	"an expression as a tag":  {"campaign: a\ntrigger:\n  event: order.paid\n  where: !event.x\nsteps:\n  - end: true\n", "f.yaml:4:10: `where` begins with `!event.x`, which YAML takes for a tag and drops; put the expression in quotes", true},
	"an expression in words":  {"campaign: a\ntrigger:\n  event: order.paid\n  where: \"vip\" in contact.tags\nsteps:\n  - end: true\n", "f.yaml:4:", true},
	"unknown variable":        {"campaign: a\ntrigger:\n  event: order.paid\n  where: event.total >= 5 && steps.x.status == \"done\"\nsteps:\n  - end: true\n", "f.yaml:4:30: `steps` is not known here; there are `contact`, `event` or `now`", true},
	"question without quotes": {"campaign: a\ntrigger:\n  event: order.paid\n  where: contact.count(event.type) > 1\nsteps:\n  - end: true\n", "are texts in quotes", true},
	"bad window of time":      {"campaign: a\ntrigger:\n  event: order.paid\n  where: contact.count(\"order.paid\", \"30 days\") > 1\nsteps:\n  - end: true\n", "is not a duration", true},
	"ago without quotes":      {"campaign: a\ntrigger:\n  event: order.paid\n  where: event.at < ago(90)\nsteps:\n  - end: true\n", "write ago(\"90d\")", true},
	"not a truth":             {"campaign: a\ntrigger:\n  event: order.paid\n  where: contact.count(\"order.paid\")\nsteps:\n  - end: true\n", "gives a number; expected one that is true or false", true},
	"two verbs":               {"campaign: a\ntrigger: manual\nsteps:\n  - wait: 1d\n    tag: x\n", "f.yaml:5:5: a step has one verb: `wait` and `tag` are two steps", false},
	"no verb":                 {"campaign: a\ntrigger: manual\nsteps:\n  - name: x\n", "f.yaml:4:5: a step has one verb", false},
	"then without if":         {"campaign: a\ntrigger: manual\nsteps:\n  - send: {email: x}\n    then: [{end: true}]\n", "`then` belongs to an `if` alone", false},
	"else beside a guard":     {"campaign: a\ntrigger: manual\nsteps:\n  - if: contact.reachable()\n    send: {email: x}\n    else: [{end: true}]\n", "`else` beside `if` needs `then`", false},
	"else of a wait":          {"campaign: a\ntrigger: manual\nsteps:\n  - wait: 1d\n    else: [{end: true}]\n", "`else` has no meaning for `wait`", false},
	"two channels":            {"campaign: a\ntrigger: manual\nsteps:\n  - send: {email: x, sms: x}\n", "goes over one channel", false},
	"no channel":              {"campaign: a\ntrigger: manual\nsteps:\n  - send: {coupon: x}\n", "names a channel and a template", false},
	"a wait in an exit":       {"campaign: a\ntrigger: manual\nexit:\n  - event: order.paid\n    then: [{wait: 1d}]\nsteps:\n  - end: true\n", "instant steps only", false},
	"for and until":           {"campaign: a\ntrigger: manual\nsteps:\n  - wait: {for: 1d, until: expiry}\n", "`for` or `until`, not both", false},
	"offset alone":            {"campaign: a\ntrigger: manual\nsteps:\n  - wait: {for: 1d, offset: -1h}\n", "`offset` belongs to `until`", false},
	"at and between":          {"campaign: a\ntrigger: manual\nsteps:\n  - wait: {at: \"10:00\", between: \"09:00-10:00\"}\n", "`at` or `between`, not both", false},
	"a signed duration":       {"campaign: a\ntrigger: manual\nsteps:\n  - wait: -1d\n", "has no sign", false},
	"a duration in words":     {"campaign: a\ntrigger: manual\nsteps:\n  - wait: 2 days\n", "is not a duration", false},
	"an empty duration":       {"campaign: a\ntrigger: manual\nsteps:\n  - wait: 0d\n", "longer than nothing", false},
	"an arm of two kinds":     {"campaign: a\ntrigger: manual\nsteps:\n  - await:\n      - {event: a.b, after: 1d}\n", "write two arms", false},
	"an arm of no kind":       {"campaign: a\ntrigger: manual\nsteps:\n  - await:\n      - then: [{end: true}]\n", "an arm has one of", false},
	"match of a clock":        {"campaign: a\ntrigger: manual\nsteps:\n  - await:\n      - {after: 1d, match: x}\n", "`match` belongs to `event`", false},
	"an id with a hyphen":     {"campaign: a\ntrigger: manual\nsteps:\n  - id: a-b\n    end: true\n", "digits and underscores", false},
	"an unknown zone":         {"campaign: a\ntrigger: manual\ntimezone: Europa/Berlin\nsteps:\n  - end: true\n", "is not a time zone", true},
	"a later verb":            {"campaign: a\ntrigger: manual\nsteps:\n  - split: []\n", "`split` is not supported yet", false},
	"a later trigger":         {"campaign: a\ntrigger: {date: contact.birthday}\nsteps:\n  - end: true\n", "is not supported yet", false},
	"a later channel":         {"campaign: a\ntrigger: manual\nsteps:\n  - send: {whatsapp: x}\n", "`whatsapp` is not supported yet", false},
	"a test":                  {"test: it works\ncampaign: a\n", "`test` is not supported yet", false},
	"a shared id on a path":   {"campaign: a\ntrigger: manual\nsteps:\n  - send: {email: x}\n  - send: {email: x}\n", "f.yaml:5:5: a step before this one has the id `send_email_x` too", true},
	"too long a debounce":     {"campaign: a\ntrigger: {event: a.b, debounce: 8d}\nsteps:\n  - end: true\n", "at most 1w", true},
	"a hidden variable":       {"campaign: a\ntrigger: manual\nsteps:\n  - send: {email: x, with: {code: y}}\n", "not like one of Scrip's own", true},
	"no such document":        {"campain: a\n", "f.yaml:1:1: a document begins with `campaign`, `coupon` or `segment`", false},
	"a list":                  {"- a\n", "a document begins with", false},
	"an empty file":           {"# nothing\n", "the file is empty", true},
	"broken YAML":             {"campaign: [a\n", "f.yaml:1:", true},
	"an unknown alias":        {"campaign: a\ntrigger: manual\nsteps: *x\n", "f.yaml:3:", true},
	"two discounts":           {"coupon: a\ndiscount: {percentage: 10, amount: 5, currency: EUR}\ncodes: {list: true}\n", "has one of", false},
	"no currency":             {"coupon: a\ndiscount: {amount: 5}\ncodes: {list: true}\n", "needs a `currency`", false},
	"too much":                {"coupon: a\ndiscount: {percentage: 101}\ncodes: {list: true}\n", "at most 100", false},
	"two pools":               {"coupon: a\ndiscount: {percentage: 10}\ncodes: {list: true, shared: ABC}\n", "`codes` has one of", false},
	"a pattern unquoted":      {"coupon: a\ndiscount: {percentage: 10}\ncodes:\n  generate: ########\n", "put the pattern in quotes", false},
	"too short a pattern":     {"coupon: a\ndiscount: {percentage: 10}\ncodes: {generate: \"X-###\"}\n", "at least 6 #", false},
	"an alphabet with twins":  {"coupon: a\ndiscount: {percentage: 10}\ncodes: {generate: \"X-######\", alphabet: ABCA}\n", "`A` twice", true},
	"valid for and until":     {"coupon: a\ndiscount: {percentage: 10}\ncodes: {list: true}\nvalid_for: 1d\nvalid_until: \"2026-01-01\"\n", "not both", false},
	"over before it begins":   {"coupon: a\ndiscount: {percentage: 10}\ncodes: {list: true}\nvalid_from: \"2026-01-02\"\nvalid_until: \"2026-01-01\"\n", "lies before", true},
	"a segment of segments":   {"segment: a\nwhere: contact.in_segment(\"b\")\n", "cannot ask for another segment", true},
	"no condition":            {"segment: a\n", "a segment says whom it takes", false},
}

func TestParse_SaysWhereAndWhatWasExpected(t *testing.T) {
	t.Parallel()
	for name, c := range wrong {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, problems := campaign.Parse("f.yaml", []byte(c.src))
			require.ErrorContains(t, problems.Err(), c.want)
			require.Empty(t, file.Campaigns)
			require.Empty(t, file.Coupons)
			require.Empty(t, file.Segments)
		})
	}
}

func TestParse_TellsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	src := "campaign: Big\ntrigger: {event: nodot, debounce: soon}\nsteps:\n  - wait: x\n  - send: {emial: a}\n---\ncoupon: [\n---\ncoupon: b\ndiscount: {percentage: x}\ncodes: {list: true}\n"
	_, problems := campaign.Parse("f.yaml", []byte(src))
	text := problems.Error()
	for _, want := range []string{"f.yaml:1:11", "f.yaml:2:18", "f.yaml:2:35", "f.yaml:4:11", "f.yaml:5:12", "did you mean `email`", "f.yaml:7:9", "f.yaml:10:24"} {
		require.Contains(t, text, want)
	}
}

func TestParse_KeepsTheGoodDocumentsOfAFile(t *testing.T) {
	t.Parallel()
	file, problems := campaign.Parse("f.yaml", []byte("coupon: a\n---\ncoupon: b\ndiscount: {percentage: 10}\ncodes: {list: true}\n"))
	require.Error(t, problems.Err())
	require.Len(t, file.Coupons, 1)
	require.Equal(t, "b", file.Coupons[0].Name)
}

func TestParse_ResolvesAnchorsUnderFreeKeys(t *testing.T) {
	t.Parallel()
	src := "x-hours: &hours {between: \"09:00-19:00\"}\ncampaign: a\ntrigger: manual\nsteps:\n  - send: {<<: *hours, email: a}\n  - send: {<<: *hours, email: b, between: \"10:00-11:00\"}\n  - send: {email: c, between: \"10:00-11:00\", <<: *hours}\n"
	file, problems := campaign.Parse("f.yaml", []byte(src))
	require.Empty(t, problems, "%s", problems.Error())
	require.Equal(t, "09:00-19:00", file.Campaigns[0].Steps[0].Send.Between)
	require.Equal(t, "10:00-11:00", file.Campaigns[0].Steps[1].Send.Between)
	require.Equal(t, "10:00-11:00", file.Campaigns[0].Steps[2].Send.Between)
}

func TestParse_RefusesAFileThatWouldExhaustIt(t *testing.T) {
	t.Parallel()
	bomb := "x-a: &a [1,1,1,1,1,1,1,1,1,1]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += "x-" + string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 10), ",") + "]\n"
	}
	for _, src := range []string{bomb + "campaign: a\n", strings.Repeat("[", 100_000), strings.Repeat("- ", 100_000), strings.Repeat("a", 2<<20), "x-a: &a [*a]\ncampaign: a\n"} {
		_, problems := campaign.Parse("f.yaml", []byte(src))
		require.Error(t, problems.Err())
	}
}

func TestParse_SourceAloneGivesTheSameDocument(t *testing.T) {
	t.Parallel()
	for _, name := range examples(t) {
		src, err := os.ReadFile(name)
		require.NoError(t, err)
		file, problems := campaign.Parse(name, src)
		require.NoError(t, problems.Err())
		for _, c := range file.Campaigns {
			again, problems := campaign.Parse("alone", []byte(c.Source))
			require.NoError(t, problems.Err())
			require.Equal(t, c.Source, again.Campaigns[0].Source)
			first, err := c.Compile(3)
			require.NoError(t, err)
			second, err := again.Campaigns[0].Compile(3)
			require.NoError(t, err)
			require.Equal(t, first.Plan, second.Plan)
		}
		for _, c := range file.Coupons {
			again, problems := campaign.Parse("alone", []byte(c.Source))
			require.NoError(t, problems.Err())
			again.Coupons[0].Pos = c.Pos
			require.Equal(t, c, again.Coupons[0])
		}
		for _, s := range file.Segments {
			again, problems := campaign.Parse("alone", []byte(s.Source))
			require.NoError(t, problems.Err())
			require.Equal(t, s.Where.Source(), again.Segments[0].Where.Source())
		}
	}
}

// examples lists the example project's campaign files.
func examples(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("../examples/campaigns/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	return names
}

func TestParse_TakesOrPutsOffEveryCampaignOfAFolder(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("SCRIP_CAMPAIGNS")
	if folder == "" {
		t.Skip("SCRIP_CAMPAIGNS names no folder of further campaign files")
	}
	names, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		src, err := os.ReadFile(name)
		require.NoError(t, err)
		_, problems := campaign.Parse(filepath.Base(name), src)
		for _, p := range problems {
			require.Contains(t, p.Message, "is not supported yet", "%s", p)
		}
	}
}

func TestParse_SurvivesAnIfThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	_, problems := campaign.Parse("f.yaml", []byte(manual+"steps:\n  - if: nope.x\n    then: [{tag: a}]\n  - if: \"\"\n    then: [{send: {email: x}}]\n  - send: {email: x}\n"))
	require.ErrorContains(t, problems, "`nope` is not known")
	require.ErrorContains(t, problems, "f.yaml:8:5")
}

func TestParse_RefusesAKeyThatStandsTwice(t *testing.T) {
	t.Parallel()
	_, problems := campaign.Parse("f.yaml", []byte(manual+"steps:\n  - wait: 1d\n    wait: 2d\n"))
	require.ErrorContains(t, problems.Err(), "f.yaml:5:5")
}

func TestDocs_EveryDocumentOfTheManualIsAsParseTakesIt(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../docs/campaigns.md")
	require.NoError(t, err)
	blocks := strings.Split(string(docs), "```yaml\n")[1:]
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		src, _, _ := strings.Cut(block, "```")
		key, _, _ := strings.Cut(src, ":")
		switch key {
		case "campaign", "coupon", "segment":
		case "- wait", "- await", "- send", "- assign", "- if":
			src = manual + "steps:\n" + src
		case "trigger":
			src = "campaign: a\n" + src + "steps: [{end: true}]\n"
		case "exit":
			src = manual + src + "steps: [{end: true}]\n"
		default:
			continue
		}
		file, problems := campaign.Parse("campaigns.md", []byte(src))
		require.NoError(t, problems.Err(), src)
		require.NotZero(t, len(file.Campaigns)+len(file.Coupons)+len(file.Segments))
	}
}
