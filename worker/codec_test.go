package worker_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/codec"
	temporaldev "scrip.dev/scrip/dev/temporal"
	"scrip.dev/scrip/dev/temporal/temporaltest"
	"scrip.dev/scrip/worker"
	"scrip.dev/scrip/workflows"
)

const byHand = `
campaign: by-hand
trigger: {event: hand.wanted}
lifetime: 200d
steps:
  - tag: began
  - send: {email: hand}
  - wait: 51d
  - wait: 52d
`

// hands do a journey's steps without a database. The first tag fails, so that a
// history holds failures.
type hands struct {
	mu     sync.Mutex
	failed int
	orders []string
}

func (h *hands) Tag(context.Context, activities.Step) (activities.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed++; h.failed <= 2 {
		return activities.Result{}, temporal.NewApplicationError("tagging failed", activities.ErrorDatabase)
	}
	return activities.Result{Status: activities.Done}, nil
}

func (h *hands) Send(context.Context, activities.Step) (activities.Result, error) {
	return activities.Result{Status: activities.Done}, nil
}

func (h *hands) RecordByHand(_ context.Context, in activities.ByHandInput) (activities.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.orders = append(h.orders, in.Order)
	return activities.Result{Status: activities.Done}, nil
}

func (h *hands) recorded() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.orders...)
}

func (h *hands) Finish(_ context.Context, in activities.FinishInput) (activities.FinishResult, error) {
	return activities.FinishResult{Outcome: in.Outcome}, nil
}

// encrypted is one journey on a real server, with workers that come and go.
type encrypted struct {
	*testing.T
	address string
	id      string
	hands   *hands
}

func newEncrypted(t *testing.T) *encrypted {
	t.Parallel()
	return &encrypted{T: t, address: temporaltest.Server(t).Address, id: "by-hand/jn_" + strings.ToLower(rand.Text()[:10]), hands: &hands{}}
}

// work runs a worker with these keys; stop ends it.
func (e *encrypted) work(keys ...codec.Key) (c client.Client, stop func()) {
	e.Helper()
	c, err := worker.Dial(e.address, codec.New(keys...), slog.New(slog.DiscardHandler), client.MetricsNopHandler)
	require.NoError(e, err)
	w := sdk.New(c, e.id, sdk.Options{})
	w.RegisterWorkflowWithOptions(workflows.Journey, workflow.RegisterOptions{Name: workflows.JourneyType})
	w.RegisterActivity(e.hands)
	require.NoError(e, w.Start())
	stop = sync.OnceFunc(func() { w.Stop(); c.Close() })
	e.Cleanup(stop)
	return c, stop
}

func (e *encrypted) start(c client.Client) {
	e.Helper()
	file, problems := campaign.Parse("by-hand.yaml", []byte(byHand))
	require.Empty(e, problems.Errors())
	program, err := file.Campaigns[0].Compile(1)
	require.NoError(e, err)
	_, err = c.ExecuteWorkflow(e.Context(), client.StartWorkflowOptions{ID: e.id, TaskQueue: e.id, StaticSummary: "by-hand v1", StaticDetails: "contact `ct_1`"},
		workflows.JourneyType, workflows.JourneyInput{Journey: strings.TrimPrefix(e.id, "by-hand/"), Plan: program.Plan})
	require.NoError(e, err)
}

func (e *encrypted) eventually(done func() bool, what string) {
	e.Helper()
	require.Eventually(e, done, time.Minute, 50*time.Millisecond, what)
}

func (e *encrypted) waitsAt(c client.Client, step string) {
	e.Helper()
	e.eventually(func() bool {
		var status workflows.Status
		value, err := c.QueryWorkflow(e.Context(), e.id, "", workflows.QueryStatus)
		return err == nil && value.Get(&status) == nil && status.Step == step && status.Waiting != ""
	}, step)
}

// cli runs Temporal's own tool.
func (e *encrypted) cli(args ...string) string {
	e.Helper()
	path, err := temporaldev.CLI(e.Context(), nil)
	require.NoError(e, err)
	out, err := exec.CommandContext(e.Context(), path, append(args, "-w", e.id, "--address", e.address)...).CombinedOutput()
	require.NoError(e, err, string(out))
	return string(out)
}

// history is what the CLI shows, with the flags named.
func (e *encrypted) history(flags ...string) *historypb.History {
	e.Helper()
	shown := e.cli(append([]string{"workflow", "show", "-o", "json"}, flags...)...)
	history, err := client.HistoryFromJSON(strings.NewReader(shown), client.HistoryJSONOptions{})
	require.NoError(e, err)
	return history
}

