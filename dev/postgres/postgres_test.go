package postgres_test

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/postgres"
)

func start(t *testing.T, o postgres.Options) *postgres.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := postgres.StartOwn(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

func connect(t *testing.T, s *postgres.Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestStart_KeepsItsStateAndItsPasswordBetweenRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, postgres.Options{Dir: dir})
	_, err := connect(t, first).Exec(t.Context(), `CREATE TABLE kept AS SELECT upper('ärger') AS word`)
	require.NoError(t, err)
	require.NoError(t, first.Stop())

	// A lock file of a killed server whose number belongs to somebody else by now.
	stale := strconv.Itoa(os.Getpid()) + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "postmaster.pid"), []byte(stale), 0o600))

	second := start(t, postgres.Options{Dir: dir})
	var word, fsync string
	conn := connect(t, second)
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT word FROM kept`).Scan(&word))
	require.Equal(t, "ÄRGER", word)
	require.NoError(t, conn.QueryRow(t.Context(), `SHOW fsync`).Scan(&fsync))
	require.Equal(t, "on", fsync)
	info, err := os.Stat(filepath.Join(dir, "password"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestStart_AsksForThePassword(t *testing.T) {
	t.Parallel()
	s := start(t, postgres.Options{Dir: t.TempDir()})
	address, err := url.Parse(s.URL)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", address.Hostname())
	address.User = url.UserPassword("scrip", "guess")
	_, err = pgx.Connect(t.Context(), address.String())
	require.ErrorContains(t, err, "password authentication failed")
}

func TestStart_RefusesASecondServerOnTheSameFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, postgres.Options{Dir: dir})
	_, err := postgres.StartOwn(t.Context(), postgres.Options{Dir: dir})
	var inUse *postgres.InUseError
	require.ErrorAs(t, err, &inUse)
}

func TestStart_NamesATakenPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = postgres.StartOwn(t.Context(), postgres.Options{Dir: t.TempDir(), Port: port, PortSetting: "--postgres-port"})
	require.ErrorContains(t, err, "port "+strconv.Itoa(port)+" is taken")
	require.ErrorContains(t, err, "--postgres-port")
}

func TestStart_SaysSoWhenThePasswordIsLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, start(t, postgres.Options{Dir: dir}).Stop())
	require.NoError(t, os.Remove(filepath.Join(dir, "password")))
	_, err := postgres.StartOwn(t.Context(), postgres.Options{Dir: dir})
	require.ErrorContains(t, err, "put it back")
}
