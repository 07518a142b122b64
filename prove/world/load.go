package world

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

var quietTemporal = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

// Errands is the campaign of a load: of ten events nine enter, and each gets one
// code in one mail.
var Errands = map[string]string{
	"templates/errand/email.html": "---\nsubject: Your errand\nlayout: none\n---\n<p>{{ code }}</p>\n",
	"campaigns/errands.yaml": `
campaign: errands
trigger: {event: errand.run, where: event.enters}
entry: {key: event.no, while_inside: parallel}
lifetime: 3600d
steps:
  - send: {email: errand, coupon: errand-10, kind: transactional, late: 3000d}   # no outage makes it too late
---
coupon: errand-10
discount: {percentage: 10}
codes: {generate: "RUN-##########"}
`}

// Load sends events, each until it is accepted, and notes which were.
type Load struct {
	world    *World
	cancel   context.CancelFunc
	sending  sync.WaitGroup
	mu       sync.Mutex
	accepted []int
	refused  map[int]int // answers that were no acceptance, by status; 0: none came
	next     int
}

// Load starts to send so many events a second, whatever happens.
func (w *World) Load(perSecond float64) *Load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Load{world: w, cancel: cancel, refused: map[int]int{}}
	l.sending.Go(func() {
		tick := time.NewTicker(time.Duration(float64(time.Second) / perSecond))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				no := l.number()
				l.sending.Go(func() { l.send(ctx, no) })
			}
		}
	})
	return l
}

func (l *Load) number() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	return l.next
}

// send repeats one event until it is accepted, also after the load has ended.
func (l *Load) send(ctx context.Context, no int) {
	body, _ := json.Marshal(map[string]any{"id": fmt.Sprintf("errand-%d", no), "type": "errand.run", "fields": map[string]any{"no": no, "enters": enters(no)},
		"contact": map[string]any{"email": fmt.Sprintf("errand-%d@example.com", no%50)}})
	ctx = context.WithoutCancel(ctx)
	for deadline := time.Now().Add(30 * time.Minute); time.Now().Before(deadline); {
		request, err := l.request(ctx, no, body)
		if err != nil {
			return
		}
		status := 0
		if answer, err := http.DefaultClient.Do(request); err == nil {
			answer.Body.Close()
			if status = answer.StatusCode; status < 300 {
				l.mu.Lock()
				l.accepted = append(l.accepted, no)
				l.mu.Unlock()
				return
			}
		}
		l.mu.Lock()
		l.refused[status]++
		l.mu.Unlock()
		time.Sleep(250 * time.Millisecond)
	}
}

// request is a signed webhook of an own system, which a starter may answer before
// it has asked the database for anything.
func (l *Load) request(ctx context.Context, no int, body []byte) (*http.Request, error) {
	id, now := fmt.Sprintf("errand-%d", no), time.Now()
	signer, err := standardwebhooks.NewWebhook(l.world.OwnSecret)
	if err != nil {
		return nil, err
	}
	signature, err := signer.Sign(id, now, body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.world.Base+"/hooks/own", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = http.Header{"Content-Type": {"application/json"}, standardwebhooks.HeaderWebhookID: {id},
		standardwebhooks.HeaderWebhookTimestamp: {fmt.Sprint(now.Unix())}, standardwebhooks.HeaderWebhookSignature: {signature}}
	return request, nil
}

// enters says whether an event is one of the nine in ten.
func enters(no int) bool { return no%10 != 0 }

// Accepted is how many events have been accepted so far.
func (l *Load) Accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accepted)
}

// Refused are the answers so far that were no acceptance, by status: 502 where no
// starter answered, 0 where nobody did.
func (l *Load) Refused() map[int]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.refused)
}

// End stops sending and waits until each event that was begun is accepted.
func (l *Load) End() (accepted, refusals int) {
	l.cancel()
	l.sending.Wait()
	for _, n := range l.refused {
		refusals += n
	}
	return len(l.accepted), refusals
}

