package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/postgres"
	"scrip.dev/scrip/dev/process"
	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/prove/world"
	"scrip.dev/scrip/store"
)

// site is all of Scrip on one machine, as it is run: Postgres flushes, Temporal keeps
// its state there, starter and worker are processes of the binary that is shipped. The
// vendors are the sandbox, in this process, which also plays the people.
type site struct {
	testing.TB
	*store.Store
	dir, program, base, temporal string
	secrets                      sandbox.Secrets
	client                       client.Client
	environment                  []string

	server, starter, worker *process.Process // server is Temporal's; worker is nil where the starter is both
	postgresPID             int

	mails sync.Map // by the address: chan mail
	ends  ends

	underway atomic.Int64 // of a load
}

// mail is what reached an address.
type mail struct{ message, text string }

const settings = `
project: bench
time_zone: Europe/Berlin
currency: EUR
defaults: {shop: shop, email: email}
connections:
  shop:
    kind: shopify
    sandbox: true
    shop: ${SCRIP_SANDBOX_SHOPIFY_DOMAIN}
    client_secret: ${SCRIP_SANDBOX_SHOPIFY_SECRET}
    access_token: ${SCRIP_SANDBOX_SHOPIFY_TOKEN}
    base_url: ${SCRIP_SANDBOX_URL}/shopify
  email:
    kind: sendgrid
    sandbox: true
    api_key: ${SCRIP_SANDBOX_SENDGRID_KEY}
    webhook_public_key: ${SCRIP_SANDBOX_SENDGRID_PUBLIC_KEY}
    from: shop@example.com
    base_url: ${SCRIP_SANDBOX_URL}/sendgrid
`

// openSite runs a starter and a worker.
func openSite(t testing.TB, files map[string]string) *site {
	s := prepareSite(t, files)
	s.starter, s.worker = s.run("starter"), s.run("worker")
	s.scrip("apply", "--yes")
	return s
}

// openServed runs the one process that is both.
func openServed(t testing.TB, files map[string]string) *site {
	s := prepareSite(t, files)
	s.starter = s.run("serve")
	s.scrip("apply", "--yes")
	return s
}

func prepareSite(t testing.TB, files map[string]string) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "scrip-bench-")
	require.NoError(t, err)
	s := &site{TB: t, dir: dir}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the processes wrote is in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	// Of a program that two sites ran, each would seem to hold half.
	s.program = filepath.Join(dir, "scrip")
	program, err := os.ReadFile(world.Binary(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.program, program, 0o700)) // #nosec G306 -- it is run
	settings := maps.Clone(onSite)
	if *statements {
		settings["shared_preload_libraries"], settings["pg_stat_statements.track_planning"] = "pg_stat_statements", "on"
	}
	server, err := postgres.StartOwn(context.Background(), postgres.Options{Dir: filepath.Join(dir, "postgres"), Settings: settings})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	s.postgresPID = server.PID
	s.server, s.temporal = startTemporal(t, dir, server.URL)
	s.client, err = client.Dial(client.Options{HostPort: s.temporal, Logger: quiet})
	require.NoError(t, err)
	t.Cleanup(s.client.Close)

	s.secrets, err = sandbox.LoadSecrets(filepath.Join(dir, "sandbox"))
	require.NoError(t, err)
	s.base = "http://" + freeAddress(t)
	vendors, err := sandbox.New(sandbox.Options{PublicURL: s.base, Secrets: s.secrets, Dir: filepath.Join(dir, "sandbox"), Delay: 100 * time.Millisecond, Gather: time.Second, // SendGrid gathers events for up to half a minute
		HookURL: func(connection, topic string) string {
			return strings.TrimSuffix(s.base+"/hooks/"+connection+"/"+topic, "/")
		}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = vendors.Close() })
	listener, err := net.Listen("tcp", net.JoinHostPort(process.Host, "0"))
	require.NoError(t, err)
	front := &http.Server{Handler: s.watchMails(vendors)}
	go func() { _ = front.Serve(listener) }()
	t.Cleanup(func() { _ = front.Close() })

	s.environment = append(os.Environ(), "DATABASE_URL="+server.URL, "TEMPORAL_ADDRESS="+s.temporal, "SCRIP_DIR="+filepath.Join(dir, "project"),
		"SCRIP_LISTEN="+strings.TrimPrefix(s.base, "http://"), "SCRIP_PUBLIC_URL="+s.base, "SCRIP_WORKER_LISTEN="+freeAddress(t),
		"SCRIP_SANDBOX_URL=http://"+listener.Addr().String()+"/sandbox/api", "SCRIP_SANDBOX_SHOPIFY_DOMAIN="+s.secrets.ShopifyDomain,
		"SCRIP_SANDBOX_SHOPIFY_SECRET="+s.secrets.ShopifyClientKey, "SCRIP_SANDBOX_SHOPIFY_TOKEN="+s.secrets.ShopifyAccessToken,
		"SCRIP_SANDBOX_SENDGRID_KEY="+s.secrets.SendGridAPIKey, "SCRIP_SANDBOX_SENDGRID_PUBLIC_KEY="+s.secrets.SendGridPublicKey)
	s.project(files)
	s.Store, err = store.Open(context.Background(), server.URL, 8)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	s.scrip("migrate")
	s.environment = append(s.environment, "SCRIP_API_KEY="+s.scrip("key", "create", "bench", "--scope", store.ScopeAdmin), "SCRIP_URL="+s.base)
	return s
}

