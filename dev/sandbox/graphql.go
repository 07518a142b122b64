package sandbox

import (
	_ "embed"
	"errors"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"
)

//go:embed shopify.graphql
var adminSchema string

var schema = gqlparser.MustLoadSchema(&ast.Source{Name: "shopify.graphql", Input: adminSchema})

// object is a GraphQL object: its fields by name, and "__typename". A field that
// takes arguments is a resolver.
type object map[string]any

type resolver func(args map[string]any) any

// execute validates a document against the schema and answers it. Root fields
// are taken from root by name, in order, as mutations demand.
func execute(document, operation string, variables map[string]any, root map[string]resolver) (data *ordered, errs gqlerror.List) {
	doc, errs := gqlparser.LoadQuery(schema, document)
	if len(errs) > 0 {
		return nil, errs
	}
	op := doc.Operations.ForName(operation)
	if op == nil {
		return nil, gqlerror.List{gqlerror.Errorf("No operation named %q", operation)}
	}
	vars, err := validator.VariableValues(schema, op, variables)
	if err != nil {
		var one *gqlerror.Error
		if !errors.As(err, &one) {
			one = gqlerror.Errorf("%s", err.Error())
		}
		return nil, gqlerror.List{one}
	}
	source := object{"__typename": "QueryRoot"}
	if op.Operation == ast.Mutation {
		source["__typename"] = "Mutation"
	}
	for name, r := range root {
		source[name] = r
	}
	e := execution{vars: vars}
	return e.object(source, op.SelectionSet), nil
}

type execution struct{ vars map[string]any }

// object picks the selected fields of an object.
func (e execution) object(source object, set ast.SelectionSet) *ordered {
	out := &ordered{values: map[string]any{}}
	e.collect(source, set, out)
	return out
}

func (e execution) collect(source object, set ast.SelectionSet, out *ordered) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if e.wanted(s.Directives) {
				out.merge(s.Alias, e.field(source, s))
			}
		case *ast.InlineFragment:
			if e.wanted(s.Directives) && applies(source, s.TypeCondition) {
				e.collect(source, s.SelectionSet, out)
			}
		case *ast.FragmentSpread:
			if e.wanted(s.Directives) && applies(source, s.Definition.TypeCondition) {
				e.collect(source, s.Definition.SelectionSet, out)
			}
		}
	}
}

func (e execution) field(source object, f *ast.Field) any {
	value := source[f.Name]
	if r, ok := value.(resolver); ok {
		value = r(f.ArgumentMap(e.vars))
	}
	return e.value(value, f.SelectionSet)
}

func (e execution) value(v any, set ast.SelectionSet) any {
	switch v := v.(type) {
	case object:
		if v == nil {
			return nil
		}
		return e.object(v, set)
	case []object:
		list := make([]any, 0, len(v))
		for _, o := range v {
			list = append(list, e.object(o, set))
		}
		return list
	}
	return v
}

// applies says whether a fragment on a type is about this object.
func applies(source object, condition string) bool {
	name, _ := source["__typename"].(string)
	if condition == "" || condition == name {
		return true
	}
	for _, def := range schema.GetPossibleTypes(schema.Types[condition]) {
		if def.Name == name {
			return true
		}
	}
	return false
}

// wanted looks at @skip and @include.
func (e execution) wanted(directives ast.DirectiveList) bool {
	for _, d := range directives {
		condition, _ := d.ArgumentMap(e.vars)["if"].(bool)
		if d.Name == "skip" && condition || d.Name == "include" && !condition {
			return false
		}
	}
	return true
}
