package workflows_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/workflows"
)

const cart = `
campaign: cart
trigger: {event: checkout.updated}
entry: {key: event.checkout_token}
exit:
  - event: order.created
    match: checkout_token
    as: bought_without_code
    then: [{tag: buyer}]
steps:
  - send: {email: cart-reminder, coupon: cart-10}
  - await:
      - event: code.applied
        then:
          - wait: 1d
          - send: {email: finish-your-order}
      - after: 48h
  - wait: {until: expiry, offset: -24h}
  - send: {sms: last-call}
    else:
      - send: {email: last-call}
  - wait: {until: expiry}
`

// world runs one journey in skipped time; its activities answer as the test says.
type world struct {
	*testing.T
	env     *testsuite.TestWorkflowEnvironment
	began   time.Time
	plan    campaign.Plan
	done    []string // what was done, in order: "send_email_cart_reminder @0s"
	answers map[string]func(activities.Step) (activities.Result, error)
	byHand  []activities.ByHandInput
	noted   []string // pauses
}

func setup(t *testing.T, source string) *world {
	t.Parallel()
	file, problems := campaign.Parse("test.yaml", []byte(source))
	require.Empty(t, problems.Errors())
	program, err := file.Campaigns[0].Compile(1)
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w := &world{T: t, env: suite.NewTestWorkflowEnvironment(), plan: program.Plan,
		began: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), answers: map[string]func(activities.Step) (activities.Result, error){}}
	w.env.SetStartTime(w.began)
	w.env.RegisterWorkflow(workflows.Journey)
	var hands *activities.Activities
	w.env.RegisterActivity(hands)
	for _, do := range []any{hands.Send, hands.Assign, hands.Decide, hands.Tag, hands.Untag, hands.Notify, hands.Call, hands.Withdraw} {
		w.env.OnActivity(do, mock.Anything, mock.Anything).Return(w.act).Maybe()
	}
	for what, note := range map[string]any{"paused": hands.NotePause, "resumed": hands.NoteResume} {
		w.env.OnActivity(note, mock.Anything, mock.Anything).Return(func(_ context.Context, step activities.Step) (activities.Result, error) {
			w.noted = append(w.noted, what+" "+step.ID)
			return activities.Result{Status: activities.Done}, nil
		}).Maybe()
	}
	w.env.OnActivity(hands.TakeBack, mock.Anything, mock.Anything).Return(activities.Result{Status: activities.Done}, nil).Maybe()
	w.env.OnActivity(hands.Finish, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.FinishInput) (activities.FinishResult, error) {
		return activities.FinishResult{Outcome: in.Outcome}, nil
	}).Maybe()
	w.env.OnActivity(hands.RecordByHand, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.ByHandInput) (activities.Result, error) {
		w.byHand = append(w.byHand, in)
		return activities.Result{Status: activities.Done}, nil
	}).Maybe()
	return w
}

func (w *world) act(_ context.Context, in activities.Step) (activities.Result, error) {
	w.done = append(w.done, in.ID+" @"+w.env.Now().Sub(w.began).Round(time.Second).String())
	if answer := w.answers[in.ID]; answer != nil {
		return answer(in)
	}
	return activities.Result{Status: activities.Done, Expiry: w.began.Add(7 * 24 * time.Hour)}, nil
}

func (w *world) answer(step string, results ...activities.Result) {
	w.answers[step] = func(activities.Step) (activities.Result, error) {
		result := results[0]
		if len(results) > 1 {
			results = results[1:]
		}
		return result, nil
	}
}

func (w *world) signal(after time.Duration, name string, payload any) {
	w.env.RegisterDelayedCallback(func() { w.env.SignalWorkflow(name, payload) }, after)
}

func (w *world) deliver(after time.Duration, id int64, events ...workflows.Event) {
	w.signal(after, workflows.SignalEvents, workflows.Delivery{ID: id, Events: events})
}

func (w *world) run() string {
	w.env.ExecuteWorkflow(workflows.Journey, workflows.JourneyInput{Journey: "jn_1", Plan: w.plan})
	require.True(w, w.env.IsWorkflowCompleted())
	require.NoError(w, w.env.GetWorkflowError())
	var result workflows.JourneyResult
	require.NoError(w, w.env.GetWorkflowResult(&result))
	return result.Outcome
}

func (w *world) took() time.Duration { return w.env.Now().Sub(w.began) }

