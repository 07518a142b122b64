package process_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/process"
)

// TestMain lets the test binary play the parent that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PROCESS_TEST_PARENT"); dir != "" {
		p, err := process.Start(sleeper(dir))
		if err != nil {
			panic(err)
		}
		<-p.Done()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func sleeper(dir string) process.Command {
	return process.Command{
		Name: "the sleeper", Path: "/bin/sh", Args: []string{"-c", "echo up; exec sleep 600"},
		LogFile: filepath.Join(dir, "log"), PIDFile: filepath.Join(dir, "pid"),
	}
}

func TestStop_EndsTheChildAndForgetsItsPid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := process.Start(sleeper(dir))
	require.NoError(t, err)
	pgid, err := syscall.Getpgid(p.PID())
	require.NoError(t, err)
	require.Equal(t, p.PID(), pgid, "the child leads a group of its own")
	require.FileExists(t, filepath.Join(dir, "pid"))

	require.NoError(t, p.Stop(5*time.Second))
	require.NoError(t, p.Stop(5*time.Second))
	require.NoFileExists(t, filepath.Join(dir, "pid"))
	require.Empty(t, process.Name(p.PID()))
}

func TestStop_KillsAChildThatDoesNotListen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := sleeper(dir)
	c.Args = []string{"-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"}
	p, err := process.Start(c)
	require.NoError(t, err)
	require.NoError(t, p.Await(t.Context(), logged(dir, "deaf")))
	require.ErrorContains(t, p.Stop(50*time.Millisecond), "was killed")
}

func TestAwait_ShowsTheLogOfAChildThatEnds(t *testing.T) {
	t.Parallel()
	c := sleeper(t.TempDir())
	c.Args = []string{"-c", "echo no such thing; exit 3"}
	p, err := process.Start(c)
	require.NoError(t, err)
	err = p.Await(t.Context(), func(context.Context) error { return errors.New("not yet") })
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "no such thing")
}

func TestChild_EndsWithItsParentEvenWhenThatIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "PROCESS_TEST_PARENT="+dir)
	require.NoError(t, parent.Start())
	require.Eventually(t, func() bool { return logged(dir, "up")(t.Context()) == nil && readPID(dir) != 0 }, 10*time.Second, 10*time.Millisecond)
	pid := readPID(dir)

	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	require.Eventually(t, func() bool { return process.Name(pid) != "sleep" }, 10*time.Second, 10*time.Millisecond)
}

func TestEndLeftover_EndsAChildOfAnEarlierRunAndNobodyElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := process.Start(sleeper(dir))
	require.NoError(t, err)
	note := filepath.Join(dir, "pid")

	other := filepath.Join(dir, "other")
	require.NoError(t, os.WriteFile(other, []byte(strconv.Itoa(p.PID())+" 12345\n"), 0o600))
	require.NoError(t, process.EndLeftover(other, syscall.SIGTERM, time.Second))
	select {
	case <-p.Done():
		t.Fatal("a process that merely has the number was ended")
	default:
	}

	require.NoError(t, process.EndLeftover(note, syscall.SIGTERM, 5*time.Second))
	<-p.Done()
	require.NoError(t, process.EndLeftover(note, syscall.SIGTERM, time.Second), "nothing there is fine")
}

func TestPort_NamesThePortAndItsSetting(t *testing.T) {
	t.Parallel()
	free, err := process.Port(0, "Postgres", "--x")
	require.NoError(t, err)
	require.NotZero(t, free)
	_, err = process.Port(1<<17, "Postgres", "--postgres-port")
	require.ErrorContains(t, err, "131072")
	require.ErrorContains(t, err, "--postgres-port")
}

func TestTryLock_RefusesASecondHolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	lock, ok, err := process.TryLock(path)
	require.NoError(t, err)
	require.True(t, ok)
	_, ok, err = process.TryLock(path)
	require.NoError(t, err)
	require.False(t, ok)
	lock.Release()
	_, ok, err = process.TryLock(path)
	require.NoError(t, err)
	require.True(t, ok)
}

func TestRelease_IsNotHeldUpByAChildThatIsBeingStarted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	lock, ok, err := process.TryLock(path)
	require.NoError(t, err)
	require.True(t, ok)
	open, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	child := -1 // has what the parent has, as a child does between fork and exec
	for _, fd := range open {
		if file, err := os.Readlink(fd); err == nil && file == path {
			number, err := strconv.Atoi(filepath.Base(fd))
			require.NoError(t, err)
			child, err = syscall.Dup(number)
			require.NoError(t, err)
		}
	}
	if child < 0 {
		t.Skip("this system doesn't list a process's open files in /proc")
	}
	defer syscall.Close(child)
	lock.Release()
	_, ok, err = process.TryLock(path)
	require.NoError(t, err)
	require.True(t, ok)
}

func TestLock_IsHeldThoughNobodyRefersToIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	_, ok, err := process.TryLock(path)
	require.NoError(t, err)
	require.True(t, ok)
	// A file that is out of reach is closed by the collector, which lets go of a
	// lock on it. The second canary dies after everything that died with the first.
	for range 2 {
		collected := make(chan struct{})
		runtime.AddCleanup(new([64]byte), func(c chan struct{}) { close(c) }, collected)
		runtime.GC()
		<-collected
	}
	_, ok, err = process.TryLock(path)
	require.NoError(t, err)
	require.False(t, ok)
}

func logged(dir, line string) func(context.Context) error {
	return func(context.Context) error {
		if strings.Contains(process.Tail(filepath.Join(dir, "log"), 5), line) {
			return nil
		}
		return errors.New("not logged yet")
	}
}

func readPID(dir string) int {
	b, _ := os.ReadFile(filepath.Join(dir, "pid"))
	number, _, _ := strings.Cut(string(b), " ")
	pid, _ := strconv.Atoi(number)
	return pid
}

func TestFreePort_IsGivenOnceAndNotToOutgoingConnections(t *testing.T) {
	given := map[int]bool{}
	for range 200 {
		port, err := process.FreePort()
		require.NoError(t, err)
		require.Less(t, port, 32768, "Linux gives those from here on to outgoing connections")
		require.False(t, given[port])
		given[port] = true
	}
}
