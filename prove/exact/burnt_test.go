// Here an office stands in for the vendor, whose answer to each message is chosen,
// and the SDK's environment for activities for Temporal, so that thousands of sends
// fit into a run; the activity, the ledger and Postgres are real. The live
// counterparts are TestPromise3_WhateverTheShopAnswersACodeIsMadeThereOnce in this
// package, and the kills at each call of a vendor in prove/faults.

package exact

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/prove/control"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

const letter = `campaign: letter
trigger: {event: order.paid}
steps:
  - send: {email: hello, coupon: gift}
---
coupon: gift
discount: {percentage: 10}
codes: {list: true}
on_empty: skip
`

// fate is what becomes of one journey's message.
type fate struct {
	prepare func(*office, int)   // before the send; nil: nothing
	answers []integrations.Class // of the vendor's calls, one an attempt; anything afterwards is taken
	ends    bool                 // the journey ends before a further attempt
	burnt   bool                 // somebody has the code, or may have it
}

const taken integrations.Class = -1

var fates = map[string]fate{
	"no consent": {prepare: func(o *office, i int) {
		o.exec(`UPDATE consent SET state = 'denied' WHERE contact_id = $1`, o.contacts[i])
	}},
	"no address": {prepare: func(o *office, i int) { o.exec(`DELETE FROM identity WHERE contact_id = $1`, o.contacts[i]) }},
	"suppressed": {prepare: func(o *office, i int) {
		require.NoError(o, o.Suppress(o.ctx, o.Pool, event.ChannelEmail, address(i), "hard_bounce", true, "test", time.Now()))
	}},
	"not live":               {prepare: func(o *office, i int) { o.closed.Store(address(i), true) }},
	"refused":                {answers: []integrations.Class{integrations.Invalid}},
	"refused as suppressed":  {answers: []integrations.Class{integrations.Retry, integrations.Suppressed}},
	"put off until the end":  {answers: []integrations.Class{integrations.RateLimited, integrations.Retry}, ends: true},
	"key is wrong":           {answers: []integrations.Class{integrations.Auth}, ends: true},
	"delivered":              {answers: []integrations.Class{taken}, burnt: true},
	"delivered when retried": {answers: []integrations.Class{integrations.Retry, taken}, burnt: true},
	"nobody knows":           {answers: []integrations.Class{integrations.Unknown}, ends: true, burnt: true},
}

// office is a send step with many journeys before it, whose vendor answers as each
// one's fate says.
type office struct {
	*shop
	hands    *activities.Activities
	contacts []string
	closed   sync.Map // addresses that the connection doesn't write to
	mu       sync.Mutex
	answers  map[string][]integrations.Class // by address
	arrived  map[string]string               // codes that somebody has or may have, and whose
}

func address(i int) string { return fmt.Sprintf("p%d@example.com", i) }

func (o *office) Channel() string { return event.ChannelEmail }

// Send answers as the fate of the addressee says.
func (o *office) Send(_ context.Context, m integrations.Message) (integrations.Sent, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	class := taken
	if left := o.answers[m.To]; len(left) > 0 {
		class, o.answers[m.To] = left[0], left[1:]
	}
	if class == taken || class == integrations.Unknown {
		code := strings.TrimSpace(m.Text)
		if other, twice := o.arrived[code]; twice && other != m.To {
			o.Errorf("the code %s went to %s and to %s", code, other, m.To)
		}
		o.arrived[code] = m.To
	}
	if class == taken {
		return integrations.Sent{VendorID: "v-" + m.ID}, nil
	}
	return integrations.Sent{}, &integrations.Error{Class: class, Vendor: "office", Doing: "sending", Code: "x"}
}

func (o *office) Outlet(string, string) (activities.Outlet, bool) {
	return activities.Outlet{Name: "email", Channel: o, EvidenceWindow: time.Hour,
		Guard: func(to string) string {
			if _, closed := o.closed.Load(to); closed {
				return activities.NotLive
			}
			return ""
		}}, true
}
func (o *office) Issuer(string) (integrations.Issuer, bool) { return nil, false }
func (o *office) Caller(string) (integrations.Caller, bool) { return nil, false }
func (o *office) Sent(string, string, string)               {}
func (o *office) Skipped(string, string)                    {}
func (o *office) Claimed(string, string, time.Duration)     {}
func (o *office) Ended(string, string)                      {}
func (o *office) NotDone(string, string, string, string)    {}

