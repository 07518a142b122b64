// Package secrets_test proves that personal data and secrets stay where they
// belong: strings that exist nowhere else are sent in on every way there is, the
// system is driven through good ways and failing ones, and then everything it
// wrote, told and answered is searched for them.
package secrets_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/codec"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/postgres/pgtest"
	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/dev/temporal/temporaltest"
	"scrip.dev/scrip/logging"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/worker"
)

// patience bounds every wait for something to happen.
const patience = 3 * time.Minute

// buffer takes what the system writes, from many goroutines.
type buffer struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.Write(p)
}

func (b *buffer) text() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.bytes.Bytes())
}

// world is the whole system in this process: starter, worker, Postgres, Temporal,
// the vendors.
type world struct {
	*testing.T
	markers  *markers
	base     string // http://127.0.0.1:…
	key      string // of the API
	secrets  sandbox.Secrets
	own      string // the secret of own webhooks
	store    *store.Store
	sandbox  *sandbox.Sandbox
	temporal client.Client
	codec    *codec.Codec
	logs     buffer
	stderr   *stderr
	traces   buffer
	answers  buffer // of the API, all errors
	metrics  []string
	vendors  *vendors
	stop     func() // ends starter and worker; what tracing has left is sent
}

// secret plants a secret.
func (w *world) secret(s string) string { return w.markers.add(secret, s) }

func open(t *testing.T) *world {
	w := &world{T: t, markers: newMarkers(), vendors: &vendors{}}
	w.stderr = catch(t)
	t.Setenv("SCRIP_CLOCK_HOUR", "150ms")
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(&w.traces, r.Body) }))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	w.base = "http://" + address
	dir := t.TempDir()
	w.secrets, err = sandbox.LoadSecrets(filepath.Join(dir, "sandbox"))
	require.NoError(t, err)
	for _, s := range []string{w.secrets.SendGridAPIKey, w.secrets.SendGridPrivateKey, w.secrets.TwilioAuthToken, w.secrets.ShopifyAccessToken, w.secrets.ShopifyClientKey} {
		w.secret(s)
	}
	own := base64.StdEncoding.EncodeToString([]byte(rand.Text()))
	w.own = "whsec_" + w.secret(own)
	payloadKey := w.secret(base64.StdEncoding.EncodeToString([]byte(rand.Text() + "0123456789abcdef0123456789")[:32]))
	token := w.markers.word(secret)

	database := w.database(pgtest.URL(t))
	c := w.config(filepath.Join(dir, "project"), map[string]string{
		"DATABASE_URL": database, "SCRIP_PAYLOAD_KEYS": "2026:" + payloadKey, "SCRIP_CLOCK_HOUR": "150ms", "SCRIP_LISTEN": address,
		"SHOP_DOMAIN": w.secrets.ShopifyDomain, "SHOP_TOKEN": w.secrets.ShopifyAccessToken, "SHOP_SECRET": w.secrets.ShopifyClientKey,
		"MAIL_KEY": w.secrets.SendGridAPIKey, "MAIL_PUBLIC": w.secrets.SendGridPublicKey,
		"SMS_SID": w.secrets.TwilioAccountSID, "SMS_TOKEN": w.secrets.TwilioAuthToken, "SMS_FROM": w.secrets.TwilioFrom,
		"OWN_SECRET": w.own, "CALL_TOKEN": token, "VENDORS": w.base + "/sandbox/api",
	})
	w.run(dir, c)
	return w
}

// database gives the test's database a user whose password is a marker.
func (w *world) database(admin string) string {
	ctx := w.Context()
	s, err := store.Open(ctx, admin, 2)
	require.NoError(w, err)
	defer s.Close()
	password := w.markers.word(secret)
	user := "u" + strings.ToLower(rand.Text()[:10])
	at, err := url.Parse(admin)
	require.NoError(w, err)
	for _, statement := range []string{
		"CREATE ROLE " + user + " LOGIN PASSWORD '" + password + "'",
		"ALTER DATABASE " + strings.TrimPrefix(at.Path, "/") + " OWNER TO " + user,
		"ALTER SCHEMA public OWNER TO " + user,
	} {
		_, err = s.Pool.Exec(ctx, statement)
		require.NoError(w, err)
	}
	at.User = url.UserPassword(user, password)
	return at.String()
}

func (w *world) config(dir string, env map[string]string) *config.Config {
	require.NoError(w, os.MkdirAll(dir, 0o700))
	require.NoError(w, os.WriteFile(filepath.Join(dir, config.File), []byte(settings), 0o600))
	c, err := config.Load(dir, func(name string) string { return env[name] })
	require.NoError(w, err)
	return c
}

