package attack_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
)

// endless is a body of n bytes that takes no memory here: lines of 32 KiB of
// nothing.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.left)
	for i := range p[:n] {
		p[i] = ' '
		if (e.left-int64(i))%(32<<10) == 0 {
			p[i] = '\n'
		}
	}
	e.left -= n
	return int(n), nil
}

// pour sends a body of a size, with its length said or not, and gives the answer.
func (at *target) pour(a attacked, size int64, chunked bool) reply {
	at.Helper()
	var sent io.Reader = &endless{size}
	if header := "email\n"; a.kind == "text/csv" { // without it nothing behind it is read
		sent = io.MultiReader(strings.NewReader(header), &endless{size - int64(len(header))})
	}
	request, err := http.NewRequestWithContext(at.Context(), a.call.method, at.url+a.call.path, sent)
	require.NoError(at, err)
	request.Header.Set("Authorization", "Bearer "+at.admin)
	request.Header.Set("Content-Type", "application/json")
	if a.kind != "" {
		request.Header.Set("Content-Type", a.kind)
	}
	if request.ContentLength = size; chunked {
		request.ContentLength = -1
	}
	refused := at.refused()
	answer, err := unhurried.Do(request)
	if err != nil {
		// The server answers and closes before it has read all of it, which can cut
		// its answer off. It counts what it answered, and goes on.
		require.Eventually(at, func() bool { return at.refused() == refused+1 }, time.Minute, 10*time.Millisecond, "%s: no refusal was counted: %v", a.name, err)
		require.Equal(at, http.StatusOK, at.do(call{method: "GET", path: "/healthz"}).status)
		return reply{status: http.StatusRequestEntityTooLarge, body: `{"code": "body_too_large"}`}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(at, err)
	return reply{answer.StatusCode, answer.Header, string(body)}
}

// unhurried also sends what takes its time.
var unhurried = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Minute}

var tooLarge = regexp.MustCompile(`(?m)^scrip_http_request_seconds_count\{.*status="413"\} (\d+)$`)

// refused is how many bodies the starter has counted as too large, on all routes.
func (at *target) refused() (n int) {
	at.Helper()
	got := at.do(call{method: "GET", path: "/metrics"})
	require.Equal(at, http.StatusOK, got.status)
	for _, found := range tooLarge.FindAllStringSubmatch(got.body, -1) {
		of, err := strconv.Atoi(found[1])
		require.NoError(at, err)
		n += of
	}
	return n
}

func TestBodies_LargerThanARouteTakesAreRefused(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	f := at.furnish()
	limits := map[string]int64{"POST /v1/apply": 24 << 20, "POST /v1/events": 5 << 20, "POST /v1/templates/{name}/preview": 4 << 20, "POST /v1/send-test": 4 << 20}
	before, tried := at.everything(), 0
	for _, a := range at.described(f) {
		if a.body == "" || a.kind != "" { // of imports below
			continue
		}
		limit, known := limits[a.name]
		if !known {
			limit = 1 << 20
		}
		for _, chunked := range []bool{false, true} {
			got := at.pour(a, limit+1, chunked)
			require.Equal(t, http.StatusRequestEntityTooLarge, got.status, "%s, chunked %v: %s", a.name, chunked, got.body)
			require.Equal(t, "body_too_large", got.code(), a.name)
			tried++
			if limit == 1<<20 || proof.Full() {
				within := at.pour(a, limit-1, chunked)
				require.NotEqual(t, http.StatusRequestEntityTooLarge, within.status, "%s takes less than it says", a.name)
			}
		}
	}
	for _, s := range at.signers() {
		for _, chunked := range []bool{false, true} {
			got := at.pour(attacked{call: call{method: "POST", path: s.sign(s.first, 1, time.Now()).path}}, 1<<20+1, chunked)
			require.Equal(t, http.StatusRequestEntityTooLarge, got.status, "%s took a body larger than it says: %s", s.kind, got.body)
			tried++
		}
	}
	require.Equal(t, before, at.everything())
	require.Greater(t, tried, 30)
	require.Equal(t, tried, at.refused(), "each refusal is counted")
}

