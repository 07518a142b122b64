package bench

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// tick is that of the clock in which Linux counts the processor time of processes that
// have ended.
const tick = time.Second / 100

// proc is what Linux tells of a process.
type proc struct {
	pid, parent int
	used        time.Duration // of the processor; own, and of children that have ended
}

func processes(t testing.TB) (all []proc) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		var p proc
		p.pid, err = strconv.Atoi(filepath.Base(filepath.Dir(path)))
		require.NoError(t, err)
		_, rest, _ := strings.Cut(string(text), ") ") // a name may hold spaces
		fields := strings.Fields(rest)
		p.parent, err = strconv.Atoi(fields[1])
		require.NoError(t, err)
		for _, field := range fields[13:15] {
			n, err := strconv.ParseInt(field, 10, 64)
			require.NoError(t, err)
			p.used += time.Duration(n) * tick
		}
		var own unix.Timespec
		if unix.ClockGettime(clockOf(p.pid), &own) != nil {
			continue // it has ended
		}
		p.used += time.Duration(own.Nano())
		all = append(all, p)
	}
	return all
}

// clockOf is the clock that counts a process's processor time, in nanoseconds:
// clock_getcpuclockid(3).
func clockOf(pid int) int32 { return int32(^pid<<3 | 2) } // #nosec G115 -- as Linux reads it

// tree is a process and all that it has started.
func tree(t testing.TB, root int) (pids []int) {
	t.Helper()
	all := processes(t)
	for pids = []int{root}; ; {
		before := len(pids)
		for _, p := range all {
			if slices.Contains(pids, p.parent) && !slices.Contains(pids, p.pid) {
				pids = append(pids, p.pid)
			}
		}
		if len(pids) == before {
			return pids
		}
	}
}

// cpu is the processor time of processes and of all that they have started, ended
// ones included.
func cpu(t testing.TB, roots ...int) (sum time.Duration) {
	t.Helper()
	all := processes(t)
	for _, root := range roots {
		for _, pid := range tree(t, root) {
			for _, p := range all {
				if p.pid == pid {
					sum += p.used
				}
			}
		}
	}
	return sum
}

// resident is the memory of a process and of all that it has started, in megabytes;
// what they share is counted once.
func resident(t testing.TB, root int) (mb float64) {
	t.Helper()
	for _, pid := range tree(t, root) {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				require.NoError(t, err)
				mb += kb / 1000
			}
		}
	}
	return mb
}
