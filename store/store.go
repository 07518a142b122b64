// Package store keeps what is true about people, codes, messages and journeys in
// Postgres. The database holds the invariants (see migrations); this package
// holds the statements.
package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is the database. It is safe for concurrent use.
type Store struct {
	Pool *pgxpool.Pool
	// Refused is told of entries that end in ways in which nobody is dispatched: an
	// erasure, a merge, a stopped campaign. Set before use; nil: nobody counts them.
	Refused func(campaign, reason string)
	claimer
	versions    versions
	suppressing suppressionKey
	segments    segments
}

// Querier is what a pool and a transaction have in common.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error)
}

// ErrNotFound is wrapped by every lookup that finds nothing.
var ErrNotFound = errors.New("not found")

// abandoned is how long a transaction may be idle before the server takes its
// process for gone: one that froze, or whose machine is away, would keep its locks
// for hours. It is longer than any call to a vendor that is made inside one.
const abandoned = "2min"

// planned is how long a connection keeps its plans. The server makes them anew when a
// table grows, but not when it only learns what stands in it.
const planned = 10 * time.Minute

// Open connects a pool to url. Connections beyond maxConns wait; 0 leaves pgx's
// default.
func Open(ctx context.Context, url string, maxConns int32) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("reading the database address: it is not a postgres:// URL; check DATABASE_URL")
	}
	if maxConns > 0 {
		config.MaxConns = maxConns
	}
	config.ConnConfig.RuntimeParams["application_name"] = "scrip"
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = planned, planned/10
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		// Rows are found by index, whatever the values: a statement is planned once. A
		// plan made while a table was small would scan it for as long as the connection
		// lives; and where a scan is the only way, its forbidding cost would have it
		// compiled. So that such a plan doesn't read a table into a hash to look up one
		// row of it, an EXISTS about a row in a list or beside OR ends with OFFSET 0.
		_, err := conn.Exec(ctx, `SET idle_in_transaction_session_timeout = '`+abandoned+`'; SET enable_seqscan = off; SET jit = off;
			SET plan_cache_mode = force_generic_plan`)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reaching the database at %s:%d: %w", config.ConnConfig.Host, config.ConnConfig.Port, err)
	}
	s := &Store{Pool: pool}
	s.claimer.start(s)
	return s, nil
}

// Close waits for statements under way and closes the pool.
func (s *Store) Close() {
	s.claimer.stop()
	s.Pool.Close()
}

// Migrate brings the schema up to date, one process at a time (advisory lock). Processes
// of the release before may serve meanwhile: where a migration and one of theirs lock the
// same tables in another order, the migration is tried again.
func (s *Store) Migrate(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return fmt.Errorf("preparing the migration lock: %w", err)
	}
	db := stdlib.OpenDBFromPool(s.Pool)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, dir, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("preparing the migrations: %w", err)
	}
	for range migrateTries {
		if _, err = provider.Up(ctx); !IsConflict(err) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	return nil
}

// migrateTries is how often migrations begin anew; each has waited for a while.
const migrateTries = 10

// OneAtATime runs do unless somebody else is running one under the same name; ran is
// false then. Nobody waits with a connection that others need.
func (s *Store) OneAtATime(ctx context.Context, name string, do func(*Tx) error) (ran bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))`, name).Scan(&ran); err != nil {
			return fmt.Errorf("asking for a turn: %w", err)
		}
		if !ran {
			return nil
		}
		return do(tx)
	})
	return ran, err
}
