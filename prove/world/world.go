// Package world is a whole Scrip of real processes that can be killed: Postgres,
// Temporal, starters and workers from the binary that is shipped, and the vendors'
// sandbox. What is said between them goes over wires that can be struck.
package world

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/postgres"
	"scrip.dev/scrip/dev/process"
	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/dev/temporal"
	"scrip.dev/scrip/e2e/walk"
	"scrip.dev/scrip/prove/wire"
	"scrip.dev/scrip/store"
)

// Options shape a world; the zero value is one starter and one worker on a clock
// on which an hour takes half a second.
type Options struct {
	Hour              time.Duration     // how long an hour takes
	Starters, Workers int               // processes of each; default 1
	Served            int               // processes that are both; if any, there are only as many others as is said
	Forgetful         bool              // Temporal keeps nothing when it is killed
	Files             map[string]string // added to the project, in place of files of the same name
	Environment       []string          // added to the processes', NAME=value
	Binary            string            // of scrip; default: built from this tree
	Postgres          map[string]string // settings of the server
	Disk              int               // megabytes of a disk for Postgres alone; default: no bound
	Patience          time.Duration     // default 3 minutes
}

// World is a running Scrip.
type World struct {
	*walk.System
	Store   *store.Store // straight to the database, past the wires
	Tap     *wire.Tap
	Sandbox *sandbox.Sandbox
	Dir     string // what everything keeps
	// OwnSecret signs the webhooks of own systems.
	OwnSecret string

	options      Options
	postgresPort int
	temporalPort int

	mu        sync.Mutex
	postgres  *postgres.Server
	temporal  *temporal.Server
	processes map[string]*Scrip
	front     *front
	stop      []func()
}

// Patience is how long to wait for something, or what SCRIP_PROVE_PATIENCE says:
// a proof that has to fail needn't wait as long as one that has to pass.
func Patience(usual time.Duration) time.Duration {
	if set, err := time.ParseDuration(os.Getenv("SCRIP_PROVE_PATIENCE")); err == nil {
		return set
	}
	return usual
}

// Open starts a world, which ends with the test.
func Open(t testing.TB, o Options) *World {
	t.Helper()
	if o.Hour == 0 {
		o.Hour = 500 * time.Millisecond
	}
	if o.Served == 0 {
		o.Starters, o.Workers = max(o.Starters, 1), max(o.Workers, 1)
	}
	o.Patience = Patience(cmp.Or(o.Patience, 3*time.Minute))
	if o.Binary == "" {
		o.Binary = Binary(t)
	}
	dir, err := os.MkdirTemp("", "scrip-world-")
	require.NoError(t, err)
	w := &World{Tap: &wire.Tap{}, Dir: dir, options: o, processes: map[string]*Scrip{}}
	t.Cleanup(func() {
		w.close()
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		} else {
			t.Logf("what the processes wrote is in %s", dir)
		}
	})
	w.postgresPort, w.temporalPort = freePort(t), freePort(t)
	if o.Disk > 0 {
		w.mountDisk(t)
	}
	require.NoError(t, w.StartPostgres())
	w.prepare(t)
	require.NoError(t, w.StartTemporal())
	for range o.Starters {
		w.Add(t, Starter, o.Binary)
	}
	for range o.Workers {
		w.Add(t, Worker, o.Binary)
	}
	for range o.Served {
		w.Add(t, Serve, o.Binary)
	}
	for _, name := range w.Names() {
		require.NoError(t, w.Start(name))
	}
	for _, name := range w.Names() {
		require.NoError(t, w.Ready(name))
	}
	w.Apply(t)
	return w
}

