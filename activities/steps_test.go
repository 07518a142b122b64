package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

const errand = `
campaign: errand
trigger: {event: order.paid}
lifetime: 200d
steps:
  - id: score
    call: {connection: fraud, path: "/score/{{ trigger.order_id }}", json: {contact: "{{ contact.id }}"}}
  - if: steps.score.status == "done" && steps.score.json.risk > 0.5
    then: [{tag: risky}]
  - notify: {sales: "Order {{ trigger.order_id }}"}
  - assign: {coupon: errand-10, valid_for: 48h}
  - wait: {until: expiry, offset: -2h}
  - wait: {for: 1d, at: "10:00"}
  - wait: {until: trigger.delivered_at, offset: 3d}
  - untag: risky
  - withdraw: errand-10
---
coupon: errand-10
discount: {percentage: 10}
codes: {generate: "RUN-########"}
`

// caller answers a call step.
type caller struct {
	answer any
	err    error
	paths  []string
}

func (c *caller) Call(_ context.Context, _, path string, _ any) (any, error) {
	c.paths = append(c.paths, path)
	return c.answer, c.err
}

// errandDesk is a journey through errand, whose order is known.
func errandDesk(t *testing.T) (*desk, *campaign.Program, *caller) {
	d := setup(t)
	file, problems := campaign.Parse("errand.yaml", []byte(errand))
	require.Empty(t, problems.Errors())
	program, err := file.Campaigns[0].Compile(1)
	require.NoError(t, err)
	_, err = d.store.ApplyCoupon(t.Context(), d.store.Pool, file.Coupons[0])
	require.NoError(t, err)
	d.exec(`INSERT INTO campaign (name, version_no) VALUES ('errand', 1)`)
	d.exec(`INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256)
		SELECT id, 1, $1, 1, 'x' FROM campaign WHERE name = 'errand'`, file.Campaigns[0].Source)
	d.exec(`INSERT INTO event (id, delivery_id, received_at, ordinal, connection, type, contact_id, occurred_at, fields)
		VALUES ('ev_1', 1, now(), 0, 'api', 'order.paid', $1, now(), '{"order_id": "A-1", "delivered_at": "2026-03-01T12:00:00Z"}')`, d.contact)
	d.exec(`UPDATE journey SET campaign_id = (SELECT id FROM campaign WHERE name = 'errand'), entry_event_id = 'ev_1', trigger_event_id = 'ev_1'`)
	called := &caller{answer: map[string]any{"risk": 0.9}}
	d.outlets.caller = called
	return d, program, called
}

// step names a step of the program by its place.
func (d *desk) step(p *campaign.Program, index int) activities.Step {
	return activities.Step{Journey: d.journey, ID: p.Plan.Steps[index].ID, Index: index, Due: time.Now()}
}

func (d *desk) run(do, in any) activities.Result {
	value, err := d.env.ExecuteActivity(do, in)
	require.NoError(d, err)
	var result activities.Result
	require.NoError(d, value.Get(&result))
	return result
}

func TestCall_KeepsTheAnswerForConditionsAndAsksOnce(t *testing.T) {
	d, p, called := errandDesk(t)
	for range 2 {
		require.Equal(t, activities.Done, d.run(d.hands.Call, d.step(p, 0)).Status)
	}
	require.Equal(t, []string{"/score/A-1"}, called.paths)
	require.True(t, d.run(d.hands.Decide, d.step(p, 1)).Holds)
}

func TestCall_ThatIsRefusedFailsForGood(t *testing.T) {
	d, p, called := errandDesk(t)
	called.err = &integrations.Error{Class: integrations.Invalid, Vendor: "http", Doing: "calling", Code: "404"}
	require.Equal(t, activities.Result{Status: activities.Failed, Reason: activities.VendorRefused}, d.run(d.hands.Call, d.step(p, 0)))
	require.False(t, d.run(d.hands.Decide, d.step(p, 1)).Holds)
}

