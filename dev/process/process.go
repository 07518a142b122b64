// Package process runs the servers that Scrip needs on a developer's machine as
// children that never outlive it.
//
// A child runs in a process group of its own, so that Ctrl-C in the terminal
// reaches Scrip alone and Scrip stops its parts in order. It writes to a log
// file, not through its parent, and leaves a note of its pid, by which the next
// run finds and ends it, should it have been left behind.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Command says what to run.
type Command struct {
	Name string   // what it is called in errors: "Postgres"
	Path string   // the executable
	Args []string // without the executable's name
	Env  []string // nil: the parent's
	Dir  string   // working directory; empty: the parent's

	LogFile string // where its output is appended; set aside as LogFile.1 beyond 10 MB
	PIDFile string // where its pid is noted while it runs

	// StopSignal asks the child to end, from Stop and, on Linux, from the kernel
	// when this process dies. Zero means SIGTERM.
	StopSignal syscall.Signal

	Account Account // whom it runs as; the zero value is the parent's own account
}

// Account is whom a child runs as when its parent is root.
type Account struct {
	// Namespace runs the child in a user namespace in which root is uid 1000: it
	// owns what root owns and yet isn't root. Linux only.
	Namespace bool
	// UID and GID are the user to become; zero means no change.
	UID, GID uint32
}

// Process is a running child.
type Process struct {
	cmd  Command
	proc *os.Process
	done chan struct{}
	err  error // how it ended; read after done is closed
}

// Start runs the command. It returns once the child exists, not once it works;
// see Await for that.
func Start(c Command) (*Process, error) {
	if c.StopSignal == 0 {
		c.StopSignal = syscall.SIGTERM
	}
	log, err := openLog(c.LogFile)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	defer log.Close()

	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.Env, c.Dir, log, log
	cmd.SysProcAttr = attributes(c)

	p := &Process{cmd: c, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(cmd, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	return p, nil
}

// run starts the child and waits for it on one OS thread, because Linux sends
// the parent-death signal when the thread that forked ends, not the process.
func (p *Process) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	release, err := guard(cmd.Process.Pid, p.cmd.StopSignal)
	if err == nil {
		err = writePID(p.cmd.PIDFile, cmd.Process.Pid)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		started <- err
		return
	}
	p.proc = cmd.Process
	started <- nil

	p.err = cmd.Wait()
	release()
	if p.cmd.PIDFile != "" {
		_ = os.Remove(p.cmd.PIDFile)
	}
	close(p.done)
}

// PID is the child's process id.
func (p *Process) PID() int { return p.proc.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop asks the child to end, waits for it, and kills its whole group when it
// has not ended within the grace period. It may be called again.
func (p *Process) Stop(grace time.Duration) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	_ = p.proc.Signal(p.cmd.StopSignal)
	select {
	case <-p.done:
		return nil
	case <-time.After(grace):
	}
	killGroup(p.proc.Pid)
	<-p.done
	return fmt.Errorf("stopping %s: it had not ended after %s and was killed; its log is %s", p.cmd.Name, grace, p.cmd.LogFile)
}

// Kill ends the child and everything it started at once, as a crash would, and
// returns when it is gone.
func (p *Process) Kill() {
	killGroup(p.proc.Pid)
	<-p.done
}

// Await polls probe until it succeeds. It fails when the child ends first, with
// the last lines of its log, or when ctx ends.
func (p *Process) Await(ctx context.Context, probe func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("starting %s: it ended at once (%v)\n%s", p.cmd.Name, p.exit(), Tail(p.cmd.LogFile, 12))
		case <-ctx.Done():
			return fmt.Errorf("starting %s: it does not answer (%w); its log is %s", p.cmd.Name, errors.Join(ctx.Err(), err), p.cmd.LogFile)
		case <-tick.C:
		}
	}
}

func (p *Process) exit() error {
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}

// Run runs a command to its end as the given account and returns its output; an
// error carries it. Paths in args are absolute.
func Run(ctx context.Context, a Account, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/" // the account may not be allowed to look at the parent's
	cmd.SysProcAttr = attributes(Command{Account: a, StopSignal: syscall.SIGKILL})
	// The parent-death signal belongs to the thread that forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("running %s: %w\n%s", filepath.Base(path), err, out)
	}
	return string(out), nil
}
