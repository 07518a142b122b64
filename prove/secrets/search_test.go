package secrets_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// finding is a marker where it was found.
type finding struct{ kind, marker, place string }

func (f finding) String() string { return fmt.Sprintf("%s %q in %s", f.kind, f.marker, f.place) }

// look searches a text, and tells some of what stands around a marker.
func (w *world) look(place string, text []byte) (found []finding) {
	lower := strings.ToLower(string(text)) // of another length, where it isn't text
	for marker, kind := range w.markers.in(text) {
		at := strings.Index(lower, marker)
		around := ""
		if at >= 0 {
			around = lower[max(0, at-160):min(len(lower), at+100)]
		}
		found = append(found, finding{kind, marker, place + ": …" + around})
	}
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.String(), b.String()) })
	return found
}

// everythingTold is what leaves the database: logs, metrics, traces, answers to
// mistakes, and all that Temporal has.
func (w *world) everythingTold() (found []finding, workflows, events int) {
	found = w.look("the log", w.logs.text())
	found = append(found, w.look("an answer of the API to a mistake", w.answers.text())...)
	found = append(found, w.look("a trace", w.traces.text())...)
	found = append(found, w.look("the standard error output", w.erred())...)
	require.NotEmpty(w, w.answers.text())
	history, workflows, events := w.temporals()
	return append(found, history...), workflows, events
}

func (w *world) scraped() (found []finding) {
	for _, address := range w.metrics {
		answer, err := http.Get(address)
		require.NoError(w, err)
		text, err := io.ReadAll(answer.Body)
		require.NoError(w, err)
		require.NoError(w, answer.Body.Close())
		require.Contains(w, string(text), "temporal_")
		found = append(found, w.look("the metrics", text)...)
	}
	return found
}

// temporals is all that Temporal knows of every workflow: its history, what
// describes it, what it answers to queries, and what waits to be retried.
func (w *world) temporals() (found []finding, workflows, events int) {
	ctx := w.Context()
	var token []byte
	for {
		list, err := w.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{NextPageToken: token})
		require.NoError(w, err)
		for _, info := range list.GetExecutions() {
			id, run := info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()
			workflows++
			found = append(found, w.look("the list of workflows", w.clear(info))...)
			described, err := w.temporal.DescribeWorkflowExecution(ctx, id, run)
			require.NoError(w, err)
			found = append(found, w.look("the description of "+id, w.clear(described))...)
			for history := w.temporal.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); history.HasNext(); {
				event, err := history.Next()
				require.NoError(w, err)
				events++
				found = append(found, w.look(fmt.Sprintf("event %d of %s", event.GetEventId(), id), w.clear(event))...)
			}
			if info.GetType().GetName() != "Journey" || info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
				continue
			}
			for _, query := range []string{"status", "__temporal_workflow_metadata", "__stack_trace"} {
				value, err := w.temporal.QueryWorkflow(ctx, id, run, query)
				require.NoError(w, err)
				var answer converter.RawValue
				require.NoError(w, value.Get(&answer))
				found = append(found, w.look("the query "+query+" of "+id, answer.Payload().GetData())...)
			}
		}
		if token = list.GetNextPageToken(); len(token) == 0 {
			return found, workflows, events
		}
	}
}

// clear is a message as bytes, as a text, and every payload in it decrypted.
func (w *world) clear(message proto.Message) []byte {
	raw, err := proto.Marshal(message)
	require.NoError(w, err)
	text := append(raw, fmt.Sprint(message)...)
	err = proxy.VisitPayloads(w.Context(), proto.Clone(message), proxy.VisitPayloadsOptions{
		Visitor: func(_ *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
			decoded, err := w.codec.Decode(payloads)
			for _, p := range decoded {
				text = append(append(text, '\n'), p.GetData()...)
			}
			return payloads, err
		},
	})
	require.NoError(w, err)
	return text
}

// stored is every marker in every row of every table, by kind and column, and how
// many values were looked at.
func (w *world) stored() (places map[string]map[string]string, values int) {
	ctx := w.Context()
	rows, err := w.store.Pool.Query(ctx, `SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
		JOIN information_schema.tables t USING (table_schema, table_name)
		WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' ORDER BY 1, 2`)
	require.NoError(w, err)
	type column struct{ table, name, kind string }
	var columns []column
	for rows.Next() {
		var c column
		require.NoError(w, rows.Scan(&c.table, &c.name, &c.kind))
		columns = append(columns, c)
	}
	require.NoError(w, rows.Err())
	places = map[string]map[string]string{}
	for _, c := range columns {
		expression := fmt.Sprintf("convert_to(%q::text, 'UTF8')", c.name)
		if c.kind == "bytea" {
			expression = fmt.Sprintf("%q", c.name)
		}
		rows, err := w.store.Pool.Query(ctx, fmt.Sprintf("SELECT %s FROM %q WHERE %q IS NOT NULL", expression, c.table, c.name))
		require.NoError(w, err, c)
		for rows.Next() {
			var value []byte
			require.NoError(w, rows.Scan(&value))
			values++
			for marker, kind := range w.markers.in(value) {
				if places[kind] == nil {
					places[kind] = map[string]string{}
				}
				at := c.table
				if strings.HasPrefix(at, "delivery_") && c.name == "body" {
					at = "delivery" // its partitions
				}
				places[kind][at+"."+c.name] = marker
			}
		}
		require.NoError(w, rows.Err())
	}
	return places, values
}