// run starts everything as the commands starter and worker do.
func (w *world) run(dir string, c *config.Config) {
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(logging.JSON(&w.logs, slog.LevelDebug))
	connections, err := c.Open(time.Now)
	require.NoError(w, err)
	w.codec, err = c.PayloadCodec()
	require.NoError(w, err)
	w.store, err = store.Open(ctx, c.Database.URL.Reveal(), 24)
	require.NoError(w, err)
	require.NoError(w, w.store.Migrate(ctx))
	start, err := w.store.ClockStart(ctx)
	require.NoError(w, err)
	_, key, err := w.store.NewKey(ctx, "proof", []string{store.ScopeAdmin})
	require.NoError(w, err)
	w.key = w.secret(key)
	stopTracing, err := starter.StartTracing(ctx, "proof")
	require.NoError(w, err)
	w.sandbox, err = sandbox.New(sandbox.Options{PublicURL: w.base, Secrets: w.secrets, Dir: filepath.Join(dir, "sandbox"), Delay: -1,
		HookURL: func(connection, topic string) string {
			return strings.TrimSuffix(w.base+"/hooks/"+connection+"/"+topic, "/")
		}})
	require.NoError(w, err)
	vendors := w.vendors.before(w.sandbox)

	server := temporaltest.Start(w.T, filepath.Join(dir, "temporal"), 0)
	var running sync.WaitGroup
	serve := func(name string, do func() error) {
		running.Go(func() {
			if err := do(); err != nil && !errors.Is(err, context.Canceled) && ctx.Err() == nil {
				w.Errorf("%s ended: %v", name, err)
			}
		})
	}
	dial := func(m *starter.Metrics) client.Client {
		counted, err := m.Temporal()
		require.NoError(w, err)
		c, err := worker.Dial(server.Address, w.codec, log, counted, starter.SignalOnce())
		require.NoError(w, err)
		return c
	}
	starterMetrics, workerMetrics := starter.NewMetrics(), starter.NewMetrics()
	w.temporal = dial(starterMetrics)
	working := dial(workerMetrics)
	up := make(chan struct{})
	serve("the starter", func() error {
		return starter.Run(ctx, starter.Deps{Store: w.store, Config: c, Connections: connections, Temporal: w.temporal, Clock: c.Clock(start), Log: log,
			Metrics: starterMetrics, Version: "proof", Mounts: map[string]http.Handler{"/sandbox/": vendors}}, starter.RunOptions{Ready: func(net.Addr) { close(up) }})
	})
	hands := worker.Hands(worker.Deps{Store: w.store, Config: c, Connections: connections, Temporal: working, Log: log, Observe: workerMetrics})
	hands.Connections = panicking{hands.Connections, w.vendors}
	require.NoError(w, worker.Schedule(ctx, working, time.Second))
	workers := worker.New(working, hands, worker.OptionsOf(c.Worker))
	require.NoError(w, workers.Start())
	workerHealth := freeAddress(w.T)
	serve("the worker's metrics", func() error {
		return starter.ServeMetrics(ctx, workerHealth, workerMetrics, w.store, working, log)
	})
	<-up
	w.metrics = []string{w.base + "/metrics", "http://" + workerHealth + "/metrics"}
	w.stop = sync.OnceFunc(func() {
		workers.Stop()
		require.NoError(w, w.sandbox.Close())
		cancel()
		running.Wait()
		require.NoError(w, stopTracing(context.Background()))
	})
	w.Cleanup(func() { w.stop(); w.store.Close() })
}

func freeAddress(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// call asks the API. What it answers to mistakes is kept.
func (w *world) call(method, path string, body any, headers ...string) (int, []byte) {
	w.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		require.NoError(w, err)
		in = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(w.Context(), method, w.base+path, in)
	require.NoError(w, err)
	request.Header.Set("Authorization", "Bearer "+w.key)
	request.Header.Set("Content-Type", "application/json")
	// Every request is traced.
	request.Header.Set("traceparent", "00-"+hex(16)+"-"+hex(8)+"-01")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(w, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(w, err)
	if answer.StatusCode >= 400 {
		_, _ = w.answers.Write(append(text, '\n'))
	}
	return answer.StatusCode, text
}

func hex(n int) string {
	const digits = "0123456789abcdef"
	raw := make([]byte, n)
	_, _ = rand.Read(raw)
	var out strings.Builder
	for _, b := range raw {
		out.WriteByte(digits[b>>4])
		out.WriteByte(digits[b&15])
	}
	return out.String()
}

func (w *world) until(done func() bool, what string) {
	w.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(25 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("waited %s for %s", patience, what)
		}
	}
}
