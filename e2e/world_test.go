// Package e2e_test drives the whole of Scrip as `make run` starts it: a real
// Postgres, a real Temporal server, the vendors' SDKs against the sandbox, signed
// webhooks and the API. It knows nothing of the inside.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"scrip.dev/scrip/dev"
	"scrip.dev/scrip/dev/process"
	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/e2e/walk"
)

// hour is how long an hour takes in these tests.
const hour = 150 * time.Millisecond

// patience bounds every wait for something to happen.
const patience = 4 * time.Minute

// world is one running Scrip.
type world struct {
	system   *walk.System
	state    string
	temporal string // host:port
	options  dev.Options
	stop     func() error
}

var shared *world

func TestMain(m *testing.M) {
	os.Setenv("SCRIP_CLOCK_HOUR", hour.String())
	flag.Parse()
	// People mostly wait: many fit on few processors.
	if err := flag.Set("test.parallel", "24"); err != nil {
		panic(err)
	}
	state, err := os.MkdirTemp("", "scrip-e2e-")
	if err == nil {
		shared, err = open(options(state))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting Scrip for the end-to-end tests:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping Scrip:", err)
		code = 1
	}
	if code == 0 {
		_ = os.RemoveAll(state)
	} else {
		fmt.Fprintln(os.Stderr, "logs are in", state)
	}
	os.Exit(code)
}

func options(state string) dev.Options {
	return dev.Options{
		Project: filepath.Join("..", "examples"), State: state, Version: "test",
		Port: freePort(), PostgresPort: freePort(), TemporalPort: freePort(), UIPort: freePort(),
	}
}

// open starts Scrip and returns when it is ready.
func open(o dev.Options) (*world, error) {
	log, err := os.OpenFile(filepath.Join(o.State, "scrip.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	o.Out = &banner{ready: ready}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- dev.Run(ctx, o) }()
	w := &world{options: o, state: o.State, temporal: fmt.Sprintf("127.0.0.1:%d", o.TemporalPort)}
	w.system = &walk.System{Base: fmt.Sprintf("http://127.0.0.1:%d", o.Port), Sent: w.sent, Patience: patience}
	w.stop = func() error { cancel(); defer log.Close(); return <-ended }
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		return nil, fmt.Errorf("it ended: %w", err)
	case <-time.After(15 * time.Minute):
		return nil, fmt.Errorf("not ready in time; %w", w.stop())
	}
	key, err := os.ReadFile(filepath.Join(o.State, "key"))
	if err != nil {
		return nil, err
	}
	w.system.Key = strings.TrimSpace(string(key))
	w.system.Secrets, err = sandbox.LoadSecrets(filepath.Join(o.State, "sandbox"))
	return w, err
}

// banner is where Scrip says that it is up.
type banner struct {
	text  bytes.Buffer
	ready chan struct{}
}

func (b *banner) Write(p []byte) (int, error) {
	n, err := b.text.Write(p)
	if strings.Contains(b.text.String(), "is up.") {
		select {
		case <-b.ready:
		default:
			close(b.ready)
		}
	}
	return n, err
}

func freePort() int {
	port, err := process.FreePort()
	if err != nil {
		panic(err)
	}
	return port
}

// person is somebody at the shop, and the Scrip that they meet there.
type person struct {
	*walk.Person
	*world
}

func (w *world) person(t *testing.T, name string) *person {
	t.Parallel()
	return w.customer(t, name)
}

func (w *world) customer(t *testing.T, name string) *person {
	return &person{Person: w.system.Person(t, name), world: w}
}

// sent is the sandbox's own log.
func (w *world) sent() ([]sandbox.Message, error) {
	answer, err := http.Get(w.system.Base + "/sandbox/messages")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var all struct{ Messages []sandbox.Message }
	return all.Messages, json.NewDecoder(answer.Body).Decode(&all)
}
