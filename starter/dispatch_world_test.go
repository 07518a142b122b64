package starter

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/dev/postgres/pgtest"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/workflows"
)

var dispatchDatabase = pgtest.Template{Prepare: func(ctx context.Context, url string) error {
	s, err := store.Open(ctx, url, 2)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Migrate(ctx)
}}

// shop is a source whose webhooks are event.Batch in JSON, under a key header and
// a secret.
type shop struct{}

func (shop) Receive(r integrations.Request) (integrations.Receipt, error) {
	if r.Header.Get("X-Secret") != "right" {
		return integrations.Receipt{}, integrations.ErrSignature
	}
	return integrations.Receipt{Topic: r.Topic, Key: r.Header.Get("X-Key")}, nil
}

func (shop) Normalise(d integrations.Delivery) (event.Batch, error) {
	var b event.Batch
	err := json.Unmarshal(d.Body, &b)
	return b, err
}

type sources map[string]integrations.Source

func (s sources) Source(name string) (integrations.Source, error) {
	if source, ok := s[name]; ok {
		return source, nil
	}
	return nil, errors.New("no such connection")
}

func (s sources) OfAccount(name string) []string { return []string{name} }

// temporalLog stands for Temporal: it takes down what it is told, in order, and
// can be away.
type temporalLog struct {
	sync.Mutex
	away  bool
	fails map[string]error // by journey
	told  []store.OutboxRow
}

func (l *temporalLog) take(row store.OutboxRow) error {
	l.Lock()
	defer l.Unlock()
	if l.away {
		return errors.New("connection refused")
	}
	if err := l.fails[row.JourneyID]; err != nil {
		return err
	}
	l.told = append(l.told, row)
	return nil
}

func (l *temporalLog) Start(_ context.Context, row store.OutboxRow) error  { return l.take(row) }
func (l *temporalLog) Signal(_ context.Context, row store.OutboxRow) error { return l.take(row) }
func (l *temporalLog) Cancel(_ context.Context, row store.OutboxRow) error { return l.take(row) }

func (l *temporalLog) setAway(away bool) {
	l.Lock()
	defer l.Unlock()
	l.away = away
}

func (l *temporalLog) rows() []store.OutboxRow {
	l.Lock()
	defer l.Unlock()
	return append([]store.OutboxRow(nil), l.told...)
}

// world is a dispatcher on a database of its own.
type world struct {
	*testing.T
	store    *store.Store
	temporal *temporalLog
	d        *Dispatcher
	sent     int
}

func newWorld(t *testing.T, campaigns ...string) *world {
	t.Helper()
	s, err := store.Open(t.Context(), dispatchDatabase.URL(t), 10)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	w := &world{T: t, store: s, temporal: &temporalLog{fails: map[string]error{}}}
	w.d = w.dispatcher("first")
	for _, source := range campaigns {
		w.apply(source)
	}
	return w
}

func (w *world) dispatcher(holder string) *Dispatcher {
	return &Dispatcher{
		Store: w.store, Sources: sources{"shop": shop{}}, Temporal: w.temporal, Holder: holder,
		Metrics: NewInboxMetrics(nil), Log: slog.New(slog.DiscardHandler), outbox: make(chan struct{}, 1),
	}
}

// apply puts a campaign's next version in force.
func (w *world) apply(source string) {
	w.Helper()
	var name string
	_, err := fmt.Sscanf(source, "campaign: %s", &name)
	require.NoError(w, err)
	sum := sha256.Sum256([]byte(source))
	w.exec(`WITH c AS (INSERT INTO campaign AS c (name, version_no) VALUES ($1, 1)
			ON CONFLICT (name) DO UPDATE SET version_no = c.version_no + 1 RETURNING id, version_no)
		INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, version_no, $2, 1, $3 FROM c`, name, source, sum[:])
}

func (w *world) exec(sql string, args ...any) {
	w.Helper()
	_, err := w.store.Pool.Exec(w.Context(), sql, args...)
	require.NoError(w, err)
}

func one[T any](w *world, sql string, args ...any) T {
	w.Helper()
	var value T
	require.NoError(w, w.store.Pool.QueryRow(w.Context(), sql, args...).Scan(&value), sql)
	return value
}

