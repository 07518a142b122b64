package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Page is a part of a list: at most Limit rows after the row with the key After;
// "" begins at the first.
type Page struct {
	After string
	Limit int
}

// list runs a query whose columns are the fields of T in their order.
func list[T any](ctx context.Context, q Querier, what, sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", what, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", what, err)
	}
	return found, nil
}

// one runs a query for a single row. The error wraps ErrNotFound.
func one[T any](ctx context.Context, q Querier, what, sql string, args ...any) (T, error) {
	var none T
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return none, fmt.Errorf("reading %s: %w", what, err)
	}
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[T])
	if err != nil {
		return none, fmt.Errorf("reading %s: %w", what, notFound(err))
	}
	return found, nil
}
