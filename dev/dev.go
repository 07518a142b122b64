// Package dev runs all of Scrip on one machine with nothing to configure:
// Postgres, Temporal with its UI, a sandbox of the vendors, the starter and the
// worker, in one process that ends all it started.
package dev

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/codec"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/postgres"
	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
)

// StateFolder is where Run keeps everything unless it is told otherwise. Other
// commands find `url` and `key` of the running system there.
const StateFolder = ".scrip"

// Options says where things are and on which ports; all ports are on 127.0.0.1.
type Options struct {
	Project      string // the project folder
	State        string // what is kept between runs, such as StateFolder
	Port         int    // Scrip itself: API, hooks, docs, sandbox
	PostgresPort int
	TemporalPort int
	UIPort       int
	Version      string
	Out          io.Writer // the banner and the progress
	Log          *slog.Logger
}

// environment runs what Run has started.
type environment struct {
	Options
	baseURL     string
	config      *config.Config
	connections *config.Connections
	payloads    *codec.Codec
	store       *store.Store
	sandbox     *sandbox.Sandbox
	metrics     *starter.Metrics
	clock       campaign.Clock
	key         string
}

// Run starts everything and serves until ctx ends, then stops what it started in
// reverse order. What is quick is up first: while Temporal is built or started,
// webhooks are accepted and kept.
func Run(ctx context.Context, o Options) error {
	e := &environment{Options: o, baseURL: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port))}
	if err := os.MkdirAll(o.State, 0o700); err != nil {
		return fmt.Errorf("making the folder for what is kept between runs: %w", err)
	}
	if err := e.free(); err != nil {
		return err
	}
	stopTracing, err := starter.StartTracing(ctx, "scrip-dev")
	if err != nil {
		return err
	}
	defer func() { e.stopped("the tracing", stopTracing(context.WithoutCancel(ctx))) }()
	database, err := postgres.Start(ctx, postgres.Options{
		Dir: filepath.Join(o.State, "postgres"), Port: o.PostgresPort, PortSetting: "--postgres-port or SCRIP_POSTGRES_PORT", Log: o.Log,
	})
	if err != nil {
		return err
	}
	defer func() { e.stopped("Postgres", database.Stop()) }()
	if err := e.open(ctx, database.URL); err != nil {
		return err
	}
	defer e.store.Close()
	return e.serve(ctx)
}

// free finds out before anything is started whether the ports are free.
func (e *environment) free() error {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(e.Port)))
	if err != nil {
		return fmt.Errorf("starting Scrip: port %d is taken; stop what uses it, or choose another with --port or SCRIP_PORT", e.Port)
	}
	return listener.Close()
}

// open prepares the database, the sandbox and the project.
func (e *environment) open(ctx context.Context, databaseURL string) error {
	secrets, err := sandbox.LoadSecrets(filepath.Join(e.State, "sandbox"))
	if err != nil {
		return err
	}
	own, err := e.keep("own_secret", func() (string, error) { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text())), nil })
	if err != nil {
		return err
	}
	if e.config, err = config.Load(e.Project, e.env(secrets, own, databaseURL)); err != nil {
		return err
	}
	if e.connections, err = e.config.Open(time.Now); err != nil {
		return err
	}
	if e.payloads, err = e.config.PayloadCodec(); err != nil {
		return err
	}
	if e.store, err = store.Open(ctx, databaseURL, 24); err != nil {
		return err
	}
	if err := e.prepare(ctx, secrets); err != nil {
		e.store.Close()
		return err
	}
	return nil
}

func (e *environment) prepare(ctx context.Context, secrets sandbox.Secrets) (err error) {
	if err := e.store.Migrate(ctx); err != nil {
		return err
	}
	start, err := e.store.ClockStart(ctx)
	if err != nil {
		return err
	}
	e.clock = e.config.Clock(start)
	if e.key, err = e.developmentKey(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.State, "url"), []byte(e.baseURL+"\n"), 0o600); err != nil {
		return fmt.Errorf("leaving the address for other commands: %w", err)
	}
	if err := e.apply(ctx); err != nil {
		return err
	}
	e.metrics = starter.NewMetrics()
	e.sandbox, err = sandbox.New(sandbox.Options{
		PublicURL: e.baseURL, Secrets: secrets, Dir: filepath.Join(e.State, "sandbox"), Logger: e.Log,
		HookURL: func(connection, topic string) string {
			return strings.TrimSuffix(e.baseURL+"/hooks/"+connection+"/"+topic, "/")
		},
		TemporalUI: e.temporalUI(), LookUpCode: e.lookUpCode,
	})
	return err
}

// apply makes the database hold the project folder, as `scrip apply` would.
func (e *environment) apply(ctx context.Context) error {
	files, err := config.ReadFolder(e.Project)
	if err != nil {
		return err
	}
	folder, problems := e.config.Compose(files)
	if err := problems.Err(); err != nil {
		return fmt.Errorf("the project in %s has mistakes:\n%w", e.Project, err)
	}
	_, err = e.store.Apply(ctx, starter.StoreFolder(folder), store.ApplyOptions{Actor: "dev"})
	return err
}

// developmentKey gives the API key that the CLI finds in the state folder. One
// that a database made anew doesn't know is replaced.
func (e *environment) developmentKey(ctx context.Context) (string, error) {
	create := func() (string, error) {
		_, secret, err := e.store.NewKey(ctx, "development", []string{store.ScopeAdmin})
		return secret, err
	}
	key, err := e.keep("key", create)
	if err != nil {
		return "", err
	}
	if _, err := e.store.Authenticate(ctx, key); err == nil {
		return key, nil
	}
	if err := os.Remove(filepath.Join(e.State, "key")); err != nil {
		return "", fmt.Errorf("replacing the development key: %w", err)
	}
	return e.keep("key", create)
}

// keep gives what a file of the state folder holds, readable by its owner alone;
// it is made on the first run.
func (e *environment) keep(name string, create func() (string, error)) (string, error) {
	path := filepath.Join(e.State, name)
	kept, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(kept)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	value, err := create()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keeping %s: %w", path, err)
	}
	return value, nil
}

func (e *environment) stopped(what string, err error) {
	if err != nil {
		e.Log.Warn("stopping "+what+" failed", "error", err)
	}
}
