// Package temporaltest gives tests a real Temporal server.
//
// The first test of a test binary that asks starts the development server on a
// free port, with nothing kept on disk; it ends with the binary. The executable
// is TEMPORAL_CLI, or is found or built as for development.
package temporaltest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"scrip.dev/scrip/dev/temporal"
)

// buildTimeout covers building the executable on a slow machine.
const buildTimeout = 15 * time.Minute

// Server gives the server that the tests of this binary share. Use an own task
// queue and own workflow ids in each test.
func Server(t testing.TB) *temporal.Server {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatalf("starting a Temporal server for tests: %v", err)
	}
	return s
}

var shared = sync.OnceValues(func() (*temporal.Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	o := options()
	o.NoUI = true
	return temporal.StartOwn(ctx, o)
})

// Start gives a test a server of its own that it may stop and start again: its
// state is kept in dir. It ends with the test.
func Start(t testing.TB, dir string, port int) *temporal.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	o := options()
	o.Dir, o.Port, o.NoUI = dir, port, true
	s, err := temporal.StartOwn(ctx, o)
	if err != nil {
		t.Fatalf("starting a Temporal server for a test: %v", err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

func options() temporal.Options {
	logs := filepath.Join(os.TempDir(), fmt.Sprintf("scrip-test-%d", os.Getuid()), "temporal", fmt.Sprintf("%s.log", filepath.Base(os.Args[0])))
	return temporal.Options{LogFile: logs, Progress: func(done, total int, elapsed time.Duration) {
		if int(elapsed.Seconds())%15 == 0 {
			fmt.Fprintf(os.Stderr, "building Temporal: %d of %d packages, %s\n", done, total, elapsed.Round(time.Second))
		}
	}}
}