func TestDecide_AConditionThatCannotBeEvaluatedParksTheJourney(t *testing.T) {
	d, p, called := errandDesk(t)
	called.answer = map[string]any{}
	d.run(d.hands.Call, d.step(p, 0))
	require.Equal(t, activities.Result{Status: activities.Held, Reason: activities.ExpressionError}, d.run(d.hands.Decide, d.step(p, 1)))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM journey WHERE state = 'parked' AND parked_reason = 'expression_error'`))
}

func TestDecide_AConditionThatCostsTooMuchParksTheJourney(t *testing.T) {
	d, p, called := errandDesk(t)
	many := make([]any, 3000)
	for i := range many {
		many[i] = float64(i)
	}
	called.answer = map[string]any{"risk": 0.9, "many": many}
	d.run(d.hands.Call, d.step(p, 0))
	d.exec(`INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT campaign_id, 2, replace(source,
		'steps.score.json.risk > 0.5', 'steps.score.json.many.all(a, steps.score.json.many.all(b, a + b >= 0.0))'), plan_format, 'y'
		FROM campaign_version WHERE source LIKE '%campaign: errand%'`)
	d.exec(`UPDATE journey SET version_no = 2`)
	require.Equal(t, activities.Result{Status: activities.Held, Reason: activities.ExpressionError}, d.run(d.hands.Decide, d.step(p, 1)))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM journey WHERE state = 'parked' AND parked_reason = 'expression_error'`))
}

func TestNotify_WritesToEachAddressOnce(t *testing.T) {
	d, p, _ := errandDesk(t)
	index := d.find(p, campaign.Notify)
	for range 2 {
		require.Equal(t, activities.Done, d.run(d.hands.Notify, d.step(p, index)).Status)
	}
	require.Equal(t, 2, d.vendor.calls())
	require.Contains(t, d.vendor.sent[0].Text, "Order A-1")
	require.False(t, d.vendor.sent[0].Marketing)
}

func TestNotify_AnAttemptThatNeverReportedIsListed(t *testing.T) {
	d, p, _ := errandDesk(t)
	index := d.find(p, campaign.Notify)
	require.Equal(t, activities.Done, d.run(d.hands.Notify, d.step(p, index)).Status)
	// The process died between the ledger's row and the answer.
	d.exec(`UPDATE message SET state = 'calling'`)
	_, err := d.env.ExecuteActivity(d.hands.Notify, d.step(p, index))
	require.Equal(t, activities.ErrorUnderWay, d.retried(err))
	d.exec(`UPDATE message SET attempt_deadline = called_at`)
	require.Equal(t, activities.Done, d.run(d.hands.Notify, d.step(p, index)).Status)
	require.Equal(t, 2, d.count(`SELECT count(*) FROM message WHERE kind = 'internal' AND state = 'unknown'`))
	require.Equal(t, 2, d.vendor.calls())
}

// unsettled is a journey with two notices whose outcome nobody knows.
func unsettled(t *testing.T) *desk {
	d, p, _ := errandDesk(t)
	index := d.find(p, campaign.Notify)
	require.Equal(t, activities.Done, d.run(d.hands.Notify, d.step(p, index)).Status)
	d.exec(`UPDATE message SET state = 'unknown'`)
	return d
}