// prepare makes the sandbox, the project, the schema and the key.
func (w *World) prepare(t testing.TB) {
	ctx := t.Context()
	folder := filepath.Join(w.Dir, "sandbox")
	secrets, err := sandbox.LoadSecrets(folder)
	require.NoError(t, err)
	w.front = newFront(t, w)
	base := "http://" + w.front.address
	w.Sandbox, err = sandbox.New(sandbox.Options{PublicURL: base, Secrets: secrets, Dir: folder, Delay: 50 * time.Millisecond,
		HookURL: func(connection, topic string) string {
			return strings.TrimSuffix(base+"/hooks/"+connection+"/"+topic, "/")
		}})
	require.NoError(t, err)
	w.stop = append(w.stop, func() { _ = w.Sandbox.Close() })
	w.System = &walk.System{Base: base, Secrets: secrets, Patience: w.options.Patience, Insistent: true, Pause: 100 * time.Millisecond,
		Sent: func() ([]sandbox.Message, error) { return w.Sandbox.Messages(), nil }}
	w.OwnSecret = "whsec_c2NyaXAtcHJvdmUtb3duLXNlY3JldA=="
	w.Store, err = store.Open(context.WithoutCancel(ctx), w.database(), 8)
	require.NoError(t, err)
	w.stop = append(w.stop, w.Store.Close)
	w.writeProject(t)
	w.Scrip(t, "migrate")
	w.Key = strings.TrimSpace(w.Scrip(t, "key", "create", "proof", "--scope", store.ScopeAdmin))
}

func (w *World) close() {
	for _, name := range w.Names() {
		w.Kill(name)
	}
	for i := len(w.stop) - 1; i >= 0; i-- {
		w.stop[i]()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.temporal != nil {
		w.temporal.Kill()
	}
	if w.postgres != nil {
		w.postgres.Kill()
	}
}

// database is where Postgres is, past the wires.
func (w *World) database() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.postgres.URL
}

// StartPostgres starts Postgres, again where it was killed.
func (w *World) StartPostgres() error {
	settings := map[string]string{"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": "200"}
	for name, value := range w.options.Postgres {
		settings[name] = value
	}
	server, err := postgres.StartOwn(context.Background(), postgres.Options{Dir: filepath.Join(w.Dir, "postgres"), Port: w.postgresPort, Settings: settings})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.postgres = server
	return nil
}

// RestartPostgres starts Postgres after it was killed. Its sessions notice by
// themselves that their server is gone, and while one of them is left the next
// server doesn't start: that is tried again for a while.
func (w *World) RestartPostgres() error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := w.StartPostgres()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// KillPostgres ends Postgres as a crash would.
func (w *World) KillPostgres() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.postgres.Kill()
}

// StartTemporal starts Temporal, again where it was killed.
func (w *World) StartTemporal() error {
	o := temporal.Options{Dir: filepath.Join(w.Dir, "temporal"), Port: w.temporalPort, NoUI: true,
		// A task that was lost with a process comes again after this long.
		Settings: []string{`history.defaultWorkflowTaskTimeout="2s"`}}
	if w.options.Forgetful {
		o.LogFile, o.Dir = filepath.Join(w.Dir, "temporal.log"), ""
	}
	server, err := temporal.StartOwn(context.Background(), o)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.temporal = server
	return nil
}

// KillTemporal ends Temporal as a crash would.
func (w *World) KillTemporal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.temporal.Kill()
}

// TemporalAddress is where Temporal is, past the wires.
func (w *World) TemporalAddress() string {
	return net.JoinHostPort(process.Host, fmt.Sprint(w.temporalPort))
}

// serve runs an HTTP server on a free port until the world ends.
func (w *World) serve(t testing.TB, handler http.Handler) string {
	listener := listen(t)
	server := quietServer(handler)
	go func() { _ = server.Serve(listener) }()
	w.stop = append(w.stop, func() { _ = server.Close() })
	return listener.Addr().String()
}

func quietServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
}

func listen(t testing.TB) net.Listener {
	listener, err := net.Listen("tcp", net.JoinHostPort(process.Host, "0"))
	require.NoError(t, err)
	return listener
}

func freePort(t testing.TB) int {
	port, err := process.FreePort()
	require.NoError(t, err)
	return port
}