func redeemed() workflows.Event {
	return workflows.Event{ID: "ev_r", Type: event.CodeRedeemed, Rules: []string{campaign.RuleRedeemed}}
}

func ordered() workflows.Event {
	return workflows.Event{ID: "ev_o", Type: event.OrderCreated, Rules: []string{"exit.0"}}
}

func (w *world) applied() workflows.Event {
	for _, step := range w.plan.Steps {
		for _, arm := range step.Arms {
			if arm.Rule != "" {
				return workflows.Event{ID: "ev_a", Type: event.CodeApplied, Rules: []string{arm.Rule}}
			}
		}
	}
	w.Fatal("the plan awaits nothing")
	return workflows.Event{}
}

const day = 24 * time.Hour

func TestJourney_EndsAsRedeemedWhenTheCodeIsUsed(t *testing.T) {
	w := setup(t, cart)
	w.deliver(5*time.Hour, 1, redeemed())
	require.Equal(t, "redeemed", w.run())
	require.Equal(t, []string{"send_email_cart_reminder @0s"}, w.done)
	require.Equal(t, 5*time.Hour, w.took())
}

func TestJourney_SendsTheLastCallADayBeforeTheCodeExpires(t *testing.T) {
	w := setup(t, cart)
	require.Equal(t, "completed", w.run())
	require.Equal(t, []string{"send_email_cart_reminder @0s", "send_sms_last_call @144h0m0s"}, w.done)
	require.Equal(t, 7*day+10*time.Minute, w.took())
}

func TestJourney_TakesTheElseOfASendThatWasSkipped(t *testing.T) {
	w := setup(t, cart)
	w.answer("send_sms_last_call", activities.Result{Status: activities.Skipped, Reason: activities.NoAddress})
	require.Equal(t, "completed", w.run())
	require.Contains(t, w.done, "send_email_last_call @144h0m0s")
}

func TestJourney_TakesTheArmOfTheFirstEvent(t *testing.T) {
	w := setup(t, cart)
	w.deliver(3*time.Hour, 1, w.applied())
	require.Equal(t, "completed", w.run())
	require.Contains(t, w.done, "send_email_finish_your_order @27h0m0s")
}

func TestJourney_LeavesByAnExitAndDoesItsSteps(t *testing.T) {
	w := setup(t, cart)
	w.deliver(50*time.Hour, 1, ordered())
	require.Equal(t, "bought_without_code", w.run())
	require.Equal(t, []string{"send_email_cart_reminder @0s", "tag_buyer @50h0m0s"}, w.done)
}

func TestJourney_ARedemptionBeatsTheOrderOfTheSameWebhook(t *testing.T) {
	w := setup(t, cart)
	w.deliver(time.Hour, 1, ordered(), redeemed())
	require.Equal(t, "redeemed", w.run())
}

func TestJourney_AnArmBeatsAnExitInTheSameWebhook(t *testing.T) {
	w := setup(t, cart)
	w.deliver(time.Hour, 1, ordered(), w.applied())
	require.Equal(t, "completed", w.run())
}

func TestJourney_KeepsWhatNobodyTookForALaterAwait(t *testing.T) {
	w := setup(t, `
campaign: kept
trigger: {event: a.b}
steps:
  - wait: 1d
  - await:
      - event: form.filled
        then: [{tag: filled}, {end: filled}]
      - after: 1d
`)
	w.deliver(time.Hour, 1, w.applied())
	require.Equal(t, "filled", w.run())
	require.Equal(t, []string{"tag_filled @24h0m0s"}, w.done)
}

func TestJourney_CountsADeliveryOnce(t *testing.T) {
	w := setup(t, `
campaign: twice
trigger: {event: a.b}
steps:
  - await:
      - event: form.filled
      - {after: 1d, then: [{end: none}]}
  - await:
      - event: form.filled
        then: [{end: twice}]
      - after: 1d
`)
	first := w.applied()
	first.Rules = append(first.Rules, w.plan.Steps[len(w.plan.Steps)-2].Arms[0].Rule, w.plan.Steps[2].Arms[0].Rule)
	w.deliver(time.Hour, 7, first)
	w.deliver(2*time.Hour, 7, first)
	require.Equal(t, "completed", w.run())
}

func TestJourney_AnAwaitWithoutAClockEndsWithTheLifetime(t *testing.T) {
	w := setup(t, `
campaign: patient
trigger: {event: a.b}
lifetime: 10d
steps:
  - await: [{event: form.filled}]
`)
	require.Equal(t, "timed_out", w.run())
	require.Equal(t, 10*day, w.took())
}

