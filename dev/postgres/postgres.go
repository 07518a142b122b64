// Package postgres starts a Postgres server of Scrip's own for development and
// tests, from the server binaries found on the machine or fetched once.
//
// The server listens on 127.0.0.1 only, asks for a random password, keeps its
// data between runs, and ends with the process that started it.
package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/dev/process"
)

const (
	user     = "scrip"
	database = "scrip"

	// stopGrace is how long a fast shutdown may take: a checkpoint of what is dirty.
	stopGrace    = 30 * time.Second
	startTimeout = 60 * time.Second
)

// Options says where the server lives and how it runs.
type Options struct {
	Dir  string // its folder: data, password, log; made where it is missing
	Port int    // on 127.0.0.1; zero picks a free one
	// PortSetting is what a user changes to choose another port, for the error
	// when it is taken. Default: DATABASE_URL.
	PortSetting string
	// Settings are added to the server's configuration; they win over Scrip's own.
	// https://www.postgresql.org/docs/current/runtime-config.html
	Settings map[string]string
	// Environment is added to the server's, as NAME=value.
	Environment []string
	Log         *slog.Logger // progress; nil: none
}

// Server is a running server.
type Server struct {
	URL string // of the database, with user and password
	// PID is 0 where the server is not ours.
	PID int

	process *process.Process
	lock    *process.Lock
}

// InUseError says that another process runs the server of this folder.
type InUseError struct{ Dir string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("starting Postgres: another Scrip is running with the data in %s; stop it first, or choose another folder", e.Dir)
}

// Start gives a server with a database to work in. Where DATABASE_URL is set,
// that is the server, and nothing is started. The database cluster is made on the
// first start; later starts find it as it was left, also after a crash.
func Start(ctx context.Context, o Options) (*Server, error) {
	if address := os.Getenv("DATABASE_URL"); address != "" {
		return &Server{URL: address}, nil
	}
	return StartOwn(ctx, o)
}

// StartOwn is Start without regard to DATABASE_URL.
func StartOwn(ctx context.Context, o Options) (_ *Server, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.PortSetting == "" {
		o.PortSetting = "DATABASE_URL"
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, fmt.Errorf("starting Postgres: %w", err)
	}
	lock, free, err := process.TryLock(filepath.Join(o.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("starting Postgres: %w", err)
	}
	if !free {
		return nil, &InUseError{o.Dir}
	}
	defer func() {
		if err != nil {
			lock.Release()
		}
	}()
	pidFile := filepath.Join(o.Dir, "server.pid")
	if err := process.EndLeftover(pidFile, syscall.SIGINT, stopGrace); err != nil {
		return nil, err
	}
	c, err := openCluster(ctx, o)
	if err != nil {
		return nil, err
	}
	port, err := process.Port(o.Port, "Postgres", o.PortSetting)
	if err != nil {
		return nil, err
	}
	var environment []string // the parent's
	if len(o.Environment) > 0 {
		environment = append(os.Environ(), o.Environment...)
	}
	p, err := process.Start(process.Command{
		Name: "Postgres", Env: environment, Path: filepath.Join(c.bin, "postgres"), Args: arguments(c.data, port, o.Settings), Dir: "/",
		LogFile: filepath.Join(o.Dir, "server.log"), PIDFile: pidFile,
		StopSignal: syscall.SIGINT, // fast shutdown: end sessions, write a checkpoint
		Account:    c.account,
	})
	if err != nil {
		return nil, err
	}
	address := (&url.URL{
		Scheme: "postgres", User: url.UserPassword(user, c.password),
		Host: net.JoinHostPort(process.Host, strconv.Itoa(port)), Path: database, RawQuery: "sslmode=disable",
	}).String()
	waiting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := p.Await(waiting, func(ctx context.Context) error { return ensureDatabase(ctx, address) }); err != nil {
		_ = p.Stop(stopGrace)
		return nil, err
	}
	return &Server{URL: address, PID: p.PID(), process: p, lock: lock}, nil
}

// Done is closed when the server has ended, nil where it is not ours.
func (s *Server) Done() <-chan struct{} {
	if s.process == nil {
		return nil
	}
	return s.process.Done()
}

// Stop shuts the server down fast: sessions end, what is committed is kept. It
// does nothing to a server that Start did not start.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	defer s.lock.Release()
	return s.process.Stop(stopGrace)
}

// Kill ends the server as a crash would; Start recovers what was committed.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	defer s.lock.Release()
	s.process.Kill()
}

func arguments(data string, port int, settings map[string]string) []string {
	all := map[string]string{ // #nosec G101 -- the name of a method, no password
		"listen_addresses":        process.Host,
		"port":                    strconv.Itoa(port),
		"unix_socket_directories": "", // a socket's path must be shorter than a checkout's may be
		"max_connections":         "200",
		"password_encryption":     "scram-sha-256",
		"log_timezone":            "UTC",
		"timezone":                "UTC",
	}
	for k, v := range settings {
		all[k] = v
	}
	args := []string{"-D", data}
	for k, v := range all {
		args = append(args, "-c", k+"="+v)
	}
	return args
}

// ensureDatabase succeeds once the server answers and has our database.
func ensureDatabase(ctx context.Context, address string) error {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return err
	}
	name := cfg.Database
	cfg.Database = "postgres"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return err
}
