package campaign

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
)

// Reads lists what the condition reads, as dotted paths: event.total,
// contact.tags. Each stands once, in the order of the expression.
func (c *Condition) Reads() []string { return c.reads }

// readsOf collects the outermost selections that begin with a variable.
func readsOf(expr ast.Expr) []string {
	var reads []string
	inner := map[int64]bool{} // operands of a selection already taken
	ast.PreOrderVisit(expr, ast.NewExprVisitor(func(e ast.Expr) {
		if inner[e.ID()] {
			return
		}
		path, ok := dotted(e, inner)
		if !ok || strings.HasPrefix(path, "@") {
			return
		}
		if !slices.Contains(reads, path) {
			reads = append(reads, path)
		}
	}))
	return reads
}

// dotted gives a.b.c for a chain of selections, and marks its operands.
func dotted(e ast.Expr, inner map[int64]bool) (string, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return e.AsIdent(), true
	case ast.SelectKind:
		operand := e.AsSelect().Operand()
		path, ok := dotted(operand, inner)
		inner[operand.ID()] = true
		return path + "." + e.AsSelect().FieldName(), ok
	}
	return "", false
}
