package campaign_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
)

// compile makes version 1 of a campaign whose head is given by the test.
func compile(t *testing.T, src string) *campaign.Program {
	t.Helper()
	file, problems := campaign.Parse("f.yaml", []byte(src))
	require.NoError(t, problems.Err())
	program, err := file.Campaigns[0].Compile(1)
	require.NoError(t, err)
	return program
}

const manual = "campaign: a\ntrigger: manual\n"

func ids(p *campaign.Program) []string {
	var out []string
	for _, s := range p.Plan.Steps {
		out = append(out, s.ID)
	}
	return out
}

func TestCompile_LaysOutStepsInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	p := compile(t, manual+`steps:
  - send: {email: first, coupon: c-1}
    else:
      - send: {sms: first}
  - await:
      - event: code.applied
        then:
          - wait: 1d
      - after: 48h
      - until: expiry
        offset: -1h
        then: [{end: late}]
  - if: contact.reachable()
    then: [{tag: yes-1}]
    else: [{tag: no-1}]
  - if: contact.tagged("yes-1")
    untag: yes-1
  - end: true
`)
	require.Equal(t, []string{"send_email_first", "send_sms_first", "await_code_applied_or_2d_or_until_1h_before_expiry", "wait_1d", "end_late", "if_contact_reachable", "tag_yes_1", "tag_no_1", "if_untag_yes_1", "untag_yes_1", "end"}, ids(p))
	s := p.Plan.Steps
	require.Equal(t, []int{2, 1}, []int{s[0].Next, s[0].Else})
	require.Equal(t, 2, s[1].Next)
	require.Equal(t, []int{3, 5, 4}, []int{s[2].Arms[0].Then, s[2].Arms[1].Then, s[2].Arms[2].Then})
	require.Equal(t, []bool{false, true, true}, []bool{s[2].Arms[0].Clocky, s[2].Arms[1].Clocky, s[2].Arms[2].Clocky})
	require.Equal(t, campaign.Moment{For: 48 * time.Hour}, s[2].Arms[1].Clock)
	require.Equal(t, campaign.Moment{Until: campaign.UntilExpiry, Offset: -time.Hour}, s[2].Arms[2].Clock)
	require.Equal(t, 5, s[3].Next)
	require.Equal(t, []int{6, 7, 8}, []int{s[5].Then, s[5].Else, s[5].Next})
	require.Equal(t, []int{8, 8}, []int{s[6].Next, s[7].Next})
	require.Equal(t, []int{9, 10, 10}, []int{s[8].Then, s[8].Else, s[8].Next})
	require.Equal(t, campaign.If, s[8].Do)
	require.Equal(t, campaign.End, s[10].Next)
	require.Equal(t, campaign.OutcomeCompleted, s[10].Outcome)
	require.Equal(t, "late", s[4].Outcome)
	require.Equal(t, "send email first with c-1", s[0].Says)
	require.Len(t, p.Docs, len(s))
	require.Equal(t, "first", p.Docs[0].Send.Template)
	require.False(t, s[0].Slow)
}

func TestCompile_SaysWhichWaitsNeedAnActivity(t *testing.T) {
	t.Parallel()
	p := compile(t, manual+`steps:
  - wait: 2d
  - wait: {until: expiry}
  - wait: {until: expiry, offset: -1d}
  - wait: {until: expiry, at: "10:00"}
  - wait: {until: "2026-09-21"}
  - wait: {until: trigger.delivered_at}
  - wait: {for: 1d, days: [mon]}
  - wait: {between: "09:00-19:00"}
`)
	var local []bool
	for _, s := range p.Plan.Steps {
		local = append(local, s.Moment.Local)
	}
	require.Equal(t, []bool{false, false, false, true, true, true, true, true}, local)
}

func TestCompile_KeepsIdsWhenStepsAreAddedBefore(t *testing.T) {
	t.Parallel()
	before := ids(compile(t, manual+"steps:\n  - send: {email: x}\n  - call: {connection: y}\n"))
	after := ids(compile(t, manual+"steps:\n  - tag: t\n  - wait: 1d\n  - send: {email: x}\n  - call: {connection: y}\n"))
	require.Equal(t, before, after[2:])
}

func TestCompile_LetsExclusiveBranchesShareAnId(t *testing.T) {
	t.Parallel()
	p := compile(t, manual+`steps:
  - if: contact.tagged("gold")
    then: [{send: {email: x, coupon: a}}]
    else: [{send: {email: x, coupon: b}}]
`)
	require.Equal(t, []string{"if_contact_tagged_gold", "send_email_x", "send_email_x"}, ids(p))
	require.Equal(t, []string{"a", "b"}, []string{p.Docs[1].Send.Coupon, p.Docs[2].Send.Coupon})
}

func TestCompile_GivesEachAwaitItsOwnRules(t *testing.T) {
	t.Parallel()
	p := compile(t, manual+`steps:
  - await: [{event: a.b}, {after: 1d}]
  - await: [{event: a.b, where: event.x == 1}, {after: 1d}]
  - await: [{event: a.b, match: y}, {after: 1d}]
`)
	seen := map[string]bool{}
	for _, r := range p.Rules {
		require.False(t, seen[r.ID], r.ID)
		seen[r.ID] = true
	}
	rule, ok := p.Rule("await_a_b_or_1d_3.0")
	require.True(t, ok)
	require.Equal(t, "y", rule.Match)
	_, ok = p.Rule("nope")
	require.False(t, ok)
}

func TestCompile_PutsTheBuiltInExitBeforeTheFilesExits(t *testing.T) {
	t.Parallel()
	p := compile(t, manual+"exit:\n  - {event: order.created, match: token, as: bought}\nsteps:\n  - wait: 1d\n")
	require.Equal(t, []campaign.Exit{{Rule: campaign.RuleRedeemed, Outcome: campaign.OutcomeRedeemed, Then: campaign.End}, {Rule: "exit.0", Outcome: "bought", Then: campaign.End}}, p.Plan.Exits)
	require.Equal(t, []string{"code.redeemed", "order.created"}, p.Listens())
	require.Equal(t, []string{"token"}, p.MatchFields())
}

func TestCompile_LetsTheFilesOwnExitStandForTheBuiltInOne(t *testing.T) {
	t.Parallel()
	p := compile(t, manual+"exit:\n  - {event: order.created}\n  - {event: code.redeemed, then: [{untag: x}]}\nsteps:\n  - wait: 1d\n")
	require.Equal(t, []campaign.Exit{{Rule: "exit.1", Outcome: "redeemed", Then: 1}, {Rule: "exit.0", Outcome: "order_created", Then: campaign.End}}, p.Plan.Exits)
	_, ok := p.Rule(campaign.RuleRedeemed)
	require.False(t, ok)
	require.Equal(t, campaign.Untag, p.Plan.Steps[1].Do)
	require.Equal(t, campaign.End, p.Plan.Steps[1].Next)
}
