package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// BenchmarkJourneyTasks counts what a journey costs Temporal, and what it writes.
func BenchmarkJourneyTasks(b *testing.B) {
	s := openSite(b, carts)
	fill(s, s.Store, "cart", 1000, 0)
	s.watchEnds()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	const journeys = 20
	require.NoError(s, s.shopper(ctx, 0)) // what is made once
	before := s.written(ctx)
	for n := range int64(journeys) {
		require.NoError(s, s.shopper(ctx, n+1))
	}
	time.Sleep(2 * time.Second) // the last delivery webhooks
	rows := float64(s.written(ctx)-before) / journeys
	var id string
	require.NoError(s, s.Pool.QueryRow(ctx, `SELECT 'carts/' || id FROM journey ORDER BY created_at DESC LIMIT 1`).Scan(&id))
	count := map[enums.EventType]int{}
	var events int
	for history := s.client.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); history.HasNext(); events++ {
		event, err := history.Next()
		require.NoError(s, err)
		count[event.GetEventType()]++
	}
	stated := func(name, unit string, value float64, note string) Result {
		return Result{Name: name, Value: value, Unit: unit, Goal: "stated", Met: true, Note: note}
	}
	write(b, stated("journey_tasks", "workflow tasks", float64(count[enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]), "start to send; sent to wait; redemption to end"),
		stated("journey_activities", "activities", float64(count[enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]), fmt.Sprintf("the send; %d local ones beside", count[enums.EVENT_TYPE_MARKER_RECORDED])),
		stated("journey_events", "events", float64(events), "in the journey's history"),
		stated("journey_rows", "rows", rows, "inserted, updated or deleted in Scrip's database, hooks of delivery included"))
}

// written counts the rows that were ever written in Scrip's database.
func (s *site) written(ctx context.Context) (rows int64) {
	time.Sleep(1500 * time.Millisecond) // a connection tells of its rows once a second
	require.NoError(s, s.Pool.QueryRow(ctx, `SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables WHERE relname <> 'lease'`).Scan(&rows))
	return rows
}
