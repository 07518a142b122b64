package activities_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/dev/postgres/pgtest"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

const letter = `
campaign: letter
trigger: {event: order.paid}
steps:
  - send: {email: hello, coupon: hello-10}
---
coupon: hello-10
discount: {percentage: 10}
codes: {list: true}
valid_for: 7d
on_empty: skip
`

var templateFiles = map[string]string{
	"email.html": "---\nsubject: Hello\nlayout: none\n---\n<p>Your code: {{ code }} {{ unsubscribe_url }}</p>",
}

var database = pgtest.Template{Prepare: func(ctx context.Context, url string) error {
	s, err := store.Open(ctx, url, 4)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Migrate(ctx)
}}

// vendor is an e-mail vendor whose answers the test decides.
type vendor struct {
	sync.Mutex
	answers []error // of the calls to come; then success
	sent    []integrations.Message
	during  func() // what happens while the vendor is called
}

func (v *vendor) Channel() string { return event.ChannelEmail }

func (v *vendor) Send(_ context.Context, m integrations.Message) (integrations.Sent, error) {
	v.Lock()
	defer v.Unlock()
	v.sent = append(v.sent, m)
	if v.during != nil {
		v.during()
	}
	if len(v.answers) > 0 {
		err := v.answers[0]
		v.answers = v.answers[1:]
		if err != nil {
			return integrations.Sent{}, err
		}
	}
	return integrations.Sent{VendorID: "vendor-" + m.ID}, nil
}

func (v *vendor) calls() int {
	v.Lock()
	defer v.Unlock()
	return len(v.sent)
}

type connections struct {
	outlet activities.Outlet
	caller integrations.Caller
	issuer integrations.Issuer
}

func (c *connections) Outlet(string, string) (activities.Outlet, bool) { return c.outlet, true }
func (c *connections) Issuer(string) (integrations.Issuer, bool)       { return c.issuer, c.issuer != nil }
func (c *connections) Caller(string) (integrations.Caller, bool)       { return c.caller, c.caller != nil }
func (c *connections) Sent(string, string, string)                     {}
func (c *connections) Skipped(string, string)                          {}
func (c *connections) NotDone(string, string, string, string)          {}
func (c *connections) Claimed(string, string, time.Duration)           {}
func (c *connections) Ended(string, string)                            {}

// desk is one journey at its send step, on a real Postgres.
type desk struct {
	*testing.T
	store   *store.Store
	hands   *activities.Activities
	env     *testsuite.TestActivityEnvironment
	vendor  *vendor
	outlets *connections
	contact string
	journey string
}

func setup(t *testing.T) *desk {
	t.Parallel()
	ctx := t.Context()
	s, err := store.Open(ctx, database.URL(t), 8)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	d := &desk{T: t, store: s, vendor: &vendor{}, journey: store.NewID(store.JourneyID)}
	d.outlets = &connections{outlet: activities.Outlet{Name: "email", Channel: d.vendor, EvidenceWindow: 15 * time.Minute,
		Guard: func(string) string { return "" }}}
	d.hands = &activities.Activities{Store: s, Connections: d.outlets, Observe: d.outlets, Log: discard,
		Project: activities.Project{Zone: time.UTC, PublicURL: "https://shop.example.com",
			Teams: map[string][]string{"sales": {"a@example.com", "b@example.com"}}}}
	var suite testsuite.WorkflowTestSuite
	d.env = suite.NewTestActivityEnvironment()
	d.env.RegisterActivity(d.hands)
	d.prepare()
	return d
}