// wantAgain is a person's word that the notices shall be sent again.
func (d *desk) wantAgain() {
	rows, err := d.store.Pool.Query(d.Context(), `SELECT id FROM message WHERE kind = 'internal' ORDER BY send_key`)
	require.NoError(d, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(d, err)
	for _, id := range ids {
		require.NoError(d, d.store.ResolveMessage(d.Context(), id, store.VerdictResend, "test"))
	}
}

func (d *desk) upkeep() (done activities.Upkeep) {
	d.hands.Executions = executions{}
	value, err := d.env.ExecuteActivity(d.hands.Maintain, activities.UpkeepInput{})
	require.NoError(d, err)
	require.NoError(d, value.Get(&done))
	return done
}

func TestNotify_IsSentAgainOnAPersonsWordAlsoAfterTheJourneysEnd(t *testing.T) {
	for name, end := range map[string]func(*desk){
		"running": func(d *desk) {},
		"parked": func(d *desk) {
			d.exec(`UPDATE journey SET state = 'parked', parked_step = 'x', parked_reason = 'no_code'`)
		},
		"ended": func(d *desk) {
			_, err := d.store.EndJourney(d.Context(), store.Ending{Journey: d.journey, Outcome: campaign.OutcomeCompleted})
			require.NoError(d, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := unsettled(t)
			before := d.count(`SELECT count(*) FROM journey WHERE state = 'parked'`)
			d.wantAgain()
			end(d)
			require.Equal(t, 2, d.upkeep().Notified)
			require.Zero(t, d.upkeep().Notified)
			require.Equal(t, 4, d.vendor.calls())
			require.Equal(t, "b@example.com", d.vendor.sent[3].To)
			require.Contains(t, d.vendor.sent[3].Text, "Order A-1")
			require.Equal(t, 2, d.count(`SELECT count(*) FROM message WHERE state = 'accepted' AND resent = 1`))
			if name == "parked" {
				before = 1
			}
			require.Equal(t, before, d.count(`SELECT count(*) FROM journey WHERE state = 'parked'`), "the upkeep moves no journey on")
		})
	}
}

func TestNotify_ThatIsSentAgainWaitsForItsVendorAndItsCampaign(t *testing.T) {
	d := unsettled(t)
	d.wantAgain()
	d.exec(`UPDATE campaign SET state = 'paused'`)
	require.Zero(t, d.upkeep().Notified)
	d.exec(`UPDATE campaign SET state = 'running'`)
	d.vendor.answers = []error{failure(integrations.Retry), failure(integrations.Unknown)}
	require.Zero(t, d.upkeep().Notified)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM message WHERE state = 'unknown'`), "which is listed once more")
	require.Equal(t, 1, d.upkeep().Notified)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM message WHERE state = 'accepted'`))
}

func TestNotify_ThatWasCutOffWhileSentAgainIsListed(t *testing.T) {
	d := unsettled(t)
	d.wantAgain()
	d.loseCalls()
	require.Equal(t, 2, d.count(`SELECT count(*) FROM message WHERE state = 'unknown'`))
	require.Equal(t, 2, d.vendor.calls())
}

// loseCalls has all messages stand as if their process had died in the call; the upkeep
// leaves them alone for as long as somebody may still be making it.
func (d *desk) loseCalls() {
	d.exec(`UPDATE message SET state = 'calling', called_at = now() - interval '2 minutes', attempt_deadline = now() + interval '1 minute'`)
	d.upkeep()
	require.Zero(d, d.count(`SELECT count(*) FROM message WHERE state <> 'calling'`), "another process may be sending them")
	d.exec(`UPDATE message SET attempt_deadline = called_at`)
	d.upkeep()
}

func TestMaintain_ListsCallsThatWereLostWhenTheirJourneyWasOver(t *testing.T) {
	d := setup(t)
	_, err := d.send()
	require.NoError(t, err)
	d.exec(`UPDATE message SET state = 'calling', called_at = now() - interval '2 minutes', attempt_deadline = called_at`)
	require.Zero(t, d.upkeep().GivenUp, "the step of an open journey comes back to it")
	_, err = d.store.EndJourney(d.Context(), store.Ending{Journey: d.journey, Outcome: "bought"})
	require.NoError(t, err)
	d.loseCalls()
	require.Equal(t, 1, d.count(`SELECT count(*) FROM message WHERE state = 'unknown' AND reason = 'unknown_outcome'`))
	require.Equal(t, 1, d.vendor.calls())
}

func TestNotify_ThatNobodyReadsAnyMoreIsSkipped(t *testing.T) {
	d := unsettled(t)
	d.wantAgain()
	d.hands.Project.Teams = map[string][]string{"sales": {"a@example.com"}}
	d.upkeep()
	require.Equal(t, 3, d.vendor.calls())
	require.Equal(t, 1, d.count(`SELECT count(*) FROM message WHERE state = 'skipped' AND reason = 'no_address'`))
}

func (d *desk) find(p *campaign.Program, verb campaign.Verb) int {
	for i, step := range p.Plan.Steps {
		if step.Do == verb {
			return i
		}
	}
	d.Fatalf("no %s in the plan", verb)
	return 0
}

