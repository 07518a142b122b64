package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Tx is one transaction. The database gets its statements in the order in which they
// are given, but those whose answer nobody waits for go with the next one whose answer
// somebody does, in one round trip: BEGIN, what was given to Later, and COMMIT.
type Tx struct {
	conn    *pgx.Conn
	waiting []unsent
	last    []unsent // goes with COMMIT
}

// unsent is a statement that goes with the next one.
type unsent struct {
	doing string
	*pgx.QueuedQuery
}

// InTx runs do in one transaction and commits it unless do fails.
func (s *Store) InTx(ctx context.Context, do func(*Tx) error) error {
	conn, err := s.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("getting a connection: %w", err)
	}
	defer conn.Release()
	return transact(ctx, conn.Conn(), do)
}

// inTx runs do in the transaction that q is, or in one of its own where q is the pool.
func (s *Store) inTx(ctx context.Context, q Querier, do func(*Tx) error) error {
	if tx, ok := q.(*Tx); ok {
		return do(tx)
	}
	return s.InTx(ctx, do)
}

func transact(ctx context.Context, conn *pgx.Conn, do func(*Tx) error) error {
	defer func() {
		if conn.PgConn().TxStatus() != 'I' {
			_, _ = conn.Exec(ctx, `rollback`) // where this fails, too, the pool drops the connection
		}
	}()
	tx := &Tx{conn: conn}
	tx.Later("beginning a transaction", `begin`)
	if err := do(tx); err != nil {
		return err
	}
	return tx.commit(ctx)
}

// commit ends the transaction. One in which nothing was said never began.
func (tx *Tx) commit(ctx context.Context) error {
	if len(tx.waiting) == 1 && len(tx.last) == 0 && tx.conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	if slices.ContainsFunc(tx.waiting, func(u unsent) bool { return u.Fn != nil }) {
		// An answer that somebody looks at may forbid the commit.
		if err := tx.with(ctx, nil).Close(); err != nil {
			return err
		}
	}
	tx.waiting = append(tx.waiting, tx.last...)
	tag, err := tx.Exec(ctx, `commit`)
	if err == nil && tag.String() == "ROLLBACK" {
		err = pgx.ErrTxCommitRollback
	}
	return err
}

// Later runs a statement whose answer nobody waits for; a function that is given to
// what it returns looks at the answer when it is there, by the transaction's end. Where
// one of them fails, whatever comes next in the transaction fails with its error,
// wrapped as doing it.
func (tx *Tx) Later(doing, sql string, args ...any) *pgx.QueuedQuery {
	statement := &pgx.QueuedQuery{SQL: sql, Arguments: args}
	tx.waiting = append(tx.waiting, unsent{doing, statement})
	return statement
}

// AtEnd runs a statement together with COMMIT: one that locks a row which many want
// locks it for no longer than it takes.
func (tx *Tx) AtEnd(doing, sql string, args ...any) {
	tx.last = append(tx.last, unsent{doing, &pgx.QueuedQuery{SQL: sql, Arguments: args}})
}

// later runs a batch whose answers nobody waits for: where q is a transaction, as
// Later does, else at once.
func later(ctx context.Context, q Querier, doing string, batch *pgx.Batch) error {
	if tx, ok := q.(*Tx); ok {
		for _, statement := range batch.QueuedQueries {
			tx.waiting = append(tx.waiting, unsent{doing, statement})
		}
		return nil
	}
	if err := q.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// laterOne is later for one statement.
func laterOne(ctx context.Context, q Querier, doing, sql string, args ...any) error {
	batch := &pgx.Batch{}
	batch.Queue(sql, args...)
	return later(ctx, q, doing, batch)
}

// Exec runs a statement.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if len(tx.waiting) == 0 {
		return tx.conn.Exec(ctx, sql, args...)
	}
	results := tx.with(ctx, []*pgx.QueuedQuery{{SQL: sql, Arguments: args}})
	tag, err := results.Exec()
	if closed := results.Close(); err == nil {
		err = closed
	}
	return tag, err
}

// Query runs a statement that gives rows. They are read or closed before the next one.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if len(tx.waiting) == 0 {
		return tx.conn.Query(ctx, sql, args...)
	}
	results := tx.with(ctx, []*pgx.QueuedQuery{{SQL: sql, Arguments: args}})
	rows, err := results.Query()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	return &lastRows{Rows: rows, results: results}, nil
}

// QueryRow runs a statement that gives one row. Its error is Scan's.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := tx.Query(ctx, sql, args...)
	return &onlyRow{rows, err}
}

// SendBatch runs statements in one round trip. It is closed before the next one.
func (tx *Tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return tx.with(ctx, b.QueuedQueries)
}

// CopyFrom writes rows.
func (tx *Tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	if err := tx.with(ctx, nil).Close(); err != nil {
		return 0, err
	}
	return tx.conn.CopyFrom(ctx, table, columns, src)
}

// with sends what waits and then some statements, whose results it gives.
func (tx *Tx) with(ctx context.Context, statements []*pgx.QueuedQuery) pgx.BatchResults {
	batch, waited := &pgx.Batch{}, tx.waiting
	tx.waiting = nil
	for _, w := range waited {
		batch.QueuedQueries = append(batch.QueuedQueries, w.QueuedQuery)
	}
	batch.QueuedQueries = append(batch.QueuedQueries, statements...)
	results := tx.conn.SendBatch(ctx, batch)
	for _, w := range waited {
		if err := w.answer(results); err != nil {
			_ = results.Close()
			return pgx.FailedBatchResults(batch, fmt.Errorf("%s: %w", w.doing, err))
		}
	}
	return results
}

func (u unsent) answer(results pgx.BatchResults) error {
	if u.Fn != nil {
		return u.Fn(results)
	}
	_, err := results.Exec()
	return err
}

// lastRows are the rows of a batch's last statement; the batch ends with them.
type lastRows struct {
	pgx.Rows
	results pgx.BatchResults
	err     error
}

func (r *lastRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *lastRows) Close() {
	r.Rows.Close()
	if err := r.results.Close(); r.err == nil {
		r.err = err
	}
}

func (r *lastRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

// onlyRow is a row that is there once.
type onlyRow struct {
	rows pgx.Rows
	err  error
}

func (r *onlyRow) Scan(into ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(into...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