// prepare applies the campaign, imports two codes and enters one consenting person.
func (d *desk) prepare() {
	ctx := d.Context()
	file, problems := campaign.Parse("letter.yaml", []byte(letter))
	require.Empty(d, problems.Errors())
	_, err := d.store.ApplyCoupon(ctx, d.store.Pool, file.Coupons[0])
	require.NoError(d, err)
	d.exec(`INSERT INTO campaign (name, version_no) VALUES ('letter', 1)`)
	d.exec(`INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 1, $1, 1, 'x' FROM campaign`, file.Campaigns[0].Source)
	d.exec(`INSERT INTO template (name, version_no) VALUES ('hello', 1)`)
	d.exec(`INSERT INTO template_version (name, no, files, sha256) VALUES ('hello', 1, $1, 'x')`, templateFiles)
	d.importCodes("AAAA-1111\nBBBB-2222")
	d.contact, err = d.store.ResolveContact(ctx, d.store.Pool, "shop", event.Person{
		Identities: []event.Identity{{Kind: event.Email, Value: "anna@example.com"}},
		Consents:   []event.Consent{{Channel: event.ChannelEmail, State: event.Granted, At: time.Now().Add(-time.Hour)}},
	}, time.Now())
	require.NoError(d, err)
	d.exec(`INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, state, started_at)
		SELECT $1, id, 1, $2, 'k', 1, 'running', now() FROM campaign`, d.journey, d.contact)
}

func (d *desk) exec(sql string, args ...any) {
	_, err := d.store.Pool.Exec(d.Context(), sql, args...)
	require.NoError(d, err)
}

func (d *desk) send() (activities.Result, error) {
	return d.sendDue(time.Now())
}

func (d *desk) sendDue(due time.Time) (activities.Result, error) {
	value, err := d.env.ExecuteActivity(d.hands.Send, activities.Step{Journey: d.journey, ID: "send_email_hello", Due: due})
	if err != nil {
		return activities.Result{}, err
	}
	var result activities.Result
	require.NoError(d, value.Get(&result))
	return result, nil
}

// retried asserts that Temporal is asked to try again, and gives the reason.
func (d *desk) retried(err error) string {
	var app *temporal.ApplicationError
	require.ErrorAs(d, err, &app)
	require.False(d, app.NonRetryable())
	return app.Type()
}

func (d *desk) message() *store.Message {
	m, err := d.store.MessageByKey(d.Context(), d.store.Pool, d.journey+"/send_email_hello")
	require.NoError(d, err)
	return m
}

func (d *desk) count(sql string) (n int) {
	require.NoError(d, d.store.Pool.QueryRow(d.Context(), sql).Scan(&n))
	return n
}

const heldCodes = `SELECT count(*) FROM assignment`

func failure(class integrations.Class) error {
	return &integrations.Error{Class: class, Vendor: "test", Doing: "sending", Code: "x"}
}

func TestSend_SendsOnceHoweverOftenItIsRun(t *testing.T) {
	d := setup(t)
	for range 3 {
		result, err := d.send()
		require.NoError(t, err)
		require.Equal(t, activities.Done, result.Status)
		require.False(t, result.Expiry.IsZero())
	}
	require.Equal(t, 1, d.vendor.calls())
	require.Contains(t, d.vendor.sent[0].HTML, "AAAA-1111")
	require.Contains(t, d.vendor.sent[0].UnsubscribeURL, "https://shop.example.com/u/")
	require.Equal(t, 1, d.count(heldCodes))
}

func TestSend_ASkippedMessageHasOneReasonAndClaimsNoCode(t *testing.T) {
	for reason, prepare := range map[string]func(*desk){
		activities.NoConsent: func(d *desk) { d.exec(`UPDATE consent SET state = 'denied'`) },
		activities.NoAddress: func(d *desk) { d.exec(`DELETE FROM identity`) },
		activities.NotLive:   func(d *desk) { d.outlets.outlet.Guard = func(string) string { return activities.NotLive } },
		activities.Suppressed: func(d *desk) {
			require.NoError(d, d.store.Suppress(d.Context(), d.store.Pool, "email", "Anna@Example.com", "hard_bounce", true, "test", time.Now()))
		},
	} {
		t.Run(reason, func(t *testing.T) {
			d := setup(t)
			prepare(d)
			result, err := d.send()
			require.NoError(t, err)
			require.Equal(t, activities.Result{Status: activities.Skipped, Reason: reason}, result)
			require.Equal(t, reason, d.message().Reason)
			require.Zero(t, d.vendor.calls())
			require.Zero(t, d.count(heldCodes))
		})
	}
}

func TestSend_ComesTooLateADayAfterItWasDue(t *testing.T) {
	d := setup(t)
	result, err := d.sendDue(time.Now().Add(-25 * time.Hour))
	require.NoError(t, err)
	require.Equal(t, activities.TooLate, result.Reason)
}