// An import is read as it comes, up to its limit and not beyond. It runs alone: what
// it takes of memory is measured.
func TestBodies_AnImportIsReadAsItComesAndUpToItsLimit(t *testing.T) {
	if !proof.Full() {
		t.Skip("half a gigabyte is streamed three times: by `make prove`")
	}
	const limit = 512 << 20
	at := newTarget(t, aim{})
	f := at.furnish()
	tried := 0
	for _, a := range at.described(f) {
		if a.kind == "" {
			continue
		}
		before := allocated()
		for _, chunked := range []bool{false, true} {
			got := at.pour(a, limit+1, chunked)
			require.Equal(t, http.StatusRequestEntityTooLarge, got.status, "%s took a file larger than it says: %.300s", a.name, got.body)
			require.Equal(t, "body_too_large", got.code(), a.name)
			tried++
		}
		if a.kind == "text/plain" {
			within := at.pour(a, limit, true)
			require.Equal(t, http.StatusOK, within.status, "%s takes less than it says: %.300s", a.name, within.body)
		}
		held := (allocated() - before) >> 20
		t.Logf("%s: %d MB allocated altogether", a.name, held)
		require.Less(t, held, uint64(4*limit>>20), "%s takes the file into memory", a.name)
	}
	require.Equal(t, 4, tried)
	require.Equal(t, tried, at.refused(), "each refusal is counted")
	proof.Found(t, proof.Finding{Tried: "imports of 512 MiB and a byte, with their length said and not", Times: tried, Found: "each refused with 413 and counted; 512 MiB itself is taken"})
}

// deep nests a JSON value.
func deep(levels int) string {
	return strings.Repeat("[", levels) + strings.Repeat("]", levels)
}

func deepObject(levels int) string {
	return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels)
}

func TestBodies_NestedDeeplyStopNothing(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	f := at.furnish()
	for _, a := range at.described(f) {
		if a.body == "" || a.kind != "" {
			continue
		}
		for _, body := range []string{deep(100_000), deepObject(100_000), strings.Repeat("[", 500_000), `{"fields":` + deepObject(9_000) + `}`, a.body[:len(a.body)-1] + `,"fields":` + deep(9_990) + `}`} {
			c := a.call
			c.body, c.key = body, at.admin
			got := at.do(c)
			require.GreaterOrEqual(t, got.status, 400, "%s took %.40s", a.name, body)
			require.Less(t, got.status, 500, "%s of %.40s: %s", a.name, body, got.body)
			noLeak(t, a.name, got)
		}
	}
	require.Equal(t, http.StatusOK, at.do(call{method: "GET", path: "/healthz"}).status)
}

// It runs alone: what each bomb takes of time and memory is measured.
func TestBodies_FilesThatAreBombsStopNothing(t *testing.T) {
	at := newTarget(t, aim{})
	at.furnish()
	laughs := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for n := 1; n < 10; n++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", n, n, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", n-1), 10), ","))
	}
	bombs := map[string]string{
		"laughs":           laughs + "campaign: x\nsteps: *a9\n",
		"flow":             "campaign: x\nsteps: " + deep(100_000),
		"flow open":        "campaign: x\nsteps: " + strings.Repeat("[", 400_000),
		"flow maps":        "campaign: x\nsteps: " + strings.Repeat("{a: ", 100_000) + strings.Repeat("}", 100_000),
		"dashes":           "campaign: x\nsteps:\n  " + strings.Repeat("- ", 100_000) + "x\n",
		"question marks":   "campaign: x\nsteps:\n  " + strings.Repeat("? ", 100_000) + "x\n",
		"block":            "campaign: x\nsteps:\n" + stairs(1300),
		"itself":           "campaign: x\nsteps: &a [*a, *a]\n",
		"merge":            "a: &a {<<: *a}\ncampaign: x\n",
		"documents":        strings.Repeat("---\ncampaign: x\n", 60_000),
		"keys":             strings.Repeat("? a\n", 200_000),
		"tags":             "campaign: " + strings.Repeat("!!str ", 100_000) + "x\n",
		"anchors":          strings.Repeat("&a ", 100_000) + "x\n",
		"condition":        "campaign: x\ntrigger: {event: order.paid, where: '" + strings.Repeat("(", 2000) + "true" + strings.Repeat(")", 2000) + "'}\nsteps: [{send: {email: hello}}]\n",
		"condition, lists": "campaign: x\ntrigger: {event: order.paid, where: '" + strings.Repeat("[", 1500) + strings.Repeat("]", 1500) + " == []'}\nsteps: [{send: {email: hello}}]\n",
	}
	before := at.everything()
	for name, bomb := range bombs {
		at.bomb(name, "/v1/apply", map[string]any{"files": map[string]string{"campaigns/x.yaml": bomb}})
	}
	templates := map[string]string{
		"ifs":            strings.Repeat("{% if true %}", 50_000) + strings.Repeat("{% endif %}", 50_000),
		"fors":           strings.Repeat("{% for a in (1..1000) %}", 12) + "x" + strings.Repeat("{% endfor %}", 12),
		"range":          "{% for a in (1..2000000000) %}x{% endfor %}",
		"open":           strings.Repeat("{% if a %}", 50_000),
		"captures":       "{% assign s = 'xxxxxxxxxx' %}" + strings.Repeat("{% capture s %}{{ s }}{{ s }}{{ s }}{{ s }}{% endcapture %}", 30) + "{{ s }}",
		"appends":        "{% assign s = 'xxxxxxxxxx' %}" + strings.Repeat("{% assign s = s | append: s %}", 60) + "{{ s }}",
		"replaces":       "{% assign s = 'xxxxxxxxxx' %}" + strings.Repeat("{% assign s = s | replace: 'x', 'xxxxxxxxxx' %}", 30) + "{{ s }}",
		"filters":        "{{ 'x'" + strings.Repeat(" | upcase", 100_000) + " }}",
		"brackets":       "{{ a" + strings.Repeat("[a", 50_000) + strings.Repeat("]", 50_000) + " }}",
		"layout, itself": "---\nlayout: hello\n---\nx",
		"front matter":   "---\nsubject: " + deep(100_000) + "\n---\nx",
		"laughs":         "---\n" + laughs + "---\nx",
	}
	for name, bomb := range templates {
		for _, file := range proof.Size([]string{"sms.txt"}, []string{"email.html", "email.txt", "sms.txt"}) {
			at.bomb(name, "/v1/templates/hello/preview", map[string]any{"files": map[string]string{file: bomb}})
			at.bomb(name, "/v1/apply", map[string]any{"dry_run": true, "files": map[string]string{"templates/x/" + file: bomb}})
		}
	}
	require.Equal(t, before, at.everything(), "a bomb was applied")
	require.NotContains(t, at.log.text(), "panic")
}