func TestJourney_AHeldStepIsAskedAgainWhenItsTimeComes(t *testing.T) {
	w := setup(t, cart)
	w.answer("send_email_cart_reminder",
		activities.Result{Status: activities.Held, Reason: activities.OutOfWindow, Until: w.began.Add(3 * time.Hour)},
		activities.Result{Status: activities.Done, Expiry: w.began.Add(7 * day)})
	require.Equal(t, "completed", w.run())
	require.Equal(t, []string{"send_email_cart_reminder @0s", "send_email_cart_reminder @3h0m0s"}, w.done[:2])
}

func TestJourney_AHeldStepIsAskedAgainWhenResumed(t *testing.T) {
	w := setup(t, cart)
	w.answer("send_email_cart_reminder",
		activities.Result{Status: activities.Held, Reason: activities.WaitingForSupply, Until: w.began.Add(day)},
		activities.Result{Status: activities.Done, Expiry: w.began.Add(7 * day)})
	w.signal(time.Hour, workflows.SignalResume, nil)
	require.Equal(t, "completed", w.run())
	require.Equal(t, "send_email_cart_reminder @1h0m0s", w.done[1])
}

func TestJourney_AnExitEndsAHeldStep(t *testing.T) {
	w := setup(t, cart)
	w.answer("send_email_cart_reminder", activities.Result{Status: activities.Held, Reason: activities.UnknownOutcome})
	w.deliver(time.Hour, 1, ordered())
	require.Equal(t, "bought_without_code", w.run())
}

func TestJourney_AnExitEndsAStepThatIsBeingRetried(t *testing.T) {
	w := setup(t, cart)
	w.answers["send_email_cart_reminder"] = func(activities.Step) (activities.Result, error) {
		return activities.Result{}, temporal.NewApplicationErrorWithOptions("vendor", "vendor",
			temporal.ApplicationErrorOptions{NextRetryDelay: 40 * time.Minute})
	}
	w.deliver(time.Hour, 1, ordered())
	require.Equal(t, "bought_without_code", w.run())
	require.Less(t, w.took(), 2*time.Hour)
}

func TestJourney_AMessageThatDoesNotGoAtOnceIsSentByAnActivity(t *testing.T) {
	w := setup(t, cart)
	var attempts []string
	w.answers["send_email_cart_reminder"] = func(activities.Step) (activities.Result, error) {
		if len(attempts) < 3 {
			return activities.Result{}, temporal.NewApplicationError("vendor", "vendor")
		}
		return activities.Result{Status: activities.Done, Expiry: w.began.Add(7 * day)}, nil
	}
	w.env.SetOnLocalActivityStartedListener(func(info *activity.Info, _ context.Context, _ []any) {
		if info.ActivityType.Name == "Send" {
			attempts = append(attempts, "inside the task")
		}
	})
	w.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.ActivityType.Name == "Send" {
			attempts = append(attempts, "activity")
		}
	})
	require.Equal(t, "completed", w.run())
	require.Equal(t, []string{"inside the task", "activity", "activity", "inside the task"}, attempts, "the last one is the next message")
}

func TestJourney_SkipEndsTheWaitUnderWay(t *testing.T) {
	w := setup(t, cart)
	w.signal(time.Hour, workflows.SignalSkip, nil)
	w.signal(2*time.Hour, workflows.SignalSkip, nil)
	w.signal(3*time.Hour, workflows.SignalSkip, nil)
	require.Equal(t, "completed", w.run())
	require.Equal(t, []string{"send_email_cart_reminder @0s", "send_sms_last_call @2h0m0s"}, w.done)
	require.Equal(t, 3*time.Hour, w.took())
}

func TestJourney_PauseHoldsTheNextStepUntilResume(t *testing.T) {
	w := setup(t, cart)
	w.signal(time.Hour, workflows.SignalPause, nil)
	w.signal(150*time.Hour, workflows.SignalResume, nil)
	require.Equal(t, "completed", w.run())
	require.Equal(t, "send_sms_last_call @150h0m0s", w.done[1])
	require.Equal(t, []string{"paused wait_until_1d_before_expiry", "resumed wait_until_1d_before_expiry"}, w.noted)
}

func TestJourney_ExitByHandEndsItWithTheOutcomeAsked(t *testing.T) {
	w := setup(t, cart)
	w.signal(time.Hour, workflows.SignalExit, workflows.ExitRequest{Outcome: "called_us"})
	require.Equal(t, "called_us", w.run())
}