func TestSend_WithoutACodeLeftIsSkipped(t *testing.T) {
	d := setup(t)
	d.exec(`UPDATE batch SET closed = true`)
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.NoCode, result.Reason)
	require.Zero(t, d.vendor.calls())
}

func TestSend_HoldsWhileTheCampaignIsPausedAndGoesOnAfterwards(t *testing.T) {
	d := setup(t)
	d.exec(`UPDATE campaign SET state = 'paused'`)
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Held, result.Status)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM journey WHERE state = 'parked' AND parked_reason = 'campaign_paused'`))
	d.exec(`UPDATE campaign SET state = 'running'`)
	result, err = d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Done, result.Status)
	require.Zero(t, d.count(`SELECT count(*) FROM journey WHERE state = 'parked'`))
}

func TestSend_WaitsForEventsThatWereAcceptedButNotSeen(t *testing.T) {
	d := setup(t)
	require.NoError(t, d.store.EnqueueSignal(t.Context(), d.store.Pool, d.journey, "events", map[string]any{"delivery": 1}))
	_, err := d.send()
	require.Equal(t, activities.EventsWaiting, d.retried(err))
	require.Zero(t, d.vendor.calls())
	d.exec(`DELETE FROM outbox`)
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Done, result.Status)
}

func TestSend_TriesAgainWhatTheVendorCertainlyDidNotTake(t *testing.T) {
	d := setup(t)
	d.vendor.answers = []error{failure(integrations.RateLimited), failure(integrations.Retry)}
	for range 2 {
		_, err := d.send()
		d.retried(err)
		require.Equal(t, store.MessageReserved, d.message().State)
	}
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Done, result.Status)
	require.Equal(t, 3, d.message().Attempt)
	require.Equal(t, 1, d.count(heldCodes))
}

func TestSend_ARefusalIsFinal(t *testing.T) {
	d := setup(t)
	d.vendor.answers = []error{failure(integrations.Invalid)}
	for range 2 {
		result, err := d.send()
		require.NoError(t, err)
		require.Equal(t, activities.Result{Status: activities.Failed, Reason: activities.VendorRefused}, result)
	}
	require.Equal(t, 1, d.vendor.calls())
}

func TestSend_AnUnknownOutcomeIsNeverSentAgainWithoutAWord(t *testing.T) {
	d := setup(t)
	d.vendor.answers = []error{errors.New("connection reset")}
	for range 4 {
		_, err := d.send()
		require.Equal(t, activities.UnknownOutcome, d.retried(err))
	}
	require.Equal(t, 1, d.vendor.calls())
	require.Equal(t, store.MessageUnknown, d.message().State)
}

func TestSend_EvidenceSettlesAnUnknownOutcome(t *testing.T) {
	d := setup(t)
	d.vendor.answers = []error{failure(integrations.Unknown)}
	_, err := d.send()
	d.retried(err)
	m := d.message()
	require.NoError(t, d.store.RecordEvidence(t.Context(), d.store.Pool, []string{"email"}, event.Evidence{MessageID: m.ID, VendorID: "v1", Status: event.StatusDelivered, At: time.Now()}))
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Done, result.Status)
	require.Equal(t, 1, d.vendor.calls())
	require.Equal(t, 1, d.count(`SELECT count(*) FROM outbox WHERE name = 'resume'`))
}

// later is another message that the vendor took and told of.
func (d *desk) later() {
	d.exec(`INSERT INTO message (id, send_key, step, channel, kind, connection, state, attempt, attempt_token, called_at, delivery)
		VALUES ($1, 'later', 's', 'email', 'marketing', 'email', 'accepted', 1, $2, now(), 'delivered')`, store.NewID(store.MessageID), store.NewID("at"))
}

func TestSend_ParksAnUnknownOutcomeOnceLaterMessagesShowThatEventsFlow(t *testing.T) {
	d := setup(t)
	d.outlets.outlet.EvidenceWindow = time.Millisecond
	d.vendor.answers = []error{failure(integrations.Unknown)}
	_, err := d.send()
	d.retried(err)
	_, err = d.send()
	d.retried(err)
	require.Equal(t, store.MessageUnknown, d.message().State)
	d.later()
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Result{Status: activities.Held, Reason: activities.UnknownOutcome}, result)
	require.Equal(t, store.MessageParked, d.message().State)
	require.Equal(t, 1, d.vendor.calls())
}

// A message that was written before another was called, and called again after it, tells
// of its events as well as a new one.
func TestStreamFlows_CountsByWhenMessagesWereCalled(t *testing.T) {
	d := setup(t)
	d.later()
	d.vendor.answers = []error{failure(integrations.Unknown)}
	_, err := d.send()
	d.retried(err)
	flows := func() bool {
		flows, err := d.store.StreamFlows(t.Context(), d.message())
		require.NoError(t, err)
		return flows
	}
	require.False(t, flows(), "what was called before says nothing")
	d.exec(`UPDATE message SET called_at = now(), attempt_token = $1 WHERE send_key = 'later'`, store.NewID("at"))
	require.True(t, flows())
}

func TestSend_ResendsAnUnknownOutcomeWhereThePolicySaysSo(t *testing.T) {
	d := setup(t)
	d.outlets.outlet.Resend, d.outlets.outlet.EvidenceWindow = true, time.Millisecond
	d.vendor.answers = []error{failure(integrations.Unknown)}
	_, err := d.send()
	d.retried(err)
	_, err = d.send()
	d.retried(err)
	require.Equal(t, store.MessageUnknown, d.message().State, "silence means nothing while no event flows")
	d.later()
	_, err = d.send()
	d.retried(err)
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Done, result.Status)
	require.Equal(t, 2, d.vendor.calls())
	require.Equal(t, 1, d.count(`SELECT resent FROM message WHERE send_key <> 'later'`), "the row says so")
}

func TestSend_LeavesAnAttemptUnderWayAlone(t *testing.T) {
	d := setup(t)
	_, err := d.send()
	require.NoError(t, err)
	d.exec(`UPDATE message SET state = 'calling', attempt_deadline = called_at + interval '1 minute'`)
	_, err = d.send()
	d.retried(err)
	require.Equal(t, store.MessageCalling, d.message().State)
	d.exec(`UPDATE message SET attempt_deadline = called_at`)
	_, err = d.send()
	d.retried(err)
	require.Equal(t, store.MessageUnknown, d.message().State)
	require.Equal(t, 1, d.vendor.calls())
}

func TestSend_TheDatabasesClockAloneNeverEndsAnAttemptOrAWindow(t *testing.T) {
	for clock, hours := range map[string]int{"ahead": -2, "behind": 2} {
		t.Run(clock, func(t *testing.T) {
			d := setup(t)
			d.outlets.outlet.Resend = true
			d.vendor.answers = []error{failure(integrations.Unknown)}
			_, err := d.send()
			d.retried(err)
			d.later()
			set := func(state string) {
				d.exec(`UPDATE message SET state = $1, called_at = called_at + make_interval(hours => $2),
					attempt_deadline = attempt_deadline + make_interval(hours => $2) WHERE send_key <> 'later'`, state, hours)
			}
			set(store.MessageCalling)
			_, err = d.send()
			require.Equal(t, activities.ErrorUnderWay, d.retried(err))
			require.LessOrEqual(t, pauseOf(t, err), 20*time.Second, "nobody waits longer than an attempt may take")
			d.exec(`UPDATE message SET state = 'unknown'`)
			_, err = d.send()
			require.Equal(t, activities.UnknownOutcome, d.retried(err))
			require.Equal(t, 1, d.vendor.calls())
		})
	}
}

// pauseOf is how long Temporal is asked to wait.
func pauseOf(t *testing.T, err error) time.Duration {
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	return app.NextRetryDelay()
}

func TestSend_AnAcceptanceThatComesAfterTheAttemptWasGivenUpStillCounts(t *testing.T) {
	d := setup(t)
	d.vendor.during = func() { d.exec(`UPDATE message SET state = 'parked'`) }
	_, err := d.send()
	require.Equal(t, activities.ErrorChanged, d.retried(err))
	require.Equal(t, store.MessageAccepted, d.message().State)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM outbox WHERE name = 'resume'`))
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Done, result.Status)
	require.Equal(t, 1, d.vendor.calls())
}