func newOffice(t *testing.T, journeys int) *office {
	o := &office{shop: newDatabase(t), answers: map[string][]integrations.Class{}, arrived: map[string]string{}}
	o.hands = &activities.Activities{Store: o.Store, Connections: o, Observe: o, Log: slog.New(slog.DiscardHandler),
		Project: activities.Project{Zone: time.UTC, PublicURL: "https://shop.example.com"}}
	file, problems := campaign.Parse("letter.yaml", []byte(letter))
	require.Empty(t, problems.Errors())
	o.apply(letter)
	o.exec(`WITH c AS (INSERT INTO campaign (name, version_no) VALUES ('letter', 1) RETURNING id)
		INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 1, $1, 1, 'x' FROM c`, file.Campaigns[0].Source)
	o.exec(`INSERT INTO template (name, version_no) VALUES ('hello', 1)`)
	o.exec(`INSERT INTO template_version (name, no, files, sha256) VALUES ('hello', 1, $1, 'x')`,
		map[string]string{"email.html": "---\nsubject: Hello\nlayout: none\n---\n<p>{{ code }} {{ unsubscribe_url }}</p>", "email.txt": "{{ code }}"})
	for i := range journeys {
		contact, err := o.ResolveContact(o.ctx, o.Pool, "shop", event.Person{
			Identities: []event.Identity{{Kind: event.Email, Value: address(i)}},
			Consents:   []event.Consent{{Channel: event.ChannelEmail, State: event.Granted, At: time.Now().Add(-time.Hour)}},
		}, time.Now())
		require.NoError(t, err)
		o.contacts = append(o.contacts, contact)
		o.exec(`INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, state, started_at)
			SELECT $1, id, 1, $2, 'k', 1, 'running', now() FROM campaign`, journeyID(i), contact)
	}
	return o
}

// live takes a journey through its send, with as many attempts as its fate has, and
// ends it.
func (o *office) live(i int, f fate) {
	if f.prepare != nil {
		f.prepare(o, i)
	}
	o.mu.Lock()
	o.answers[address(i)] = f.answers
	o.mu.Unlock()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(o.hands)
	for range max(1, len(f.answers)) {
		_, _ = env.ExecuteActivity(o.hands.Send, activities.Step{Journey: journeyID(i), ID: "send_email_hello", Due: time.Now()})
	}
	if _, err := o.EndJourney(o.ctx, store.Ending{Journey: journeyID(i), Outcome: "completed"}); err != nil {
		o.Errorf("ending journey %d: %v", i, err)
	}
}

func TestPromise5_ACodeIsBurntOnlyByADelivery(t *testing.T) {
	journeys := proof.Size(150, 2_000)
	o := newOffice(t, journeys)
	o.importCodes(0, journeys)
	names := make([]string, 0, len(fates))
	for name := range fates {
		names = append(names, name)
	}
	burnt := 0
	lots := make([]string, journeys)
	for i := range journeys {
		lots[i] = names[rand.IntN(len(names))]
		if fates[lots[i]].burnt {
			burnt++
		}
	}
	var hands sync.WaitGroup
	next := make(chan int)
	for range 8 {
		hands.Go(func() {
			for i := range next {
				o.live(i, fates[lots[i]])
			}
		})
	}
	for i := range journeys {
		next <- i
	}
	close(next)
	hands.Wait()
	o.nobody("an ended journey keeps a code that nobody saw", `SELECT claim_key, state FROM assignment WHERE state NOT IN ('returned', 'exposed')`)
	require.Equal(t, burnt, o.count(`SELECT count(*) FROM assignment WHERE returned_at IS NULL`), "exactly what was delivered, or may have been, is used up")
	require.Len(t, o.arrived, burnt)
	stats, err := o.CouponStats(o.ctx, "gift")
	require.NoError(t, err)
	require.EqualValues(t, journeys-burnt, stats.Available, "the pool is whole but for these")
	for i := range journeys - burnt {
		result, err := o.Claim(o.ctx, store.Claim{Key: fmt.Sprint("api:later/", i), Coupon: "gift"})
		require.NoError(t, err)
		require.Equal(t, store.ClaimAssigned, result.Status)
		require.NotContains(t, o.arrived, result.Assignment.Code, "a code that somebody has is given to nobody else")
	}
	proof.Found(t, proof.Finding{Promise: 5, Tried: "sends that are skipped, refused, put off, delivered, or end in silence, eleven fates at random", Times: journeys,
		Found: fmt.Sprintf("%d delivered or possibly delivered codes used up; the other %d returned and given again", burnt, journeys-burnt)})
}

func TestControl_ARefusedAttemptIsNoExposure(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "taking back the exposure of what a vendor refused", File: "store/code_conceal.go",
		Old: "state = CASE WHEN state = 'exposed' AND exposures = 1 THEN 'held' ELSE state END,", New: "state = state,",
		Package: "./prove/exact", Proof: "TestPromise5_ACodeIsBurntOnlyByADelivery", Says: "exactly what was delivered, or may have been, is used up",
		Env: short(""),
	})
}

func TestControl_ACodeThatSomebodyMayHaveStays(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the exposure in the transaction that opens a send", File: "store/message.go",
		Old: "			queueExpose(batch, m.AssignmentID)\n", New: "",
		Package: "./prove/exact", Proof: "TestPromise5_ACodeIsBurntOnlyByADelivery", Says: "exactly what was delivered, or may have been, is used up",
		Env: short(""),
	})
}
