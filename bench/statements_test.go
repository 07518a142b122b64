package bench

import (
	"context"
	"flag"
	"strings"

	"github.com/stretchr/testify/require"
)

var statements = flag.Bool("statements", false, "log what Scrip's statements cost in a journey (pg_stat_statements)")

// tellStatements logs the costliest statements since the last time, for each of so
// many that were done meanwhile.
func (s *site) tellStatements(done int64) {
	if !*statements {
		return
	}
	ctx := context.Background()
	rows, err := s.Pool.Query(ctx, `SELECT calls::float8 / $1, plans::float8 / $1, total_plan_time / $1, (total_exec_time + total_plan_time) / $1, query, shared_blks_hit::float8 / $1, wal_bytes::float8 / $1
		FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 4 DESC LIMIT 60`, float64(done))
	require.NoError(s, err)
	var sum float64
	for rows.Next() {
		var calls, plans, planning, ms, blocks, wal float64
		var query string
		require.NoError(s, rows.Scan(&calls, &plans, &planning, &ms, &query, &blocks, &wal))
		sum += ms
		query = strings.Join(strings.Fields(query), " ")
		tell("%6.2f calls %7.3f ms (%5.2f plans %6.3f ms) %6.0f blocks %6.0f B: %.170s", calls, ms, plans, planning, blocks, wal, query)
	}
	require.NoError(s, rows.Err())
	tell("%.2f ms of statements each", sum)
	rows, err = s.Pool.Query(ctx, `SELECT coalesce(datname, 'shared'), CASE WHEN query ~* '^(begin|commit|rollback)' THEN 'transactions' ELSE 'rest' END, sum(calls)::float8 / $1, (sum(total_exec_time) + sum(total_plan_time)) / $1, (sum(total_plan_time)) / $1, sum(wal_bytes)::float8 / $1
		FROM pg_stat_statements LEFT JOIN pg_database ON oid = dbid GROUP BY 1, 2`, float64(done))
	require.NoError(s, err)
	for rows.Next() {
		var db, kind string
		var calls, ms, plan, wal float64
		require.NoError(s, rows.Scan(&db, &kind, &calls, &ms, &plan, &wal))
		tell("database %s %s: %.1f calls %.2f ms (planning %.2f), %.0f B of WAL", db, kind, calls, ms, plan, wal)
	}
	require.NoError(s, rows.Err())
	s.resetStatements()
}

func (s *site) resetStatements() {
	if !*statements {
		return
	}
	_, err := s.Pool.Exec(context.Background(), `CREATE EXTENSION IF NOT EXISTS pg_stat_statements`)
	require.NoError(s, err)
	_, err = s.Pool.Exec(context.Background(), `SELECT pg_stat_statements_reset()`)
	require.NoError(s, err)
}
