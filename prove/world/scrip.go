package world

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/process"
	"scrip.dev/scrip/prove/wire"
)

// Scrip is one process of the shipped binary.
type Scrip struct {
	Name, role string
	binary     string
	listen     string // where it answers
	env        []string
	postgres   *wire.PostgresProxy
	temporal   *wire.TemporalProxy
	vendors    *vendors

	process *process.Process // nil while it doesn't run
}

var built struct {
	sync.Once
	path string
	out  []byte
	err  error
}

// Binary builds scrip from this tree, once for a test binary. GOFLAGS reaches the
// build, and so does the change by which a control takes a safeguard out.
func Binary(t testing.TB) string {
	t.Helper()
	built.Do(func() {
		dir, err := os.MkdirTemp("", "scrip-binary-")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "scrip")
		built.out, built.err = exec.Command("go", "build", "-o", built.path, "scrip.dev/scrip").CombinedOutput()
	})
	require.NoError(t, built.err, string(built.out))
	return built.path
}

// Main runs a package's tests, many worlds beside each other, as they mostly wait,
// and removes what they built.
func Main(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "64"); err != nil {
		panic(err)
	}
	code := m.Run()
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path))
	}
	os.Exit(code)
}

// quick are the times of a vendor call: what a kill leaves in doubt is settled in
// seconds.
var quick = []string{"SCRIP_WORKER_CALL_TIMEOUT=3s", "SCRIP_WORKER_REPORT_TIMEOUT=1s", "SCRIP_WORKER_STEP_TIMEOUT=6s",
	"SCRIP_WORKER_VENDOR_BACKOFF=500ms", "SCRIP_WORKER_SETTLE_PAUSE=1s"}

// Roles of processes.
const (
	Starter = "starter"
	Worker  = "worker"
	Serve   = "serve" // both in one process
)

