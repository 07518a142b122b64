// Package pgtest gives tests databases on a real Postgres.
//
// The first test of a test binary that asks starts a server, which ends with the
// binary; nothing has to run beforehand and root may run it. Servers live in
// numbered slots below the temporary folder and are used again, so only the
// first ones ever pay for making a database cluster. They don't flush to disk:
// what survives a power cut is not what these tests ask. They do under -bench,
// where figures without it would flatter.
//
// Where DATABASE_URL_TEST names a server whose user may create databases, that
// one is used instead.
package pgtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/rand"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"scrip.dev/scrip/dev/postgres"
)

const prefix = "scrip_test_"

// Template makes databases that all begin the same, such as with a schema. Its
// zero value makes empty ones.
type Template struct {
	// Prepare fills the template; it runs once in a test binary.
	Prepare func(ctx context.Context, url string) error

	once sync.Once
	name string
	err  error
}

// New gives a test an empty database of its own and a pool on it; both end with
// the test.
func New(t testing.TB) *pgxpool.Pool { return new(Template).New(t) }

// URL gives a test an empty database of its own, which ends with the test.
func URL(t testing.TB) string { return new(Template).URL(t) }

// New gives a test a database of its own and a pool on it; both end with the test.
func (tp *Template) New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), tp.URL(t))
	if err != nil {
		t.Fatalf("opening a test database: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// URL gives a test a database of its own, which ends with the test.
func (tp *Template) URL(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	server, err := shared()
	if err != nil {
		t.Fatalf("starting a Postgres for tests: %v", err)
	}
	tp.once.Do(func() { tp.name, tp.err = tp.make(ctx, server) })
	if tp.err != nil {
		t.Fatalf("preparing the template database: %v", tp.err)
	}
	name, err := create(ctx, server, tp.name)
	if err != nil {
		t.Fatalf("making a test database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_ = execute(ctx, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	})
	return at(server, name)
}

func (tp *Template) make(ctx context.Context, server string) (string, error) {
	if tp.Prepare == nil {
		return "template1", nil
	}
	name, err := create(ctx, server, "template1")
	if err != nil {
		return "", err
	}
	return name, tp.Prepare(ctx, at(server, name))
}

func create(ctx context.Context, server, template string) (string, error) {
	name := prefix + strconv.Itoa(os.Getpid()) + "_" + strings.ToLower(rand.Text()[:10])
	return name, execute(ctx, server, "CREATE DATABASE "+name+" TEMPLATE "+template)
}

func execute(ctx context.Context, server, statement string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, statement)
	return err
}

func at(server, database string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	u.Path = "/" + database
	return u.String()
}

// shared is the server of this test binary.
var shared = sync.OnceValues(func() (string, error) {
	if server := os.Getenv("DATABASE_URL_TEST"); server != "" {
		return server, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	root := filepath.Join(os.TempDir(), fmt.Sprintf("scrip-test-%d", os.Getuid()), "postgres")
	for slot := range 64 {
		server, err := startSlot(ctx, filepath.Join(root, strconv.Itoa(slot)))
		var inUse *postgres.InUseError
		if errors.As(err, &inUse) {
			continue
		}
		return server, err
	}
	return "", fmt.Errorf("every slot below %s is in use", root)
})

func startSlot(ctx context.Context, dir string) (string, error) {
	options := postgres.Options{Dir: dir, Settings: settings()}
	server, err := postgres.StartOwn(ctx, options)
	var inUse *postgres.InUseError
	if err != nil && !errors.As(err, &inUse) && emptied(dir) {
		// A slot that was cut off in the middle of writing is worth nothing.
		server, err = postgres.StartOwn(ctx, options)
	}
	if err != nil {
		return "", err
	}
	return server.URL, sweep(ctx, server.URL)
}

func settings() map[string]string {
	if bench := flag.Lookup("test.bench"); bench != nil && bench.Value.String() != "" {
		return map[string]string{"max_connections": "400"}
	}
	return map[string]string{
		"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
		"max_connections": "400", "shared_buffers": "64MB", "autovacuum": "off",
	}
}

// emptied removes a slot's data and says whether there were any.
func emptied(dir string) bool {
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(data); err != nil {
		return false
	}
	return os.RemoveAll(data) == nil
}

// sweep drops the databases that killed test binaries left in a slot.
func sweep(ctx context.Context, server string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, `SELECT datname::text FROM pg_database WHERE datname LIKE $1`, prefix+"%")
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
			return err
		}
	}
	return nil
}
