package store

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/postgres/pgtest"
)

func TestAssignmentsOfACode_AreFoundByIndexHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), pgtest.URL(t), 4)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.NoError(t, s.Migrate(t.Context()))
	_, err = s.Pool.Exec(t.Context(), `INSERT INTO assignment (claim_key, coupon_id, batch_id, pos) SELECT n::text, 1, 1, n FROM generate_series(1, 20000) n`)
	require.NoError(t, err)
	_, err = s.Pool.Exec(t.Context(), `ANALYZE assignment`)
	require.NoError(t, err)
	for name, where := range map[string]string{"livingAt": livingAt, "everAt": everAt, "holdersOf": strings.ReplaceAll(holdersOf, "$3", "'ct_1'")} {
		where = strings.NewReplacer("$1", "1", "$2", "77").Replace(where)
		rows, err := s.Pool.Query(t.Context(), `EXPLAIN SELECT 1 FROM assignment a WHERE `+where)
		require.NoError(t, err)
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.NotContains(t, strings.Join(plan, "\n"), "Seq Scan on assignment", name)
	}
}
