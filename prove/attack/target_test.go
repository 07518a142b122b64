package attack_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
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

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/postgres/pgtest"
	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
)

var migrated = pgtest.Template{Prepare: func(ctx context.Context, url string) error {
	s, err := store.Open(ctx, url, 2)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Migrate(ctx)
}}

// target is a starter as it runs, with two connections of each kind.
type target struct {
	*testing.T
	store       *store.Store
	connections *config.Connections
	inbox       *starter.Inbox
	address     string // host:port
	url         string
	admin       string // a key that may do all
	log         *records
	secrets     secrets
}

// secrets are those of the connections; the second ones end in 2.
type secrets struct{ mail, mail2 *ecdsa.PrivateKey }

const settings = `time_zone: Europe/Berlin
public_url: https://scrip.example.com
defaults: {email: mail, sms: sms, shop: shop}
connections:
  shop: {kind: shopify, shop: first.myshopify.com, client_secret: first-client-secret}
  shop2: {kind: shopify, shop: first.myshopify.com, client_secret: other-client-secret}
  mail: {kind: sendgrid, api_key: SG.first, from: shop@example.com, webhook_public_key: "${MAIL}", base_url: "${STAND_IN}", only_to: [me@example.com]}
  mail2: {kind: sendgrid, api_key: SG.other, from: shop@example.com, webhook_public_key: "${MAIL2}", base_url: "${STAND_IN}"}
  sms: {kind: twilio, account_sid: AC0123456789abcdef0123456789abcdef, auth_token: firsttoken, from: "+4915112345678", base_url: "${STAND_IN}"}
  sms2: {kind: twilio, account_sid: AC0123456789abcdef0123456789abcdef, auth_token: othertoken, from: "+4915112345678", base_url: "${STAND_IN}"}
  own: {kind: webhook, secret: whsec_Zmlyc3QtZmlyc3QtZmlyc3QtZmlyc3Q=}
  own2: {kind: webhook, secret: whsec_b3RoZXItb3RoZXItb3RoZXItb3RoZXI=}
  till: {kind: webhook, header: X-Till-Secret, secret: first-till-secret}
  till2: {kind: webhook, header: X-Till-Secret, secret: other-till-secret}
`

// aim says how a target differs from the usual one.
type aim struct {
	settings string // more lines of scrip.yaml
	limits   starter.Limits
	url      string // of a database; "" makes one
	sandbox  bool   // mounted as in development
}

func newTarget(t *testing.T, a aim) *target {
	t.Helper()
	at := &target{T: t, log: &records{}}
	if a.url == "" {
		a.url = migrated.URL(t)
	}
	var err error
	at.store, err = store.Open(t.Context(), a.url, 16)
	require.NoError(t, err)
	t.Cleanup(at.store.Close)
	_, err = at.store.SigningKey(t.Context()) // made by whoever asks first, which is no attack's effect
	require.NoError(t, err)
	read := at.configure(a.settings)
	log := slog.New(slog.NewTextHandler(at.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	metrics := starter.NewMetrics()
	counted := starter.NewInboxMetrics(metrics.Registry)
	at.inbox = starter.NewInbox(at.store, counted)
	t.Cleanup(at.inbox.Close)
	public, err := url.Parse(read.PublicURL)
	require.NoError(t, err)
	hooks := &starter.Hooks{Inbox: at.inbox, Sources: at.connections, PublicURL: public, Metrics: counted, Log: log, Now: time.Now}
	mounts := hooks.Mounts()
	if a.sandbox {
		maps.Copy(mounts, at.sandbox())
	}
	handler := starter.New(starter.Deps{Store: at.store, Config: read, Connections: at.connections, Inbox: at.inbox, Log: log, Metrics: metrics, Version: "test", Mounts: mounts})

	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- starter.Serve(ctx, "127.0.0.1:0", handler, a.limits, log, func(bound net.Addr) { ready <- bound })
	}()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	at.address = (<-ready).String()
	at.url = "http://" + at.address
	_, at.admin, err = at.store.NewKey(t.Context(), "admin", []string{store.ScopeAdmin})
	require.NoError(t, err)
	return at
}

func (at *target) configure(more string) *config.Config {
	at.Helper()
	standIn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Message-Id", store.NewID("vendor"))
		w.WriteHeader(http.StatusAccepted)
	}))
	at.Cleanup(standIn.Close)
	environment := map[string]string{"STAND_IN": standIn.URL}
	for name, into := range map[string]**ecdsa.PrivateKey{"MAIL": &at.secrets.mail, "MAIL2": &at.secrets.mail2} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(at, err)
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		require.NoError(at, err)
		*into, environment[name] = key, base64.StdEncoding.EncodeToString(der)
	}
	dir := at.TempDir()
	require.NoError(at, os.WriteFile(filepath.Join(dir, config.File), []byte(settings+more), 0o600))
	read, err := config.Load(dir, func(name string) string { return environment[name] })
	require.NoError(at, err)
	at.connections, err = read.Open(time.Now)
	require.NoError(at, err)
	return read
}

