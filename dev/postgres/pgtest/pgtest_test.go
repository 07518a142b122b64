package pgtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/postgres/pgtest"
)

var filled = pgtest.Template{Prepare: func(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `CREATE TABLE item (id int PRIMARY KEY)`)
	return err
}}

func TestTemplate_GivesEachTestADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	for range 4 {
		t.Run("a test", func(t *testing.T) {
			t.Parallel()
			_, err := filled.New(t).Exec(t.Context(), `INSERT INTO item VALUES (1)`)
			require.NoError(t, err)
		})
	}
}

func TestNew_GivesAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	var tables int
	require.NoError(t, pgtest.New(t).QueryRow(t.Context(),
		`SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables))
	require.Zero(t, tables)
}
