package bench

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

var quiet = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

// bareVariable makes the test binary the worker of bare workflows: as Scrip's
// journeys have theirs, in a process of its own.
const bareVariable = "SCRIP_BENCH_BARE_TEMPORAL"

const bareQueue = "bare"

// bareWorkflow is what a journey can't cost less than by ordinary means: two
// activities that do nothing, a timer, and a signal that ends it. It says on standard
// output where it is: nobody has to ask Temporal.
func bareWorkflow(ctx workflow.Context) error {
	id := workflow.GetInfo(ctx).WorkflowExecution.ID
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	if err := workflow.ExecuteActivity(ctx, doNothing).Get(ctx, nil); err != nil {
		return err
	}
	timer, stop := workflow.WithCancel(ctx)
	defer stop()
	say(ctx, "waits", id)
	workflow.NewSelector(ctx).
		AddFuture(workflow.NewTimer(timer, 48*time.Hour), func(workflow.Future) {}).
		AddReceive(workflow.GetSignalChannel(ctx, "end"), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) }).
		Select(ctx)
	stop()
	err := workflow.ExecuteActivity(ctx, doNothing).Get(ctx, nil)
	say(ctx, "ends", id)
	return err
}

func doNothing(context.Context) error { return nil }

func say(ctx workflow.Context, what, id string) {
	if !workflow.IsReplaying(ctx) {
		fmt.Println(what, id)
	}
}

func workBare(address string) int {
	c, err := client.Dial(client.Options{HostPort: address, Logger: quiet})
	if err != nil {
		fmt.Fprintln(os.Stderr, "connecting the bare worker:", err)
		return 1
	}
	defer c.Close()
	worker.SetStickyWorkflowCacheSize(bareCache)
	w := worker.New(c, bareQueue, worker.Options{})
	w.RegisterWorkflow(bareWorkflow)
	w.RegisterActivity(doNothing)
	if err := w.Run(worker.InterruptCh()); err != nil {
		fmt.Fprintln(os.Stderr, "running the bare worker:", err)
		return 1
	}
	return 0
}

// bareCache is how many workflows the bare worker keeps in memory: as many as
// Scrip's worker does.
const bareCache = 256

// bare is the worker of bare workflows, and who waits for what it says.
type bare struct {
	*site
	pid     int
	waiting sync.Map // by "waits <id>" and "ends <id>": chan struct{}
}

func (s *site) openBare() *bare {
	b := &bare{site: s}
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), bareVariable+"="+s.temporal)
	command.Stderr = os.Stderr
	says, err := command.StdoutPipe()
	require.NoError(s, err)
	require.NoError(s, command.Start())
	b.pid = command.Process.Pid
	s.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	go func() {
		for lines := bufio.NewScanner(says); lines.Scan(); {
			if waiting, ok := b.waiting.LoadAndDelete(strings.TrimSpace(lines.Text())); ok {
				close(waiting.(chan struct{}))
			}
		}
	}()
	return b
}

// expect gives what is closed when the workflow is there.
func (b *bare) expect(what, id string) <-chan struct{} {
	there := make(chan struct{})
	b.waiting.Store(what+" "+id, there)
	return there
}

// one starts a bare workflow, signals it once its timer stands, and sees it end.
func (b *bare) one(ctx context.Context, n int64) error {
	id := fmt.Sprint("bare-", n)
	waits, ends := b.expect("waits", id), b.expect("ends", id)
	if _, err := b.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: bareQueue}, bareWorkflow); err != nil {
		return err
	}
	if err := wait(ctx, waits); err != nil {
		return err
	}
	time.Sleep(stands)
	if err := b.client.SignalWorkflow(ctx, id, "", "end", nil); err != nil {
		return err
	}
	return wait(ctx, ends)
}

func wait(ctx context.Context, there <-chan struct{}) error {
	select {
	case <-there:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var _ testing.TB = (*bare)(nil)