func TestTag_AndUntagAreHarmlessWhenRepeated(t *testing.T) {
	d, p, _ := errandDesk(t)
	for range 2 {
		d.run(d.hands.Tag, d.step(p, d.find(p, campaign.Tag)))
	}
	require.Equal(t, 1, d.count(`SELECT cardinality(tags) FROM contact`))
	for range 2 {
		d.run(d.hands.Untag, d.step(p, d.find(p, campaign.Untag)))
	}
	require.Zero(t, d.count(`SELECT cardinality(tags) FROM contact`))
}

func TestEveryActingStep_IsHeldWhileItsCampaignIsPaused(t *testing.T) {
	d, p, called := errandDesk(t)
	d.exec(`UPDATE campaign SET state = 'paused' WHERE name = 'errand'`)
	for verb, do := range map[campaign.Verb]any{
		campaign.Call: d.hands.Call, campaign.If: d.hands.Decide, campaign.Tag: d.hands.Tag, campaign.Notify: d.hands.Notify,
		campaign.Assign: d.hands.Assign, campaign.Untag: d.hands.Untag, campaign.Withdraw: d.hands.Withdraw,
	} {
		require.Equal(t, activities.Result{Status: activities.Held, Reason: activities.CampaignPaused}, d.run(do, d.step(p, d.find(p, verb))), verb)
	}
	require.Empty(t, called.paths)
	require.Zero(t, d.vendor.calls())
	require.Zero(t, d.count(heldCodes))
}

func TestAssign_GivesTheSameCodeWithItsOwnValidity(t *testing.T) {
	d, p, _ := errandDesk(t)
	index := d.find(p, campaign.Assign)
	first := d.run(d.hands.Assign, d.step(p, index))
	require.Equal(t, first, d.run(d.hands.Assign, d.step(p, index)))
	require.WithinDuration(t, time.Now().Add(48*time.Hour), first.Expiry, time.Minute)
	require.Equal(t, 1, d.count(heldCodes))
}

func TestWithdraw_MakesTheCodeUnusable(t *testing.T) {
	d, p, _ := errandDesk(t)
	d.run(d.hands.Assign, d.step(p, d.find(p, campaign.Assign)))
	require.Equal(t, activities.Done, d.run(d.hands.Withdraw, d.step(p, d.find(p, campaign.Withdraw))).Status)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM assignment WHERE state = 'withdrawn'`))
}

func TestMoment_CountsFromADateInTheTrigger(t *testing.T) {
	d, p, _ := errandDesk(t)
	var waits []int
	for i, step := range p.Plan.Steps {
		if step.Do == campaign.Wait && step.Moment.Local {
			waits = append(waits, i)
		}
	}
	due := time.Date(2026, 3, 2, 8, 30, 0, 0, time.UTC)
	at := d.step(p, waits[0])
	at.Due = due
	require.Equal(t, time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC), d.run(d.hands.Moment, activities.MomentInput{Step: at, Arm: -1}).Moment.UTC())

	delivered := d.step(p, waits[1])
	delivered.Due = due
	result := d.run(d.hands.Moment, activities.MomentInput{Step: delivered, Arm: -1})
	require.Equal(t, time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), result.Moment.UTC())
	require.False(t, result.Late)

	delivered.Due = due.AddDate(0, 1, 0)
	require.True(t, d.run(d.hands.Moment, activities.MomentInput{Step: delivered, Arm: -1}).Late)
}

func (d *desk) finish(outcome string, settle bool) activities.FinishResult {
	value, err := d.env.ExecuteActivity(d.hands.Finish, activities.FinishInput{Journey: d.journey, Outcome: outcome, Settle: settle, Step: "s"})
	require.NoError(d, err)
	var result activities.FinishResult
	require.NoError(d, value.Get(&result))
	return result
}

func TestFinish_ReturnsACodeThatNobodySaw(t *testing.T) {
	d := setup(t)
	d.outlets.outlet.Guard = func(string) string { return "" }
	d.vendor.answers = []error{failure(integrations.Invalid)}
	d.exec(`UPDATE template SET version_no = 1`)
	_, err := d.send()
	require.NoError(t, err)
	d.exec(`UPDATE assignment SET state = 'held', exposed_at = NULL`)
	require.Equal(t, "completed", d.finish("completed", true).Outcome)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM assignment WHERE state = 'returned'`))
}