func TestJourney_ExitByHandWithWhatIsNoOutcomeStopsIt(t *testing.T) {
	w := setup(t, cart)
	w.signal(time.Hour, workflows.SignalExit, workflows.ExitRequest{Outcome: "told by anna@example.com"})
	require.Equal(t, "stopped", w.run())
}

func TestJourney_ExitByHandWithoutInputStopsIt(t *testing.T) {
	w := setup(t, cart)
	w.signal(time.Hour, workflows.SignalExit, nil)
	require.Equal(t, "stopped", w.run())
}

func TestJourney_RedeemedByHandIsRecordedAndComesBackAsAnEvent(t *testing.T) {
	w := setup(t, cart)
	w.signal(time.Hour, workflows.SignalRedeemed, workflows.Redeemed{Order: "1001"})
	w.deliver(time.Hour+time.Second, 1, redeemed())
	require.Equal(t, "redeemed", w.run())
	require.Equal(t, []activities.ByHandInput{{Journey: "jn_1", Kind: event.CodeRedeemed, Order: "1001"}}, w.byHand)
}

func TestJourney_AnExtendedCodeRetimesTheWait(t *testing.T) {
	w := setup(t, cart)
	w.answer("send_sms_last_call", activities.Result{Status: activities.Done})
	w.signal(100*time.Hour, workflows.SignalExpiry, workflows.ExpiryChange{At: w.began.Add(14 * day)})
	require.Equal(t, "completed", w.run())
	require.Equal(t, "send_sms_last_call @312h0m0s", w.done[1])
	require.Equal(t, 14*day+10*time.Minute, w.took())
}

func TestJourney_CancellingTheWorkflowStopsTheJourney(t *testing.T) {
	w := setup(t, cart)
	w.env.RegisterDelayedCallback(w.env.CancelWorkflow, time.Hour)
	require.Equal(t, "stopped", w.run())
}

func TestJourney_AStepThatFailsForGoodEndsItAsFailed(t *testing.T) {
	w := setup(t, cart)
	w.answers["send_email_cart_reminder"] = func(activities.Step) (activities.Result, error) {
		return activities.Result{}, temporal.NewNonRetryableApplicationError("gone", "missing", nil)
	}
	require.Equal(t, "failed", w.run())
}

func TestJourney_StatusTellsWhereItStands(t *testing.T) {
	w := setup(t, cart)
	w.env.RegisterDelayedCallback(func() {
		answer, err := w.env.QueryWorkflow(workflows.QueryStatus)
		require.NoError(t, err)
		var status workflows.Status
		require.NoError(t, answer.Get(&status))
		require.Equal(t, w.plan.Steps[1].ID, status.Step)
		require.Equal(t, w.began.Add(48*time.Hour), status.Until)
	}, time.Hour)
	w.run()
}

func TestJourney_GoesOnFromItsStateAfterContinuingAsNew(t *testing.T) {
	w := setup(t, cart)
	w.env.SetCurrentHistoryLength(3000)
	w.env.ExecuteWorkflow(workflows.Journey, workflows.JourneyInput{Journey: "jn_1", Plan: w.plan})
	var renewed *workflow.ContinueAsNewError
	require.ErrorAs(t, w.env.GetWorkflowError(), &renewed)
	var in workflows.JourneyInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(renewed.Input, &in))
	require.Equal(t, 1, in.State.At)
	require.Equal(t, w.began.Add(7*day), in.State.Expiry)

	again := &world{T: t, plan: w.plan, began: w.began.Add(day), answers: w.answers}
	var suite testsuite.WorkflowTestSuite
	again.env = suite.NewTestWorkflowEnvironment()
	again.env.SetStartTime(again.began)
	again.env.RegisterWorkflow(workflows.Journey)
	var hands *activities.Activities
	again.env.RegisterActivity(hands)
	again.env.OnActivity(hands.Send, mock.Anything, mock.Anything).Return(again.act)
	again.env.OnActivity(hands.Finish, mock.Anything, mock.Anything).Return(activities.FinishResult{Outcome: "completed"}, nil)
	again.env.ExecuteWorkflow(workflows.Journey, in)
	require.NoError(t, again.env.GetWorkflowError())
	require.Equal(t, []string{"send_sms_last_call @120h0m0s"}, again.done)
}
