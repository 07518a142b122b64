package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/logging"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/worker"
)

// system is what the starter and the worker have in common.
type system struct {
	config      *config.Config
	connections *config.Connections
	store       *store.Store
	temporal    client.Client
	clock       campaign.Clock
	metrics     *starter.Metrics
	log         *slog.Logger
	stopTracing func(context.Context) error
}

// openSystem reads the settings and opens what they name. Each thing that is
// missing is an error that says how to give it.
func (a *app) openSystem(ctx context.Context, service string) (s *system, err error) {
	s = &system{log: a.logger(), metrics: starter.NewMetrics()}
	if s.config, err = config.Load(a.project, a.env); err != nil {
		return nil, err
	}
	if s.connections, err = s.config.Open(time.Now); err != nil {
		return nil, err
	}
	payloads, err := s.config.PayloadCodec()
	if err != nil {
		return nil, err
	}
	opened, err := a.openStore(ctx, s.config) // by a name of its own: s is nil where an error is returned
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			opened.Close()
		}
	}()
	s.store = opened
	if err := s.store.Migrate(ctx); err != nil {
		return nil, err
	}
	start, err := s.store.ClockStart(ctx)
	if err != nil {
		return nil, err
	}
	s.clock = s.config.Clock(start)
	if s.stopTracing, err = starter.StartTracing(ctx, service); err != nil {
		return nil, err
	}
	counted, err := s.metrics.Temporal()
	if err != nil {
		return nil, err
	}
	s.temporal, err = worker.Dial("", payloads, s.log, counted, starter.SignalOnce())
	return s, err
}

// stopWithin bounds the sending of what tracing has left.
const stopWithin = 5 * time.Second

func (s *system) close() {
	s.temporal.Close()
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if err := s.stopTracing(ctx); err != nil {
		s.log.Warn("sending the last traces failed", "error", err)
	}
	s.store.Close()
}

// openStore opens the database of scrip.yaml or DATABASE_URL.
func (a *app) openStore(ctx context.Context, c *config.Config) (*store.Store, error) {
	if c.Database.URL.Empty() {
		return nil, errors.New("there is no database: set DATABASE_URL to one such as postgres://scrip:secret@localhost:5432/scrip, or DATABASE_URL_FILE")
	}
	s, err := store.Open(ctx, c.Database.URL.Reveal(), int32(min(c.Database.MaxConnections, 10_000))) // #nosec G115 -- bounded
	var refused *pgconn.PgError
	var unreachable *pgconn.ConnectError
	switch {
	case errors.As(err, &refused):
		return nil, fmt.Errorf("the database refuses the connection (%s); check the user, the password and the database's name in DATABASE_URL", refused.Message)
	case errors.As(err, &unreachable):
		return nil, fmt.Errorf("the database at %s:%d can't be reached; check that Postgres runs there, and DATABASE_URL", unreachable.Config.Host, unreachable.Config.Port)
	}
	return s, err
}

// withStore runs do with the database open. Only the database's settings are
// looked at: connections may lack their secrets here.
func (a *app) withStore(ctx context.Context, do func(context.Context, *store.Store) error) error {
	c, err := config.Load(a.project, config.WithoutSecrets(a.env))
	var problems config.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	s, err := a.openStore(ctx, c)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(ctx, s)
}

// logger writes JSON where a machine reads it, and text for a person; what
// libraries write goes there too.
func (a *app) logger() *slog.Logger {
	log := slog.New(a.logHandler())
	logging.TakeStandard(log)
	return log
}

func (a *app) logHandler() slog.Handler {
	level := slog.LevelInfo
	if strings.EqualFold(a.env("SCRIP_LOG"), "debug") {
		level = slog.LevelDebug
	}
	if file, ok := a.err.(*os.File); ok && onTerminal(file) {
		return logging.Text(a.err, level)
	}
	return logging.JSON(a.err, level)
}