func TestFinish_KeepsACodeThatSomebodyMayHaveSeen(t *testing.T) {
	d := setup(t)
	_, err := d.send()
	require.NoError(t, err)
	d.finish("completed", true)
	require.Zero(t, d.count(`SELECT count(*) FROM assignment WHERE state = 'returned'`))
}

func TestFinish_ARedemptionOnRecordIsTruerThanWhatTheStepsCameTo(t *testing.T) {
	d := setup(t)
	_, err := d.send()
	require.NoError(t, err)
	require.Equal(t, "completed", d.finish("completed", true).Outcome)
	d.exec(`INSERT INTO redemption (id, batch_id, pos, order_key, coupon_id, assignment_id, journey_id, source, at)
		SELECT 'rd_1', batch_id, pos, '1001', coupon_id, id, journey_id, 'shop', now() FROM assignment`)
	require.Equal(t, "redeemed", d.finish("completed", true).Outcome)
	require.Equal(t, "called_us", d.finish("called_us", false).Outcome)
}

func TestRecordByHand_PutsTheRedemptionBeforeTheDispatcherOnce(t *testing.T) {
	d := setup(t)
	in := activities.ByHandInput{Journey: d.journey, Kind: event.CodeRedeemed, Order: "1001"}
	require.Equal(t, activities.Result{Status: activities.Skipped, Reason: activities.NoCode}, d.run(d.hands.RecordByHand, in))
	_, err := d.send()
	require.NoError(t, err)
	for range 2 {
		require.Equal(t, activities.Done, d.run(d.hands.RecordByHand, in).Status)
	}
	require.Equal(t, 1, d.count(`SELECT count(*) FROM delivery_queue`))
}

// executions is a Temporal that knows no journey.
type executions struct{}

func (executions) Running(context.Context, string, string) (bool, error) {
	return false, serviceerror.NewNotFound("unknown")
}

func TestMaintain_ClosesJourneysThatTemporalLost(t *testing.T) {
	d := setup(t)
	d.hands.Executions = executions{}
	d.hands.Project.KeepBodies = time.Hour
	d.exec(`UPDATE journey SET started_at = now() - interval '2 hours'`)
	value, err := d.env.ExecuteActivity(d.hands.Maintain, activities.UpkeepInput{})
	require.NoError(t, err)
	var done activities.Upkeep
	require.NoError(t, value.Get(&done))
	require.Equal(t, 1, done.Lost)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM journey WHERE outcome = 'lost'`))
}

// hanging is a Temporal that doesn't answer.
type hanging struct{}

func (hanging) Running(ctx context.Context, _, _ string) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func TestMaintain_APartThatTakesAllItsTimeLeavesTheOthersTheirs(t *testing.T) {
	d := unsettled(t)
	d.wantAgain()
	d.exec(`UPDATE journey SET started_at = now() - interval '2 hours'`)
	d.hands.Executions = hanging{}
	maintain := func(ctx context.Context, in activities.UpkeepInput) (activities.Upkeep, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return d.hands.Maintain(ctx, in)
	}
	d.env.RegisterActivity(maintain)
	_, err := d.env.ExecuteActivity(maintain, activities.UpkeepInput{})
	require.ErrorContains(t, err, "maintaining failed")
	require.Equal(t, 2, d.count(`SELECT count(*) FROM message WHERE state = 'accepted' AND resent = 1`))
}

func TestMaintain_StartsEntriesThatWereForgottenAndDropsOldPayloads(t *testing.T) {
	d := setup(t)
	d.hands.Executions = executions{}
	d.hands.Project.KeepBodies = time.Hour
	d.exec(`UPDATE journey SET state = 'pending', started_at = NULL, created_at = now() - interval '5 minutes'`)
	d.exec(`INSERT INTO delivery (received_at, connection, topic, body) VALUES (now() - interval '2 hours', 'shop', 't', 'old'), (now(), 'shop', 't', 'new')`)
	for range 2 {
		_, err := d.env.ExecuteActivity(d.hands.Maintain, activities.UpkeepInput{})
		require.NoError(t, err)
	}
	require.Equal(t, 1, d.count(`SELECT count(*) FROM outbox WHERE kind = 'start'`))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM delivery WHERE body IS NOT NULL`))
}