// onSite are the server's settings for everything on one machine; docs/scale.md has
// them.
var onSite = map[string]string{"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "200"}

func freeAddress(t testing.TB) string {
	port, err := process.FreePort()
	require.NoError(t, err)
	return fmt.Sprintf("%s:%d", process.Host, port)
}

// watchMails passes requests on to the vendors and tells people of their mail once
// SendGrid has taken it.
func (s *site) watchMails(vendors http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/mail/send") {
			vendors.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		vendors.ServeHTTP(w, r)
		var sent struct {
			Personalizations []struct {
				To         []struct{ Email string }
				CustomArgs map[string]string `json:"custom_args"`
			}
			Content []struct{ Value string }
		}
		if json.Unmarshal(body, &sent) != nil {
			return
		}
		to := sent.Personalizations[0]
		if waiting, ok := s.mails.LoadAndDelete(to.To[0].Email); ok {
			waiting.(chan mail) <- mail{to.CustomArgs["scrip_message"], sent.Content[0].Value}
		}
	})
}

// project writes the settings and the files of a campaign.
func (s *site) project(files map[string]string) {
	all := map[string]string{config.File: settings}
	maps.Copy(all, files)
	for name, text := range all {
		path := filepath.Join(s.dir, "project", name)
		require.NoError(s, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(s, os.WriteFile(path, []byte(text), 0o600))
	}
}

// scrip runs a command and gives what it prints.
func (s *site) scrip(args ...string) string {
	command := exec.Command(s.program, args...)
	command.Env = s.environment
	var refused strings.Builder
	command.Stderr = &refused
	out, err := command.Output()
	require.NoError(s, err, refused.String())
	return strings.TrimSpace(string(out))
}

// run starts a process and waits until it answers.
func (s *site) run(role string) *process.Process {
	s.Helper()
	p, err := process.Start(process.Command{Name: role, Path: s.program, Args: []string{role}, Env: s.environment, LogFile: filepath.Join(s.dir, role+".log")})
	require.NoError(s, err)
	s.Cleanup(func() { _ = p.Stop(time.Minute) })
	address := s.base
	if role == "worker" {
		for _, set := range s.environment {
			if at, ok := strings.CutPrefix(set, "SCRIP_WORKER_LISTEN="); ok {
				address = "http://" + at
			}
		}
	}
	waiting, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(s, p.Await(waiting, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/healthz", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %d", role, answer.StatusCode)
		}
		return nil
	}))
	return p
}

// post sends a webhook as Shopify signs it and expects it to be accepted.
func (s *site) post(topic string, body []byte) error {
	request, err := http.NewRequest(http.MethodPost, s.base+"/hooks/shop/"+topic, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = sandbox.SignShopify(s.secrets.ShopifyClientKey, sandbox.ShopifyDelivery{Topic: topic, Shop: s.secrets.ShopifyDomain, TriggeredAt: time.Now()}, body)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("a webhook was answered %d", answer.StatusCode)
	}
	return nil
}