func TestEndCall_AnAttemptThatWasGivenUpHasNoSayInTheNext(t *testing.T) {
	d := setup(t)
	ctx := t.Context()
	open := func(*store.Tx) (bool, error) { return true, nil }
	m := store.Message{SendKey: "k", Step: "s", Channel: "email", Kind: "marketing", Connection: "email"}
	first, err := d.store.BeginCall(ctx, m, time.Minute, open)
	require.NoError(t, err)
	moved, err := d.store.EndCall(ctx, first, store.Outcome{State: store.MessageReserved})
	require.NoError(t, err)
	require.True(t, moved)
	second, err := d.store.BeginCall(ctx, m, time.Minute, open)
	require.NoError(t, err)
	moved, err = d.store.EndCall(ctx, first, store.Outcome{State: store.MessageRefused, Reason: "late"})
	require.NoError(t, err)
	require.False(t, moved)
	moved, err = d.store.EndCall(ctx, second, store.Outcome{State: store.MessageAccepted, VendorID: "v"})
	require.NoError(t, err)
	require.True(t, moved)
}

// TestBeginCall_TakesBackWhatItCannotWaitFor has the database commit an attempt only
// after the one who began it stopped waiting.
func TestBeginCall_TakesBackWhatItCannotWaitFor(t *testing.T) {
	for name, before := range map[string]int{"the first attempt": 0, "a later one": 1} {
		t.Run(name, func(t *testing.T) {
			d := setup(t)
			got, err := d.store.Claim(t.Context(), store.Claim{Key: store.ClaimKey(d.journey, "hello-10", 0), Coupon: "hello-10", JourneyID: d.journey, ContactID: d.contact})
			require.NoError(t, err)
			begin := func(ctx context.Context) (*store.Message, error) {
				return d.store.BeginCall(ctx, store.Message{SendKey: d.journey + "/send_email_hello", JourneyID: d.journey, Step: "send_email_hello", Channel: "email",
					Kind: "marketing", Connection: "email", AssignmentID: got.Assignment.ID}, time.Minute, func(*store.Tx) (bool, error) { return true, nil })
			}
			for range before {
				m, err := begin(t.Context())
				require.NoError(t, err)
				_, err = d.store.EndCall(t.Context(), m, store.Outcome{State: store.MessageReserved})
				require.NoError(t, err)
			}
			d.exec(`CREATE FUNCTION commit_slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
					LOOP BEGIN
						PERFORM pg_advisory_xact_lock(7); RETURN NULL;
					EXCEPTION WHEN query_canceled THEN -- a commit isn't called off
					END; END LOOP;
				EXCEPTION WHEN query_canceled THEN -- between two turns
					PERFORM pg_advisory_xact_lock(7); RETURN NULL;
				END $$`)
			d.exec(`CREATE CONSTRAINT TRIGGER slow AFTER INSERT OR UPDATE ON message DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION commit_slowly()`)
			hold, err := d.store.Pool.Begin(t.Context())
			require.NoError(t, err)
			defer hold.Rollback(context.Background())
			_, err = hold.Exec(t.Context(), `SELECT pg_advisory_xact_lock(7)`)
			require.NoError(t, err)

			waits := func(where, what string) {
				t.Helper()
				require.Eventually(t, func() bool {
					return d.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event `+where) == 1
				}, 30*time.Second, 10*time.Millisecond, what)
			}
			ctx, stopWaiting := context.WithCancel(t.Context())
			defer stopWaiting()
			began := make(chan error, 1)
			go func() {
				_, err := begin(ctx)
				began <- err
			}()
			waits(`= 'advisory'`, "the commit takes its time")
			stopWaiting()
			waits(`<> 'advisory'`, "the taking back waits for the commit")
			require.NoError(t, hold.Rollback(t.Context()))
			require.ErrorIs(t, <-began, context.Canceled)
			require.Equal(t, store.MessageReserved, d.message().State)
			require.Equal(t, 1, d.count(unseenCodes))
			result, err := d.send()
			require.NoError(t, err)
			require.Equal(t, activities.Done, result.Status)
			require.Equal(t, 1, d.vendor.calls())
		})
	}
}

func TestRecordEvidence_ThatCameBeforeTheAnswerIsNotLost(t *testing.T) {
	d := setup(t)
	ctx := t.Context()
	begun, err := d.store.BeginCall(ctx, store.Message{SendKey: "k", Step: "s", Channel: "email", Kind: "marketing", Connection: "email"},
		time.Minute, func(*store.Tx) (bool, error) { return true, nil })
	require.NoError(t, err)
	require.NoError(t, d.store.RecordEvidence(ctx, d.store.Pool, []string{"email"}, event.Evidence{VendorID: "v1", Status: event.StatusDelivered, At: time.Now()}))
	_, err = d.store.EndCall(ctx, begun, store.Outcome{State: store.MessageAccepted, VendorID: "v1"})
	require.NoError(t, err)
	m, err := d.store.Message(ctx, d.store.Pool, begun.ID)
	require.NoError(t, err)
	require.Equal(t, "delivered", m.Delivery)
}

func TestApplyEarlyEvidence_TakesWhatWasLeftLying(t *testing.T) {
	d := setup(t)
	_, err := d.send()
	require.NoError(t, err)
	d.exec(`UPDATE message SET vendor_id = 'v1'`)
	// The process died between the acceptance and its look at early evidence.
	d.exec(`INSERT INTO message_evidence (connection, vendor_id, status, at) VALUES ('email', 'v1', 'delivered', now()), ('email', 'others', 'delivered', now())`)
	require.NoError(t, d.store.ApplyEarlyEvidence(t.Context()))
	require.Equal(t, event.StatusDelivered, d.message().Delivery)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM message_evidence`))
}

func TestRecordEvidence_TakesTogetherWhatIsToldTogether(t *testing.T) {
	d := setup(t)
	ctx := t.Context()
	open := func(*store.Tx) (bool, error) { return true, nil }
	var messages []*store.Message
	for _, key := range []string{"refused", "unknown"} {
		m, err := d.store.BeginCall(ctx, store.Message{SendKey: key, JourneyID: d.journey, Step: key, Channel: "email", Kind: "marketing", Connection: "email"}, time.Minute, open)
		require.NoError(t, err)
		_, err = d.store.EndCall(ctx, m, store.Outcome{State: key})
		require.NoError(t, err)
		messages = append(messages, m)
	}
	at := time.Now()
	require.NoError(t, d.store.RecordEvidence(ctx, d.store.Pool, []string{"email"},
		event.Evidence{MessageID: messages[0].ID, Status: event.StatusDelivered, At: at},
		event.Evidence{VendorID: "nobody's", Status: event.StatusDelivered, At: at},
		event.Evidence{MessageID: "ms_of_another_system", Status: event.StatusDelivered, At: at},
		event.Evidence{MessageID: messages[1].ID, Status: event.StatusAccepted, At: at},
		event.Evidence{MessageID: messages[1].ID, Status: event.StatusOpened, At: at}))
	for i, delivery := range []string{event.StatusDelivered, event.StatusOpened} {
		m, err := d.store.Message(ctx, d.store.Pool, messages[i].ID)
		require.NoError(t, err)
		require.Equal(t, []string{store.MessageAccepted, delivery}, []string{m.State, m.Delivery})
	}
	require.Equal(t, 1, d.count(`SELECT count(*) FROM message_evidence WHERE vendor_id = 'nobody''s'`), "it may be of a call under way")
	require.Equal(t, 1, d.count(`SELECT count(*) FROM outbox WHERE name = 'resume'`), "the journey that waits for a word is told once")
}

func TestRecordEvidence_OnlyMovesUp(t *testing.T) {
	d := setup(t)
	_, err := d.send()
	require.NoError(t, err)
	for _, status := range []string{event.StatusDelivered, event.StatusDeferred, event.StatusOpened, event.StatusDelivered} {
		require.NoError(t, d.store.RecordEvidence(t.Context(), d.store.Pool, []string{"email"}, event.Evidence{MessageID: d.message().ID, Status: status, At: time.Now()}))
	}
	require.Equal(t, event.StatusOpened, d.message().Delivery)
}

func TestSend_ConcurrentAttemptsCallTheVendorOnce(t *testing.T) {
	d := setup(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { _, _ = d.send() })
	}
	group.Wait()
	require.Equal(t, 1, d.vendor.calls())
}

func TestSend_ParksATemplateThatCannotBeRendered(t *testing.T) {
	d := setup(t)
	d.exec(`INSERT INTO template_version (name, no, files, sha256) VALUES ('hello', 2, $1, 'y')`,
		map[string]string{"email.html": "---\nsubject: Hello\nlayout: none\n---\n<p>{{ contact.shoe_size.left }}</p>"})
	d.exec(`UPDATE template SET version_no = 2`)
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Result{Status: activities.Held, Reason: activities.RenderError}, result)
	d.exec(`UPDATE template SET version_no = 1`)
	result, err = d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Done, result.Status)
}

// Whoever mends a template resumes the journeys that are parked on it by then.
func TestSend_ATemplateThatIsMendedWhileItIsRenderedIsTriedAgain(t *testing.T) {
	d := setup(t)
	d.exec(`INSERT INTO template_version (name, no, files, sha256) VALUES ('hello', 2, $1, 'y')`,
		map[string]string{"email.html": "---\nsubject: Hello\nlayout: none\n---\n<p>{{ contact.shoe_size.left }}</p>"})
	d.exec(`UPDATE template SET version_no = 2`)
	sent := make(chan error, 1)
	require.NoError(t, d.store.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE template SET version_no = 1`) // mended, and nobody was parked
		require.NoError(t, err)
		go func() { _, err := d.send(); sent <- err }()
		require.Eventually(t, func() bool {
			return len(sent) > 0 || d.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
		}, time.Minute, 10*time.Millisecond, "the message to wait")
		return nil
	}))
	require.Equal(t, activities.ErrorChanged, d.retried(<-sent))
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Done, result.Status)
	require.Equal(t, 1, d.count(`SELECT count(*) FROM journey WHERE state = 'running'`))
}

func TestSend_ParksATemplateThatWantsTooMuchAndTheWorkerLivesOn(t *testing.T) {
	d := setup(t)
	for i, body := range []string{
		`{% for i in (1..1000000000) %}{% endfor %}`,
		`{% assign s = "ab" %}{% for i in (1..1000) %}{% capture s %}{{ s }}{{ s }}{% endcapture %}{% endfor %}`,
		`<a href="{{ contact.email | prepend: 'javascript:' }}">a</a>`,
	} {
		d.exec(`INSERT INTO template_version (name, no, files, sha256) VALUES ('hello', $1, $2, $3)`, i+2,
			map[string]string{"email.html": "---\nsubject: Hello\nlayout: none\n---\n" + body}, body)
		d.exec(`UPDATE template SET version_no = $1`, i+2)
		result, err := d.send()
		require.NoError(t, err)
		require.Equal(t, activities.Result{Status: activities.Held, Reason: activities.RenderError}, result, body)
		require.Equal(t, 1, d.count(`SELECT count(*) FROM journey WHERE state = 'parked' AND parked_reason = 'render_error'`))
	}
	d.exec(`UPDATE template SET version_no = 1`)
	result, err := d.send()
	require.NoError(t, err)
	require.Equal(t, activities.Done, result.Status)
	require.Equal(t, 1, d.vendor.calls())
}

func TestSend_ARefusalIsRecordedWhateverBytesItIsIn(t *testing.T) {
	d := setup(t)
	d.vendor.answers = []error{&integrations.Error{Class: integrations.Invalid, Vendor: "test", Doing: "sending", Code: "x\xff", Detail: "no \xc3 such \x00 address\xff"}}
	_, err := d.send()
	require.NoError(t, err)
	require.Equal(t, store.MessageRefused, d.message().State)
}

func TestSend_ErrorsCarryNeitherAddressNorCode(t *testing.T) {
	d := setup(t)
	d.vendor.answers = []error{&integrations.Error{Class: integrations.Unknown, Vendor: "test", Doing: "sending", Code: "x", Detail: "anna@example.com AAAA-1111"}}
	_, err := d.send()
	require.Error(t, err)
	require.NotContains(t, err.Error(), "anna")
	require.NotContains(t, err.Error(), "AAAA")
	_, err = d.env.ExecuteActivity(d.hands.Send, activities.Step{Journey: "jn_nobody", ID: "x"})
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.True(t, app.NonRetryable())
}
