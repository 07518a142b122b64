package bench

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/process"
	"scrip.dev/scrip/dev/temporal"
)

// serverFolder is where `make temporal-server` puts Temporal's server and its tool
// for SQL databases.
func serverFolder() string {
	return cmp.Or(os.Getenv("TEMPORAL_SERVER"), filepath.Join("..", ".scrip", "bin", "temporal-server"))
}

// dynamic settings are those of docker-compose.yml.
const dynamic = `
history.cacheSizeBasedLimit: [{value: true}]
history.hostLevelCacheMaxSizeBytes: [{value: 268435456}]
history.enableHostLevelEventsCache: [{value: true}]
history.eventsHostLevelCacheMaxSizeBytes: [{value: 67108864}]
`

// startTemporal runs Temporal's server on databases of its own in Postgres.
func startTemporal(t testing.TB, dir, postgres string) (*process.Process, string) {
	t.Helper()
	at, err := url.Parse(postgres)
	require.NoError(t, err)
	password, _ := at.User.Password()
	for _, part := range []struct{ database, schema string }{{"temporal", "temporal"}, {"temporal_visibility", "visibility"}} {
		for _, verb := range [][]string{{"create"}, {"setup-schema", "-v", "0.0"}, {"update-schema", "--schema-name", "postgresql/v12/" + part.schema}} {
			command := exec.Command(filepath.Join(serverFolder(), "sql"), append([]string{"--plugin", "postgres12", "--ep", at.Hostname(), "-p", at.Port(),
				"-u", at.User.Username(), "--db", part.database}, verb...)...)
			command.Env = append(os.Environ(), "SQL_PASSWORD="+password)
			out, err := command.CombinedOutput()
			require.NoError(t, err, "making Temporal's database (make temporal-server builds what this needs):\n%s", out)
		}
	}
	settings := filepath.Join(dir, "dynamic.yaml")
	require.NoError(t, os.WriteFile(settings, []byte(dynamic), 0o600))
	environment := append(os.Environ(), "DB=postgres12", "POSTGRES_SEEDS="+at.Hostname(), "DB_PORT="+at.Port(), "POSTGRES_USER="+at.User.Username(),
		"POSTGRES_PWD="+password, "BIND_ON_IP="+process.Host, "DYNAMIC_CONFIG_FILE_PATH="+settings, "LOG_LEVEL=warn", "NUM_HISTORY_SHARDS=64")
	var address string
	for _, name := range []string{"FRONTEND_GRPC", "FRONTEND_HTTP", "FRONTEND_MEMBERSHIP", "MATCHING_GRPC", "MATCHING_MEMBERSHIP", "HISTORY_GRPC",
		"HISTORY_MEMBERSHIP", "WORKER_GRPC", "WORKER_MEMBERSHIP"} {
		port, err := process.FreePort()
		require.NoError(t, err)
		environment = append(environment, fmt.Sprintf("%s_PORT=%d", name, port))
		if address == "" {
			address = net.JoinHostPort(process.Host, strconv.Itoa(port))
		}
	}
	server, err := process.Start(process.Command{Name: "Temporal", Path: filepath.Join(serverFolder(), "server"), Env: environment,
		Args: []string{"--allow-no-auth", "start"}, LogFile: filepath.Join(dir, "temporal.log"), StopSignal: syscall.SIGTERM})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop(30 * time.Second) })
	waiting, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, server.Await(waiting, func(ctx context.Context) error { return temporal.SetUp(ctx, address) }))
	return server, address
}