// Add makes a further process of a binary, its wires and its environment, and gives
// its name: "worker", "worker2" … Start runs it.
func (w *World) Add(t testing.TB, role, binary string) string {
	s := &Scrip{role: role, Name: role, binary: binary, listen: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	for n := 2; w.processes[s.Name] != nil; n++ {
		s.Name = fmt.Sprintf("%s%d", role, n)
	}
	s.postgres = &wire.PostgresProxy{Process: s.Name, Tap: w.Tap, Target: fmt.Sprintf("127.0.0.1:%d", w.postgresPort), Ignore: housekeeping}
	database := listen(t)
	go s.postgres.Serve(database)
	s.temporal = &wire.TemporalProxy{Process: s.Name, Tap: w.Tap, Target: w.TemporalAddress(), Of: ofJourney}
	rpc := listen(t)
	require.NoError(t, s.temporal.Serve(rpc))
	s.vendors = &vendors{address: "127.0.0.1:0", handler: wire.VendorProxy(s.Name, w.Tap, w.Sandbox)}
	require.NoError(t, s.vendors.open())
	w.stop = append(w.stop, func() { database.Close(); s.postgres.Cut(true); s.temporal.Stop(); s.vendors.close() })

	through, err := url.Parse(w.database())
	require.NoError(t, err)
	through.Host = database.Addr().String()
	secrets := w.Secrets
	s.env = append(os.Environ(),
		"DATABASE_URL="+through.String(), "TEMPORAL_ADDRESS="+rpc.Addr().String(), "SCRIP_DIR="+w.project(),
		"SCRIP_LISTEN="+s.listen, "SCRIP_WORKER_LISTEN="+s.listen, "SCRIP_PUBLIC_URL="+w.Base, "SCRIP_DATABASE_MAX_CONNECTIONS=16",
		"SCRIP_SANDBOX_URL=http://"+s.vendors.address+"/sandbox/api", "SCRIP_SANDBOX_SHOPIFY_DOMAIN="+secrets.ShopifyDomain,
		"SCRIP_SANDBOX_SHOPIFY_SECRET="+secrets.ShopifyClientKey, "SCRIP_SANDBOX_SHOPIFY_TOKEN="+secrets.ShopifyAccessToken,
		"SCRIP_SANDBOX_SENDGRID_KEY="+secrets.SendGridAPIKey, "SCRIP_SANDBOX_SENDGRID_PUBLIC_KEY="+secrets.SendGridPublicKey,
		"SCRIP_SANDBOX_TWILIO_SID="+secrets.TwilioAccountSID, "SCRIP_SANDBOX_TWILIO_TOKEN="+secrets.TwilioAuthToken,
		"SCRIP_SANDBOX_TWILIO_FROM="+secrets.TwilioFrom, "SCRIP_SANDBOX_OWN_SECRET="+w.OwnSecret)
	s.env = append(s.env, quick...)
	s.env = append(s.env, w.options.Environment...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes[s.Name] = s
	return s.Name
}

// Scrip runs a command of the binary on the database and gives what it prints.
func (w *World) Scrip(t testing.TB, args ...string) string {
	command := exec.Command(w.options.Binary, args...)
	command.Env = append(os.Environ(), "DATABASE_URL="+w.database(), "SCRIP_DIR="+w.project())
	var refused strings.Builder
	command.Stderr = &refused
	out, err := command.Output()
	require.NoError(t, err, refused.String())
	return string(out)
}

// housekeeping is what a process commits whether or not anything happens.
func housekeeping(does string) bool { return does == "lease" || strings.Contains(does, "goose") }

// ofJourney tells journeys from the upkeep.
func ofJourney(id []byte) bool { return !strings.Contains(string(id), "maintenance") }

// Names are those of the processes: "starter", "worker", "worker2" …
func (w *World) Names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.names()
}

func (w *World) names() []string { return slices.Sorted(maps.Keys(w.processes)) }

// Start runs a process that doesn't run: one that was killed, or that ended by
// itself because what it needs was away.
func (w *World) Start(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.processes[name]
	if s.process != nil {
		select {
		case <-s.process.Done():
		default:
			return nil
		}
	}
	p, err := process.Start(process.Command{Name: name, Path: s.binary, Args: []string{s.role},
		Env: append(slices.Clip(s.env), "SCRIP_CLOCK_HOUR="+w.options.Hour.String()), LogFile: filepath.Join(w.Dir, name+".log")})
	if err != nil {
		return err
	}
	s.process = p
	return nil
}

// Kill ends a process as a crash would: SIGKILL, nothing is put in order.
func (w *World) Kill(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.processes[name]
	if s.process == nil {
		return
	}
	s.process.Kill()
	s.process = nil
}

// Stop asks a process to end, and waits.
func (w *World) Stop(name string) error {
	w.mu.Lock()
	s := w.processes[name]
	p := s.process
	s.process = nil
	w.mu.Unlock()
	if p == nil {
		return nil
	}
	return p.Stop(time.Minute)
}

// SetHour makes an hour take so long, which restarts the processes.
func (w *World) SetHour(hour time.Duration) error {
	if hour == w.options.Hour {
		return nil
	}
	w.options.Hour = hour
	for _, name := range w.Names() {
		if err := w.Stop(name); err != nil {
			return err
		}
		if err := w.Start(name); err != nil {
			return err
		}
	}
	for _, name := range w.Names() {
		if err := w.Ready(name); err != nil {
			return err
		}
	}
	return nil
}

// Ready waits until a process answers.
func (w *World) Ready(name string) error {
	w.mu.Lock()
	s := w.processes[name]
	p := s.process
	w.mu.Unlock()
	if p == nil {
		return errors.New(name + " is not running")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return p.Await(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.listen+"/healthz", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %d", answer.StatusCode)
		}
		return nil
	})
}

// Wires gives the ones of a process.
func (w *World) Wires(name string) (*wire.PostgresProxy, *wire.TemporalProxy) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.processes[name].postgres, w.processes[name].temporal
}

// Metrics is the /metrics page of a process.
func (w *World) Metrics(t testing.TB, name string) string {
	t.Helper()
	w.mu.Lock()
	address := w.processes[name].listen
	w.mu.Unlock()
	answer, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(page)
}