// bomb sends files; a bad one may be refused or come to nothing, and the starter
// goes on.
func (at *target) bomb(name, path string, body map[string]any) {
	at.Helper()
	encoded, err := json.Marshal(body)
	require.NoError(at, err)
	begun, before := worked(at), allocated()
	got := at.do(call{method: "POST", path: path, key: at.admin, body: string(encoded)})
	took, grew := worked(at)-begun, (allocated()-before)>>20
	at.Logf("%-16s %-28s %d bytes: %d in %s of work, %d MB allocated", name, path, len(encoded), got.status, took.Round(time.Millisecond), grew)
	require.Less(at, took, 20*time.Second, "%s: it takes too much work", name)
	require.Less(at, grew, uint64(1<<10), "%s: it takes too much memory", name)
	require.Less(at, got.status, 500, "%s: %s", name, got.body)
	require.Less(at, len(got.body), 4<<20, "%s: a bomb came out of the other side", name)
	noLeak(at, name, got)
}

// worked is the processors' time that this process has had: unlike the clock's it
// doesn't grow with what else the machine does.
func worked(t testing.TB) time.Duration {
	t.Helper()
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// allocated is all that this process ever took of memory, also what it gave back.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// stairs nests mappings by indentation.
func stairs(levels int) string {
	var b strings.Builder
	for n := range levels {
		b.WriteString(strings.Repeat(" ", n+2) + "a:\n")
	}
	return b.String()
}

func TestBodies_ThatAreCompressedAreNeverInflated(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	f := at.furnish()
	var bomb bytes.Buffer
	pack := gzip.NewWriter(&bomb)
	_, err := io.Copy(pack, &endless{128 << 20})
	require.NoError(t, err)
	require.NoError(t, pack.Close())
	require.Less(t, bomb.Len(), 200<<10)
	staying := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	t.Cleanup(staying.CloseIdleConnections)
	before := at.everything()
	memory := allocated()
	for _, encoding := range proof.Size([]string{"gzip", "br"}, []string{"gzip", "deflate", "br", "zstd", "x-gzip", "GZIP", "identity, gzip", "gzip, gzip"}) {
		for _, a := range at.described(f) {
			if a.body != "" {
				c := a.call
				c.body, c.key, c.header = bomb.String(), at.admin, a.call.header.Clone()
				// On a connection that stays the server reads the rest of what it has
				// refused; else its answer could be cut off.
				c.client = staying
				c.header.Set("Content-Encoding", encoding)
				got := at.do(c)
				require.Equal(t, http.StatusUnsupportedMediaType, got.status, "%s: %s", a.name, got.body)
				require.Equal(t, "unsupported_encoding", got.code())
			}
		}
		for _, s := range at.signers() {
			at.forge(s.kind+" that says "+encoding, s.sign(s.first, 1, time.Now()).changed("Content-Encoding", encoding), http.StatusUnsupportedMediaType)
		}
	}
	require.Less(t, (allocated()-memory)>>20, uint64(2<<10), "something was inflated")
	require.Equal(t, before, at.everything())
	// Bytes that are compressed without saying so are bytes.
	squeezed := at.do(call{method: "POST", path: "/v1/events", key: at.admin, body: bomb.String()})
	require.Equal(t, "invalid_event", squeezed.code(), squeezed.body)
}

func TestBodies_OfAWrongContentTypeAreNotRead(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	f := at.furnish()
	before := at.everything()
	for _, a := range at.described(f) {
		if a.body == "" || a.name == "POST /v1/events" { // whose body is JSON whatever it is called
			continue
		}
		for _, kind := range []string{"text/html", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/jsonx", "image/svg+xml", "application/cbor", "application/yaml"} {
			c := a.call
			c.key, c.header = at.admin, http.Header{"Content-Type": {kind}}
			got := at.do(c)
			require.Contains(t, []int{http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}, got.status, "%s as %s: %s", a.name, kind, got.body)
			noLeak(t, a.name, got)
		}
	}
	require.Equal(t, before, at.everything())
}

func TestBodies_ThatAHookTookNestedDeeplyEndAsEventsOrDeadLetters(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	sent := 0
	for _, levels := range []int{100, 5_000, 9_990, 100_000} {
		for _, nested := range []string{deep(levels), deepObject(levels)} {
			for _, c := range []struct {
				path, body string
			}{
				{"/hooks/till", `{"type": "order.paid", "fields": {"x": ` + nested + `}}`},
				{"/hooks/till", `{"type": "order.paid", "contact": {"email": "anna@example.com", "attributes": {"x": ` + nested + `}}}`},
				{"/hooks/till", nested},
				{"/hooks/till", `[` + strings.Repeat(`{"type": "order.paid"},`, 999) + `{"type": "order.paid", "fields": {"x": ` + nested + `}}]`},
			} {
				got := at.send(hook{c.path, c.body, http.Header{"X-Till-Secret": {"first-till-secret"}}})
				require.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, got.status, "%d levels: %s", levels, got.body)
				if got.status == http.StatusOK {
					sent++
				}
			}
		}
	}
	require.Greater(t, sent, 15)
	good := at.send(at.secret("till", 4711, time.Now()))
	require.Equal(t, http.StatusOK, good.status)

	begun, before := time.Now(), allocated()
	at.dispatch()
	t.Logf("%d nested webhooks in %s, %d MB allocated", sent, time.Since(begun).Round(time.Millisecond), (allocated()-before)>>20)
	require.Less(t, (allocated()-before)>>20, uint64(4<<10))
	dead := value[int](at, `SELECT count(*) FROM dead_letter`)
	read := value[int](at, `SELECT count(DISTINCT delivery_id) FROM event`)
	require.Equal(t, sent+1, dead+read, "each ended as an event or as a dead letter")
	require.Equal(t, 1, value[int](at, `SELECT count(*) FROM event WHERE fields->>'id' = 'T-4711'`), "the good one behind them came through")
	proof.Found(t, proof.Finding{Tried: "webhooks nested up to 9,990 levels through the dispatcher", Times: sent, Found: fmt.Sprintf("%d became events, %d dead letters, the one behind them was dispatched", read-1, dead)})
}

// dispatch runs the real dispatcher until the queue is empty.
func (at *target) dispatch() {
	at.Helper()
	ctx, stop := context.WithCancel(at.Context())
	d := &starter.Dispatcher{Store: at.store, Sources: at.connections, Temporal: nowhere{}, Zone: time.UTC, Holder: "attack", Woken: at.inbox.Woken(),
		Metrics: starter.NewInboxMetrics(nil), Log: slog.New(slog.NewTextHandler(at.log, nil))}
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	require.Eventually(at, func() bool { return value[int](at, `SELECT count(*) FROM delivery_queue`) == 0 }, 2*time.Minute, 20*time.Millisecond)
	stop()
	<-done
}

// nowhere takes what Temporal would be told.
type nowhere struct{}

func (nowhere) Start(_ context.Context, _ store.OutboxRow) error  { return nil }
func (nowhere) Signal(_ context.Context, _ store.OutboxRow) error { return nil }
func (nowhere) Cancel(_ context.Context, _ store.OutboxRow) error { return nil }