// read gives all that a history says, the texts of its payloads included, and how
// many payloads are encrypted with which key; "" is clear text.
func (e *encrypted) read(history *historypb.History) (text string, keys map[string]int) {
	e.Helper()
	text, keys = history.String(), map[string]int{}
	require.NoError(e, proxy.VisitPayloads(e.Context(), history, proxy.VisitPayloadsOptions{
		SkipSearchAttributes: true,
		Visitor: func(_ *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
			for _, p := range payloads {
				keys[string(p.GetMetadata()["encryption-key-id"])]++
				text += string(p.GetData())
			}
			return payloads, nil
		},
	}))
	return text, keys
}

func newKey(t *testing.T, id string) codec.Key {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	key, err := codec.NewKey(id, base64.StdEncoding.EncodeToString(raw[:]))
	require.NoError(t, err)
	return key
}

// said are words that stand in the payloads of every such journey: its plan, its
// summary, a failure's text.
var said = []string{"send_email_hand", "wait 51d", "by-hand v1", "contact `ct_1`", "tagging failed"}

func TestCodec_HistoriesHoldCiphertextBeforeAndAfterAKeyChange(t *testing.T) {
	e := newEncrypted(t)
	old, next := newKey(t, "old"), newKey(t, "next")
	c, stop := e.work(old)
	e.start(c)
	e.waitsAt(c, "wait_51d")

	text, keys := e.read(e.history())
	for _, word := range said {
		require.NotContains(t, text, word)
	}
	require.Equal(t, []string{"old"}, ids(keys), "nothing is in clear text")

	server := httptest.NewServer(codec.Server(codec.ServerOptions{Codec: codec.New(old)}))
	defer server.Close()
	text, _ = e.read(e.history("--codec-endpoint", server.URL))
	for _, word := range said {
		require.Contains(t, text, word)
	}
	require.Contains(t, e.cli("workflow", "query", "--type", "status", "--codec-endpoint", server.URL), "wait_51d")
	stop()

	c, _ = e.work(next, old)
	both := httptest.NewServer(codec.Server(codec.ServerOptions{Codec: codec.New(next, old), Token: "let-me-in"}))
	defer both.Close()
	endpoint := []string{"--codec-endpoint", both.URL, "--codec-auth", "Bearer let-me-in"}
	e.cli("workflow", "signal", "--name", "redeemed", "--input", `{"order":"1001"}`)
	e.cli(append([]string{"workflow", "signal", "--name", "redeemed", "--input", `{"order":"1002"}`}, endpoint...)...)
	e.eventually(func() bool { return len(e.hands.recorded()) == 2 }, "both signals to be recorded")
	require.Equal(t, []string{"1001", "1002"}, e.hands.recorded())
	e.cli("workflow", "signal", "--name", "skip")
	e.waitsAt(c, "wait_52d")
	_, keys = e.read(e.history())
	require.Equal(t, []string{"", "next", "old"}, ids(keys))
	require.Equal(t, 1, keys[""], "what a person signalled in clear text")
	text, _ = e.read(e.history(endpoint...))
	for _, word := range append(said, "wait 52d", "1001", "1002") {
		require.Contains(t, text, word)
	}
	e.cli("workflow", "signal", "--name", "exit", "--input", `{"outcome":"called_us"}`)
	var result workflows.JourneyResult
	require.NoError(t, c.GetWorkflow(t.Context(), e.id, "").Get(t.Context(), &result))
	require.Equal(t, "called_us", result.Outcome)
}

func ids(counted map[string]int) []string {
	var all []string
	for _, id := range []string{"", "next", "old"} {
		if counted[id] > 0 {
			all = append(all, id)
		}
	}
	return all
}

func TestCodec_AWorkerWithoutTheKeyHoldsJourneysAndSignalsInsteadOfEndingThem(t *testing.T) {
	e := newEncrypted(t)
	key := newKey(t, "only")
	c, stop := e.work(key)
	e.start(c)
	e.waitsAt(c, "wait_51d")
	stop()

	keyless, stop := e.work()
	encrypting, err := worker.Dial(e.address, codec.New(key), slog.New(slog.DiscardHandler), client.MetricsNopHandler)
	require.NoError(t, err)
	defer encrypting.Close()
	require.NoError(t, encrypting.SignalWorkflow(t.Context(), e.id, "", workflows.SignalRedeemed, workflows.Redeemed{Order: "1001"}))
	e.eventually(func() bool {
		events := e.history().GetEvents()
		return events[len(events)-1].GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED
	}, "the workflow task to fail")
	described, err := keyless.DescribeWorkflowExecution(t.Context(), e.id, "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, described.GetWorkflowExecutionInfo().GetStatus())
	stop()

	e.work(key)
	e.eventually(func() bool { return len(e.hands.recorded()) == 1 }, "the signal to be heard")
}