// accept stores a webhook with these events.
func (w *world) accept(events ...event.Event) {
	w.Helper()
	body, err := json.Marshal(event.Batch{Events: events})
	require.NoError(w, err)
	w.sent++
	_, err = w.store.Accept(w.Context(), []store.Incoming{{Connection: "shop", Topic: "test", Key: strconv.Itoa(w.sent), Body: body}})
	require.NoError(w, err)
}

// dispatch runs the first stage until there is nothing left to do.
func (w *world) dispatch() {
	w.Helper()
	lease, err := w.store.AcquireLease(w.Context(), leaseName, w.d.Holder, time.Minute)
	require.NoError(w, err)
	for worked := true; worked; {
		worked, err = w.d.round(w.Context(), lease)
		require.NoError(w, err)
	}
}

// deliver runs the second stage until the outbox is empty.
func (w *world) deliver() []store.OutboxRow {
	w.Helper()
	lease, err := w.store.AcquireLease(w.Context(), leaseName, w.d.Holder, time.Minute)
	require.NoError(w, err)
	ctx, cancel := context.WithCancel(w.Context())
	var running sync.WaitGroup
	running.Go(func() { newDelivery(w.d, lease).run(ctx) })
	require.Eventually(w, func() bool { return one[int](w, `SELECT count(*) FROM outbox`) == 0 }, 20*time.Second, 5*time.Millisecond)
	cancel()
	running.Wait()
	return w.temporal.rows()
}

// happens accepts one webhook and takes it all the way.
func (w *world) happens(events ...event.Event) {
	w.Helper()
	w.accept(events...)
	w.dispatch()
	w.deliver()
}

func (w *world) refusals() []string {
	w.Helper()
	return one[[]string](w, `SELECT coalesce(array_agg(reason ORDER BY id), '{}') FROM refusal`)
}

func (w *world) journeys() int { w.Helper(); return one[int](w, `SELECT count(*) FROM journey`) }

// signals gives the events signals that Temporal was told, decoded.
func (w *world) signals() []workflows.Delivery {
	w.Helper()
	var all []workflows.Delivery
	for _, row := range w.temporal.rows() {
		if row.Name != workflows.SignalEvents {
			continue
		}
		var d workflows.Delivery
		require.NoError(w, json.Unmarshal(row.Payload, &d))
		all = append(all, d)
	}
	return all
}

var noon = time.Now().UTC().Add(-time.Hour).Truncate(time.Second)

func by(email string) event.Person {
	return event.Person{Identities: []event.Identity{{Kind: event.Email, Value: email}}}
}

func cart(email, token string, total float64) event.Event {
	return event.Event{Type: event.CheckoutUpdated, OccurredAt: noon, Person: by(email), Token: token,
		Fields: map[string]any{"checkout_token": token, "total": total}}
}

func order(email, token string) event.Event {
	return event.Event{Type: event.OrderCreated, OccurredAt: noon.Add(time.Minute), Person: by(email), Token: token,
		Fields: map[string]any{"checkout_token": token, "order_id": "1"}}
}

// coupon makes a coupon with one shared code.
func (w *world) coupon(name, code string) {
	w.Helper()
	source := "coupon: " + name + "\ndiscount: {percentage: 10}\ncodes: {shared: " + code + "}\n"
	file, problems := parseCoupon(source)
	require.Empty(w, problems)
	_, err := w.store.ApplyCoupon(w.Context(), w.store.Pool, file)
	require.NoError(w, err)
}

func parseCoupon(source string) (*campaign.Coupon, campaign.Problems) {
	file, problems := campaign.Parse("test.yaml", []byte(source))
	if len(file.Coupons) != 1 {
		return nil, problems
	}
	return file.Coupons[0], problems
}

// evidence accepts a webhook that tells of messages, and dispatches it.
func (w *world) evidence(evidence ...event.Evidence) {
	w.Helper()
	body, err := json.Marshal(event.Batch{Evidence: evidence})
	require.NoError(w, err)
	w.sent++
	_, err = w.store.Accept(w.Context(), []store.Incoming{{Connection: "shop", Topic: "test", Key: strconv.Itoa(w.sent), Body: body}})
	require.NoError(w, err)
	w.dispatch()
}

// eventID is the id of the first event that a signal tells of.
func eventID(w *world, row store.OutboxRow) string {
	w.Helper()
	var d workflows.Delivery
	require.NoError(w, json.Unmarshal(row.Payload, &d))
	return d.Events[0].ID
}
