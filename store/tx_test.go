package store

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/postgres/pgtest"
)

// ledger is a table with its transactions.
func ledger(t *testing.T) (*Store, func() int) {
	t.Parallel()
	s, err := Open(t.Context(), pgtest.URL(t), 1)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	_, err = s.Pool.Exec(t.Context(), `CREATE TABLE entry (n int PRIMARY KEY, doubled int)`)
	require.NoError(t, err)
	return s, func() (rows int) {
		require.NoError(t, s.Pool.QueryRow(t.Context(), `SELECT count(*) FROM entry`).Scan(&rows))
		return rows
	}
}

func add(tx *Tx, n int) { tx.Later("adding", `INSERT INTO entry VALUES ($1)`, n) }

func TestTx_RunsStatementsInTheirOrder(t *testing.T) {
	s, count := ledger(t)
	require.NoError(t, s.InTx(t.Context(), func(tx *Tx) error {
		add(tx, 1)
		_, err := tx.Exec(t.Context(), `UPDATE entry SET doubled = 2 * n`)
		require.NoError(t, err)
		add(tx, 2)
		var sum int
		require.NoError(t, tx.QueryRow(t.Context(), `SELECT sum(doubled) FROM entry WHERE n < $1`, 10).Scan(&sum))
		require.Equal(t, 2, sum)
		add(tx, 3)
		rows, err := tx.Query(t.Context(), `SELECT n FROM entry ORDER BY n`)
		require.NoError(t, err)
		seen, err := collect[int](rows)
		require.NoError(t, err)
		require.Equal(t, []int{1, 2, 3}, seen)
		add(tx, 4)
		copied, err := tx.CopyFrom(t.Context(), pgx.Identifier{"entry"}, []string{"n"}, pgx.CopyFromRows([][]any{{5}, {6}}))
		require.NoError(t, err)
		require.EqualValues(t, 2, copied)
		add(tx, 7)
		batch := &pgx.Batch{}
		var least, most int
		batch.Queue(`SELECT min(n) FROM entry`).QueryRow(func(row pgx.Row) error { return row.Scan(&least) })
		batch.Queue(`SELECT max(n) FROM entry`).QueryRow(func(row pgx.Row) error { return row.Scan(&most) })
		require.NoError(t, tx.SendBatch(t.Context(), batch).Close())
		require.Equal(t, []int{1, 7}, []int{least, most})
		add(tx, 8)
		return nil
	}))
	require.Equal(t, 8, count())
}

func TestTx_KeepsNothingWhereAStatementFails(t *testing.T) {
	for name, next := range map[string]func(context.Context, *Tx) error{
		"at the commit": func(context.Context, *Tx) error { return nil },
		"before a statement": func(ctx context.Context, tx *Tx) error {
			_, err := tx.Exec(ctx, `SELECT 1`)
			return err
		},
		"before rows": func(ctx context.Context, tx *Tx) error {
			_, err := tx.Query(ctx, `SELECT 1`)
			return err
		},
		"before a row": func(ctx context.Context, tx *Tx) error {
			var one int
			return tx.QueryRow(ctx, `SELECT 1`).Scan(&one)
		},
		"before a batch": func(ctx context.Context, tx *Tx) error {
			batch := &pgx.Batch{}
			batch.Queue(`SELECT 1`)
			return tx.SendBatch(ctx, batch).Close()
		},
		"before a copy": func(ctx context.Context, tx *Tx) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"entry"}, []string{"n"}, pgx.CopyFromRows([][]any{{5}}))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, count := ledger(t)
			err := s.InTx(t.Context(), func(tx *Tx) error {
				add(tx, 1)
				add(tx, 1)
				add(tx, 2)
				return next(t.Context(), tx)
			})
			require.ErrorContains(t, err, "adding: ")
			require.True(t, IsDataError(err))
			require.Zero(t, count())
		})
	}
}

func TestTx_CommitsNothingThatAnAnswerForbids(t *testing.T) {
	s, count := ledger(t)
	forbidden := errors.New("forbidden")
	err := s.InTx(t.Context(), func(tx *Tx) error {
		tx.Later("looking", `SELECT 1`).QueryRow(func(row pgx.Row) error { return forbidden })
		add(tx, 1)
		return nil
	})
	require.ErrorIs(t, err, forbidden)
	require.Zero(t, count())
}

func TestTx_RunsWithTheCommitWhatIsToBeAtTheEnd(t *testing.T) {
	s, count := ledger(t)
	require.NoError(t, s.InTx(t.Context(), func(tx *Tx) error {
		tx.AtEnd("doubling", `UPDATE entry SET doubled = 2 * n`)
		add(tx, 1)
		_, err := tx.Exec(t.Context(), `SELECT 1`)
		add(tx, 2)
		return err
	}))
	var sum int
	require.NoError(t, s.Pool.QueryRow(t.Context(), `SELECT sum(doubled) FROM entry`).Scan(&sum))
	require.Equal(t, 6, sum)

	require.NoError(t, s.InTx(t.Context(), func(tx *Tx) error {
		tx.AtEnd("adding", `INSERT INTO entry VALUES ($1)`, 3)
		return nil
	}))
	require.Equal(t, 3, count(), "also where nothing else was said")

	err := s.InTx(t.Context(), func(tx *Tx) error {
		add(tx, 4)
		tx.AtEnd("adding again", `INSERT INTO entry VALUES ($1)`, 1)
		return nil
	})
	require.ErrorContains(t, err, "adding again: ")
	require.True(t, IsDataError(err))
	require.Equal(t, 3, count())
}

func TestTx_EndsWithAnErrorOrAPanic(t *testing.T) {
	s, count := ledger(t) // one connection: it is free again
	gone := errors.New("gone")
	for _, end := range []func(){func() {}, func() { panic("gone") }} {
		func() {
			defer func() { _ = recover() }()
			require.ErrorIs(t, s.InTx(t.Context(), func(tx *Tx) error {
				add(tx, 1)
				_, err := tx.Exec(t.Context(), `SELECT 1`)
				require.NoError(t, err)
				end()
				return gone
			}), gone)
		}()
		require.Zero(t, count())
	}
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, s.InTx(ctx, func(tx *Tx) error {
		add(tx, 1)
		_, err := tx.Exec(ctx, `SELECT 1`)
		require.NoError(t, err)
		cancel()
		return nil
	}), context.Canceled)
	require.Zero(t, count())
}