func TestMaintain_DropsAllOldPayloadsAndLooksAtEachOnce(t *testing.T) {
	d := setup(t)
	d.hands.Executions = executions{}
	d.hands.Project.KeepBodies = time.Hour
	round := func() (done activities.Upkeep) {
		value, err := d.env.ExecuteActivity(d.hands.Maintain, activities.UpkeepInput{})
		require.NoError(t, err)
		require.NoError(t, value.Get(&done))
		return done
	}
	round()
	const more = 12_000
	d.exec(`INSERT INTO delivery (received_at, connection, topic, body) SELECT now() - interval '2 hours', 'shop', 't', 'old' FROM generate_series(1, $1)`, more)
	d.exec(`INSERT INTO delivery_key (connection, key, delivery_id, received_at) SELECT 'shop', n::text, n, now() - interval '91 days' FROM generate_series(1, $1) n`, more)
	// Webhooks that come in at once are numbered in another order than they came.
	d.exec(`INSERT INTO delivery (received_at, connection, topic, body) VALUES (now(), 'shop', 't', 'new'), (now() - interval '61 minutes', 'shop', 't', 'old')`)
	require.Equal(t, 2*more, round().Dropped)
	require.Equal(t, 2, d.count(`SELECT count(*) FROM delivery WHERE body IS NOT NULL`))
	require.Zero(t, d.count(`SELECT count(*) FROM delivery_key WHERE connection = 'shop'`))
	d.exec(`UPDATE delivery SET body = 'put back' WHERE body IS NULL`)
	d.exec(`UPDATE delivery SET received_at = now() - interval '61 minutes' WHERE body = 'new'`)
	require.Equal(t, 2, round().Dropped, "the two that were left, and none that was emptied before")

	// The database's clock was a year ahead; the last one still waits for the dispatcher.
	d.exec(`INSERT INTO delivery (received_at, connection, topic, body) VALUES (now() + interval '1 year', 'shop', 't', 'ahead'), (now() - interval '2 hours', 'shop', 't', 'old')`)
	d.exec(`WITH waiting AS (INSERT INTO delivery (received_at, connection, topic, body) VALUES (now() - interval '2 hours', 'shop', 't', 'waiting') RETURNING id, received_at)
		INSERT INTO delivery_queue (delivery_id, received_at) SELECT id, received_at FROM waiting`)
	require.Equal(t, 2, round().Dropped)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM delivery WHERE body = 'waiting'`))
	d.exec(`DELETE FROM delivery_queue`)
	require.Equal(t, 1, round().Dropped)
}

// shopDouble is a shop that remembers what it was asked to withdraw.
type shopDouble struct{ withdrawn []string }

func (*shopDouble) Issue(context.Context, integrations.Offer, string) (string, error) {
	return "gid://discount/1", nil
}

func (s *shopDouble) Withdraw(_ context.Context, _ integrations.Offer, code string) error {
	s.withdrawn = append(s.withdrawn, code)
	return nil
}

func TestMaintain_TakesBackCodesThatWereLeftInTheirShop(t *testing.T) {
	d := setup(t)
	d.hands.Executions = executions{}
	d.hands.Project.KeepBodies = time.Hour
	shop := &shopDouble{}
	d.outlets.issuer = shop
	_, err := d.send()
	require.NoError(t, err)
	d.exec(`UPDATE code SET in_shop = true, state = 'withdrawn' WHERE code = 'AAAA-1111'`)
	for range 2 {
		_, err := d.env.ExecuteActivity(d.hands.Maintain, activities.UpkeepInput{})
		require.NoError(t, err)
	}
	require.Equal(t, []string{"AAAA-1111"}, shop.withdrawn)
}
