package worst

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/postgres/pgtest"
	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/worker"
)

const letters = `
campaign: letters
trigger: {event: order.paid}
steps:
  - send: {email: hello, coupon: hello-10}
  - send: {sms: hello}
---
coupon: hello-10
discount: {percentage: 10}
codes: {generate: "HI-########"}
valid_for: 7d
`

// The two steps of a journey, by channel.
var steps = map[string]activities.Step{
	"email": {ID: "send_email_hello", Index: 0},
	"sms":   {ID: "send_sms_hello", Index: 1},
}

const settings = `
project: worst
public_url: %[1]s
quiet_hours: {sms: "", whatsapp: ""}
worker: {call_timeout: 600ms, report_timeout: 400ms, vendor_backoff: 60ms, settle_pause: 10ms}
connections:
  email:
    kind: sendgrid
    sandbox: true
    on_unknown: %[2]s
    evidence_window: %[3]s
    api_key: %[4]s
    webhook_public_key: %[5]s
    from: shop@example.com
    base_url: %[1]s/sandbox/api/sendgrid
  sms:
    kind: twilio
    sandbox: true
    on_unknown: %[2]s
    evidence_window: %[3]s
    account_sid: %[6]s
    auth_token: %[7]s
    from: "%[8]s"
    base_url: %[1]s/sandbox/api/twilio
    listed_after: 100ms
`

var database = pgtest.Template{Prepare: migrate}

func migrate(ctx context.Context, url string) error {
	s, err := store.Open(ctx, url, 2)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Migrate(ctx)
}

// world is a worker's activities, a starter and the vendors, on one database.
type world struct {
	*testing.T
	store   *store.Store
	hands   *activities.Activities
	sandbox *sandbox.Sandbox
	log     *arrivals
	outlets *mortals
	resumes *resumes
	window  time.Duration // of evidence

	mu     sync.Mutex
	people int
}

// policy is what a world does with outcomes that stay unknown.
type policy struct {
	onUnknown string
	window    time.Duration
}

func open(t *testing.T, p policy) *world { return openOn(t, database.URL(t), p) }

func openOn(t *testing.T, databaseURL string, p policy) *world {
	w := &world{T: t, log: &arrivals{}, resumes: &resumes{by: map[string]int{}}, window: p.window}
	var err error
	w.store, err = store.Open(t.Context(), databaseURL, 24)
	require.NoError(t, err)
	t.Cleanup(w.store.Close)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	secrets, err := sandbox.LoadSecrets(dir)
	require.NoError(t, err)
	w.sandbox, err = sandbox.New(sandbox.Options{
		PublicURL: server.URL, Dir: dir, Delay: -1, Secrets: secrets,
		HookURL: func(connection, topic string) string { return server.URL + "/hooks/" + connection + "/" + topic },
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.sandbox.Close()) })
	mux.Handle("/sandbox/", w.log.calls(w.sandbox))

	yaml := fmt.Sprintf(settings, server.URL, p.onUnknown, p.window, secrets.SendGridAPIKey, secrets.SendGridPublicKey,
		secrets.TwilioAccountSID, secrets.TwilioAuthToken, secrets.TwilioFrom)
	require.NoError(t, os.WriteFile(filepath.Join(dir, config.File), []byte(yaml), 0o600))
	configured, err := config.Load(dir, func(string) string { return "" })
	require.NoError(t, err)
	connections, err := configured.Open(time.Now)
	require.NoError(t, err)
	w.start(mux, server.URL, connections)

	w.outlets = &mortals{Connections: worker.Connections{Configured: connections}}
	w.hands = worker.Hands(worker.Deps{Store: w.store, Config: configured, Connections: connections, Log: discard, Observe: silence{}})
	w.hands.Connections = w.outlets
	w.prepare()
	return w
}

var discard = slog.New(slog.DiscardHandler)

// start answers webhooks and dispatches them, as a starter does.
func (w *world) start(mux *http.ServeMux, base string, connections *config.Connections) {
	metrics := starter.NewInboxMetrics(prometheus.NewRegistry())
	inbox := starter.NewInbox(w.store, metrics)
	public, err := url.Parse(base)
	require.NoError(w, err)
	hooks := &starter.Hooks{Inbox: inbox, Sources: connections, PublicURL: public, Metrics: metrics, Log: discard, Now: time.Now}
	for pattern, handler := range hooks.Mounts() {
		mux.Handle(pattern, w.log.hooks(handler))
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, holder := range []string{"one", "two"} {
		d := &starter.Dispatcher{Store: w.store, Sources: connections, Temporal: w.resumes, Holder: holder, Woken: inbox.Woken(),
			Metrics: metrics, Log: discard}
		running.Go(func() { d.Run(ctx) })
	}
	w.Cleanup(func() { stop(); running.Wait(); inbox.Close() })
}

func (w *world) exec(sql string, args ...any) {
	w.Helper()
	_, err := w.store.Pool.Exec(context.Background(), sql, args...)
	require.NoError(w, err)
}

func (w *world) count(sql string, args ...any) (n int) {
	w.Helper()
	require.NoError(w, w.store.Pool.QueryRow(context.Background(), sql, args...).Scan(&n))
	return n
}

func (w *world) texts(sql string) []string {
	w.Helper()
	rows, err := w.store.Pool.Query(context.Background(), sql)
	require.NoError(w, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(w, err)
	return all
}

func (w *world) prepare() {
	file, problems := campaign.Parse("letters.yaml", []byte(letters))
	require.Empty(w, problems.Errors())
	_, err := w.store.ApplyCoupon(w.Context(), w.store.Pool, file.Coupons[0])
	require.NoError(w, err)
	w.exec(`INSERT INTO campaign (name, version_no) VALUES ('letters', 1)`)
	w.exec(`INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 1, $1, 1, 'x' FROM campaign`, file.Campaigns[0].Source)
	w.exec(`INSERT INTO template (name, version_no) VALUES ('hello', 1)`)
	w.exec(`INSERT INTO template_version (name, no, files, sha256) VALUES ('hello', 1, $1, 'x')`, map[string]string{
		"email.html": "---\nsubject: Hello\nlayout: none\n---\n<p>Your code: {{ code }} {{ unsubscribe_url }}</p>",
		"sms.txt":    "Your code: {{ code }}",
	})
}
