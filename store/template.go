package store

import (
	"context"
	"fmt"
)

// TemplateNo gives the number of a template's newest version. The error wraps
// ErrNotFound.
func (s *Store) TemplateNo(ctx context.Context, q Querier, name string) (int, error) {
	return templateNo(ctx, q, name, "")
}

// AppliedTemplateNo is TemplateNo when an apply that is under way is done.
func (s *Store) AppliedTemplateNo(ctx context.Context, q Querier, name string) (int, error) {
	return templateNo(ctx, q, name, " FOR SHARE")
}

func templateNo(ctx context.Context, q Querier, name, lock string) (no int, err error) {
	if err := q.QueryRow(ctx, `SELECT version_no FROM template WHERE name = $1`+lock, name).Scan(&no); err != nil {
		return 0, fmt.Errorf("looking up template %s: %w", name, notFound(err))
	}
	return no, nil
}

// TemplateFiles gives the texts of one version of a template, by file name.
func (s *Store) TemplateFiles(ctx context.Context, q Querier, name string, no int) (files map[string]string, err error) {
	if err := q.QueryRow(ctx, `SELECT files FROM template_version WHERE name = $1 AND no = $2`, name, no).Scan(&files); err != nil {
		return nil, fmt.Errorf("loading version %d of template %s: %w", no, name, notFound(err))
	}
	return files, nil
}
