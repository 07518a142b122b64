// Package temporal starts Temporal's own development server, with its web UI,
// for development and tests.
//
// The server listens on 127.0.0.1 only, keeps its state in one file, and ends
// with the process that started it.
package temporal

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"scrip.dev/scrip/dev/process"
)

const (
	// Namespace is the one in which Scrip works unless it is told otherwise.
	Namespace = "default"
	// Retention is how long Temporal keeps closed workflows. Postgres is the
	// truth about journeys, so this only serves people who look.
	Retention = 72 * time.Hour

	stopGrace    = 20 * time.Second
	startTimeout = 60 * time.Second
)

// settings keep the server small beside everything else on a developer's
// machine, where its own caches are sized for a server that is alone on its host,
// and its timers exact: by default they fire up to a second late, which is an hour
// on the development clock.
var settings = []string{
	`history.timerProcessorMaxTimeShift="50ms"`,
	"history.cacheSizeBasedLimit=true",
	"history.hostLevelCacheMaxSizeBytes=67108864",
	"history.eventsHostLevelCacheMaxSizeBytes=16777216",
	"history.enableHostLevelEventsCache=true",
}

// Options says where the server lives and how it runs.
type Options struct {
	// Dir is the server's folder: state and log. Empty keeps nothing.
	Dir    string
	Port   int // of the gRPC API, on 127.0.0.1; zero picks a free one
	UIPort int // of the web UI, on 127.0.0.1; zero picks a free one
	// NoUI leaves the web UI out.
	NoUI bool
	// PortSetting and UIPortSetting are what a user changes to choose other ports,
	// for the error when one is taken. Default: TEMPORAL_ADDRESS.
	PortSetting, UIPortSetting string
	LogFile                    string // default: server.log in Dir
	// CLI is the `temporal` executable; empty finds it or builds it.
	CLI string
	// Settings are further dynamic settings of the server, such as
	// `history.defaultWorkflowTaskTimeout="2s"`.
	Settings []string
	Progress Progress     // of building it; nil: none is shown
	Log      *slog.Logger // nil: none
}

// Server is a running server.
type Server struct {
	Address string // host:port of the gRPC API
	UIURL   string // of the web UI; empty where there is none or it isn't known
	// PID is 0 where the server is not ours.
	PID int

	process *process.Process
	lock    *process.Lock
}

// Start gives a server that is ready to take workflows: healthy, with Scrip's
// namespace retention and search attributes. Where TEMPORAL_ADDRESS is set, that
// is the server, and nothing is started or changed there.
func Start(ctx context.Context, o Options) (*Server, error) {
	if address := os.Getenv("TEMPORAL_ADDRESS"); address != "" {
		return &Server{Address: address}, nil
	}
	return StartOwn(ctx, o)
}

// StartOwn is Start without regard to TEMPORAL_ADDRESS.
func StartOwn(ctx context.Context, o Options) (_ *Server, err error) {
	if o.PortSetting == "" {
		o.PortSetting = "TEMPORAL_ADDRESS"
	}
	if o.UIPortSetting == "" {
		o.UIPortSetting = "TEMPORAL_ADDRESS"
	}
	s := &Server{}
	command := process.Command{Name: "Temporal", LogFile: o.LogFile, StopSignal: syscall.SIGTERM}
	if o.Dir != "" {
		if s.lock, err = occupy(o.Dir); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				s.lock.Release()
			}
		}()
		command.PIDFile = filepath.Join(o.Dir, "server.pid")
		if command.LogFile == "" {
			command.LogFile = filepath.Join(o.Dir, "server.log")
		}
		if err := process.EndLeftover(command.PIDFile, syscall.SIGTERM, stopGrace); err != nil {
			return nil, err
		}
	}
	if command.Args, err = s.arguments(o); err != nil {
		return nil, err
	}
	// Last, because it may take minutes, after which nobody wants to hear that a
	// port is taken.
	if command.Path, err = o.executable(ctx); err != nil {
		return nil, err
	}
	if s.process, err = process.Start(command); err != nil {
		return nil, err
	}
	s.PID = s.process.PID()
	if err := s.prepare(ctx); err != nil {
		_ = s.process.Stop(stopGrace)
		return nil, err
	}
	return s, nil
}

func (o Options) executable(ctx context.Context) (string, error) {
	if o.CLI != "" {
		return o.CLI, nil
	}
	return CLI(ctx, o.Progress)
}

// occupy makes the folder and takes it for this process.
func occupy(dir string) (*process.Lock, error) {
	lock, free, err := process.TryLock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("starting Temporal: %w", err)
	}
	if !free {
		return nil, fmt.Errorf("starting Temporal: another Scrip is running with the state in %s; stop it first, or choose another folder", dir)
	}
	return lock, nil
}

// arguments chooses the ports and writes the command line.
func (s *Server) arguments(o Options) ([]string, error) {
	port, err := process.Port(o.Port, "Temporal", o.PortSetting)
	if err != nil {
		return nil, err
	}
	s.Address = net.JoinHostPort(process.Host, strconv.Itoa(port))
	args := []string{"server", "start-dev", "--ip", process.Host, "--port", strconv.Itoa(port), "--log-level", "warn"}
	if o.NoUI {
		args = append(args, "--headless")
	} else {
		uiPort, err := process.Port(o.UIPort, "Temporal's web UI", o.UIPortSetting)
		if err != nil {
			return nil, err
		}
		s.UIURL = "http://" + net.JoinHostPort(process.Host, strconv.Itoa(uiPort))
		args = append(args, "--ui-ip", process.Host, "--ui-port", strconv.Itoa(uiPort))
	}
	if o.Dir != "" {
		// The development server makes its schema only in a new file, so every
		// version has a file of its own.
		args = append(args, "--db-filename", filepath.Join(o.Dir, "temporal-"+Version+".db"))
	}
	for _, setting := range slices.Concat(settings, o.Settings) {
		args = append(args, "--dynamic-config-value", setting)
	}
	return args, nil
}

// prepare waits until the server is healthy and sets up the namespace.
func (s *Server) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return s.process.Await(ctx, func(ctx context.Context) error { return SetUp(ctx, s.Address) })
}

// Done is closed when the server has ended, nil where it is not ours.
func (s *Server) Done() <-chan struct{} {
	if s.process == nil {
		return nil
	}
	return s.process.Done()
}

// Stop ends the server; what it keeps is on disk. It does nothing to a server
// that Start did not start.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	if s.lock != nil {
		defer s.lock.Release()
	}
	return s.process.Stop(stopGrace)
}

// Kill ends the server as a crash would. It does nothing to a server that Start
// did not start.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	if s.lock != nil {
		defer s.lock.Release()
	}
	s.process.Kill()
}