// Became is what the accepted events came to.
type Became struct {
	Started, Refused int
	Entering         int   // how many should have started
	Lost             []int // neither started nor refused
	Twice            []int // more than one journey
	Unfinished       int   // journeys that haven't ended
	Sent             int   // messages that a vendor took
	SentTwice        int   // of which more than once
	Codes            int   // distinct codes given
	SharedCodes      int   // codes with more than one journey
}

// Disorder are journeys that Temporal began before one of an earlier event of the
// same contact.
func (l *Load) Disorder(t testing.TB) (wrong []string) {
	ctx := context.Background()
	temporal, err := client.Dial(client.Options{HostPort: l.world.TemporalAddress(), Logger: quietTemporal})
	require.NoError(t, err)
	defer temporal.Close()
	began := map[string]time.Time{}
	var page []byte
	for more := true; more; more = len(page) > 0 {
		answer, err := temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{PageSize: 1000, NextPageToken: page, Query: "ScripCampaign = 'errands'"})
		require.NoError(t, err)
		for _, run := range answer.GetExecutions() {
			_, journey, _ := strings.Cut(run.GetExecution().GetWorkflowId(), "/")
			began[journey] = run.GetStartTime().AsTime()
		}
		page = answer.GetNextPageToken()
	}
	rows, err := l.world.Store.Pool.Query(ctx, `SELECT j.contact_id, j.id FROM journey j JOIN event e ON e.id = j.entry_event_id
		WHERE e.type = 'errand.run' ORDER BY e.delivery_id, e.ordinal`)
	require.NoError(t, err)
	newest := map[string]time.Time{}
	var contact, journey string
	_, err = pgx.ForEachRow(rows, []any{&contact, &journey}, func() error {
		at, known := began[journey]
		if !known || at.Before(newest[contact]) {
			wrong = append(wrong, journey)
		}
		newest[contact] = at
		return nil
	})
	require.NoError(t, err)
	return wrong
}

// Became looks at what the load came to by now.
func (l *Load) Became(t testing.TB) (b Became) {
	rows, err := l.world.Store.Pool.Query(context.Background(), `SELECT (e.fields->>'no')::int, coalesce(j.begun, 0), coalesce(r.refusals, 0), coalesce(j.open, 0)
		FROM event e
		LEFT JOIN (SELECT entry_event_id, count(*) AS begun, count(*) FILTER (WHERE state <> 'ended') AS open FROM journey GROUP BY 1) j ON j.entry_event_id = e.id
		LEFT JOIN (SELECT event_id, count(*) AS refusals FROM refusal GROUP BY 1) r ON r.event_id = e.id
		WHERE e.type = 'errand.run'`)
	require.NoError(t, err)
	seen := map[int]bool{}
	var no, journeys, refusals, open int
	_, err = pgx.ForEachRow(rows, []any{&no, &journeys, &refusals, &open}, func() error {
		b.Unfinished += open
		switch {
		case journeys > 1 || seen[no]:
			b.Twice = append(b.Twice, no)
		case journeys == 1:
			b.Started++
		case refusals > 0:
			b.Refused++
		default:
			return nil
		}
		seen[no] = true
		return nil
	})
	require.NoError(t, err)
	l.mu.Lock()
	for _, no := range l.accepted {
		if enters(no) {
			b.Entering++
		}
		if !seen[no] {
			b.Lost = append(b.Lost, no)
		}
	}
	l.mu.Unlock()
	for _, times := range l.world.Taken() {
		if b.Sent++; times > 1 {
			b.SentTwice++
		}
	}
	require.NoError(t, l.world.Store.Pool.QueryRow(context.Background(), `SELECT count(*), count(*) FILTER (WHERE holders > 1) FROM
		(SELECT count(DISTINCT journey_id) AS holders FROM assignment WHERE returned_at IS NULL GROUP BY batch_id, pos) AS given`).Scan(&b.Codes, &b.SharedCodes))
	return b
}