func (at *target) sandbox() map[string]http.Handler {
	at.Helper()
	secrets, err := sandbox.LoadSecrets(at.TempDir())
	require.NoError(at, err)
	s, err := sandbox.New(sandbox.Options{PublicURL: "http://127.0.0.1", Secrets: secrets, Dir: at.TempDir(), Delay: -1,
		HookURL: func(string, string) string { return "http://127.0.0.1:9/" }})
	require.NoError(at, err)
	at.Cleanup(func() { _ = s.Close() })
	return map[string]http.Handler{"/sandbox": s, "/sandbox/": s}
}

// call is one request of an attacker, or of somebody honest.
type call struct {
	method, path string // the path as it is sent
	key          string
	body         string
	header       http.Header
	client       *http.Client // nil: one without keep-alive
}

type reply struct {
	status int
	header http.Header
	body   string
}

// code is the problem's.
func (r reply) code() string {
	var p starter.Problem
	_ = json.Unmarshal([]byte(r.body), &p)
	return p.Code
}

// field is a value of the answer.
func (r reply) field(t testing.TB, name string) string {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &fields), r.body)
	text, _ := fields[name].(string)
	require.NotEmpty(t, text, "%s in %s", name, r.body)
	return text
}

var alone = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (at *target) do(c call) reply {
	at.Helper()
	request, err := http.NewRequestWithContext(at.Context(), c.method, at.url+"/", strings.NewReader(c.body))
	require.NoError(at, err)
	request.URL.Opaque = c.path // as it stands, whatever is in it
	maps.Copy(request.Header, c.header)
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	if c.body != "" && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	client := c.client
	if client == nil {
		client = alone
	}
	answer, err := client.Do(request)
	require.NoError(at, err, "%s %s", c.method, c.path)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(at, err)
	return reply{answer.StatusCode, answer.Header, string(body)}
}

// ok is what somebody who may asks for.
func (at *target) ok(method, path, body string, header ...string) reply {
	at.Helper()
	c := call{method: method, path: path, key: at.admin, body: body, header: http.Header{}}
	for i := 0; i+1 < len(header); i += 2 {
		c.header.Set(header[i], header[i+1])
	}
	r := at.do(c)
	require.Less(at, r.status, 300, "%s %s: %s", method, path, r.body)
	return r
}

func (at *target) exec(sql string, args ...any) {
	at.Helper()
	_, err := at.store.Pool.Exec(at.Context(), sql, args...)
	require.NoError(at, err)
}

func value[T any](at *target, sql string, args ...any) T {
	at.Helper()
	var v T
	require.NoError(at, at.store.Pool.QueryRow(at.Context(), sql, args...).Scan(&v), sql)
	return v
}

// everything is a fingerprint of all rows of all tables.
func (at *target) everything() map[string]string {
	at.Helper()
	rows, err := at.store.Pool.Query(at.Context(), `SELECT c.relname,
			(xpath('//h/text()', query_to_xml(format('SELECT coalesce(md5(string_agg(t::text, %L ORDER BY t::text)), '''') AS h FROM %I t', ',', c.relname), true, true, '')))[1]::text
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition`)
	require.NoError(at, err)
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var table string
		var sum *string
		require.NoError(at, rows.Scan(&table, &sum))
		if sum != nil {
			all[table] = *sum
		}
	}
	require.NoError(at, rows.Err())
	require.Greater(at, len(all), 10)
	return all
}

// records is what the starter logged.
type records struct {
	sync.Mutex
	bytes.Buffer
}

func (r *records) Write(p []byte) (int, error) {
	r.Lock()
	defer r.Unlock()
	return r.Buffer.Write(p)
}

func (r *records) text() string {
	r.Lock()
	defer r.Unlock()
	return r.Buffer.String()
}

// noLeak fails where an answer tells of the inside.
func noLeak(t testing.TB, what string, r reply) {
	t.Helper()
	for _, inside := range []string{"SQLSTATE", "ERROR:", "pgx/", "pgconn", "goroutine", "runtime error", "panic:", ".go:", "syntax error at", "scrip.dev/", "violates", "invalid byte sequence", "encoding/json", "unmarshal"} {
		require.NotContains(t, r.body, inside, "%s: the answer tells of the inside", what)
	}
}
