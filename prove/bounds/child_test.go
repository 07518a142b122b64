// Package bounds proves that what users write (templates, conditions, addresses) is
// bounded in time, memory and reach.
package bounds

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// childVariable names, in a child process, the one attack that it runs.
const childVariable = "SCRIP_BOUNDS_ATTACK"

// peak is the most memory that a process held at once, in bytes.
type peak int64

// mostWork is how long a process may keep the processors busy for one attack; the
// longest, those that end by a deadline of five seconds, collect garbage beside it.
// It is no time of the clock, so a busy machine changes nothing.
const mostWork = 20 * time.Second

// alone runs this test again, in a process of its own that does one attack, and
// gives the most memory that the process held. A process that dies, or works for
// too long, fails the test.
func alone(t *testing.T, attack string) peak {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	name, _, _ := strings.Cut(t.Name(), "/")
	child := exec.CommandContext(ctx, binary, "-test.run", "^"+name+"$", "-test.v")
	child.Env = append(os.Environ(), childVariable+"="+attack)
	out, err := child.CombinedOutput()
	require.NoError(t, err, "%s: the process did not live on: %s", attack, last(out))
	require.Contains(t, string(out), "lived on", "%s: nothing was run: %s", attack, last(out))
	usage, ok := child.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	took := child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	t.Logf("%s of work, %d MB", took.Round(time.Millisecond), usage.Maxrss>>10)
	require.Less(t, took, mostWork, "%s: it takes too much work", attack)
	return peak(usage.Maxrss << 10) // told in kilobytes
}

// confined bounds the memory of this process, so that a proof that fails takes the
// process and not the machine.
func confined(t *testing.T) {
	t.Helper()
	const most = 3 << 30
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: most, Max: most}))
}

func last(out []byte) string {
	const most = 3000
	if len(out) > most {
		out = out[len(out)-most:]
	}
	return string(out)
}
