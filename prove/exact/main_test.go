// Package exact proves what is promised to the last one: one journey per entry,
// one code per key and one holder per code, caps that are never passed, codes
// that only a delivery burns. The proofs run on a real Postgres, with several
// processes that are killed on the way.
package exact

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/world"
)

// childVariable tells a process of the test binary that it is a child of a proof,
// and what to do.
const childVariable = "SCRIP_EXACT_CHILD"

func TestMain(m *testing.M) {
	if task := os.Getenv(childVariable); task != "" {
		os.Exit(child(task))
	}
	world.Main(m)
}

// task is what a child process has to do. Exactly one part is set.
type task struct {
	Claim    *claimTask
	Import   *importTask
	Dispatch *dispatchTask
}

// child does a task and gives the exit code. It ends with its parent, however
// that ends: the parent holds the other end of its input.
func child(encoded string) int {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	var t task
	err := json.Unmarshal([]byte(encoded), &t)
	ctx := context.Background()
	switch {
	case err != nil:
	case t.Claim != nil:
		err = t.Claim.run(ctx)
	case t.Import != nil:
		err = t.Import.run(ctx)
	case t.Dispatch != nil:
		err = t.Dispatch.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is a child that runs.
type process struct {
	command *exec.Cmd
	input   io.Closer
	ended   chan struct{}
	err     error // set when ended is closed
}

// start runs a task in a process of its own.
func start(t testing.TB, todo task) *process {
	t.Helper()
	encoded, err := json.Marshal(todo)
	require.NoError(t, err)
	binary, err := os.Executable()
	require.NoError(t, err)
	p := &process{command: exec.Command(binary), ended: make(chan struct{})}
	p.command.Env = append(os.Environ(), childVariable+"="+string(encoded))
	p.command.Stderr = os.Stderr
	p.input, err = p.command.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, p.command.Start())
	go func() {
		p.err = p.command.Wait()
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process at once and waits until it is gone; its server processes
// in Postgres may still be at work.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.ended
	_ = p.input.Close()
}

// signal sends a signal such as SIGSTOP.
func (p *process) signal(s syscall.Signal) error { return p.command.Process.Signal(s) }

func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}
