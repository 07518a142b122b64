package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Page is a part of a list: at most Limit rows after the row with the key After;
// "" begins at the first.
type Page struct {
	After string
	Limit int
}

// where is the conditions of a list that are asked for, and their values: a list
// that is narrowed in another way is another statement, planned for that.
type where struct {
	conditions []string
	values     []any
}

// is adds a condition on a value, unless it is empty; %s stands for the value.
func (w *where) is(condition, value string) {
	if value != "" {
		w.and(fmt.Sprintf(condition, w.value(value)))
	}
}

func (w *where) and(condition string) { w.conditions = append(w.conditions, condition) }

// value adds a value and gives what stands for it.
func (w *where) value(v any) string {
	w.values = append(w.values, v)
	return fmt.Sprint("$", len(w.values))
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(w.conditions, " AND ")
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
