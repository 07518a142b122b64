package silent_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/world"
)

// Kinds of things that Scrip does not do, or ends.
const (
	step    = "step"    // a step that is held, skipped or failed
	wait    = "wait"    // a wait that is over at once
	entry   = "entry"   // an entry that is refused
	outcome = "outcome" // how a journey ends
	letter  = "letter"  // a delivery that becomes a dead letter
	hook    = "hook"    // a webhook that is refused
)

// reasons are all that the program's own text knows, by kind.
func reasons(t *testing.T) map[string][]string {
	root := world.Root(t)
	known := map[string][]string{}
	for _, c := range consts(t, filepath.Join(root, "activities")) {
		if slices.Contains(c.block, "NoAddress") {
			known[step] = append(known[step], c.value)
		}
		if slices.Contains(c.block, "NoDate") {
			known[wait] = append(known[wait], c.value)
		}
	}
	known[wait] = append(known[wait], "no_code")
	for _, c := range consts(t, filepath.Join(root, "store")) {
		switch {
		case c.name == "GivenUp":
			known[step] = append(known[step], c.value)
		case strings.HasPrefix(c.name, "Refused"), strings.HasPrefix(c.name, "Campaign") && c.name != "CampaignRunning":
			known[entry] = append(known[entry], c.value)
		}
	}
	for _, c := range consts(t, filepath.Join(root, "campaign")) {
		if strings.HasPrefix(c.name, "Outcome") {
			known[outcome] = append(known[outcome], c.value)
		}
	}
	for _, file := range parse(t, filepath.Join(root, "starter")) {
		ast.Inspect(file, func(n ast.Node) bool {
			known[letter] = append(known[letter], literal(n, "eventError", "reason")...)
			known[hook] = append(known[hook], literal(n, "Refusal", "Code")...)
			return true
		})
	}
	for _, file := range parse(t, filepath.Join(root, "integrations")) {
		ast.Inspect(file, func(n ast.Node) bool {
			known[hook] = append(known[hook], literal(n, "Refusal", "Code")...)
			return true
		})
	}
	for kind := range known {
		slices.Sort(known[kind])
		known[kind] = slices.Compact(known[kind])
	}
	return known
}

type constant struct {
	name, value string
	block       []string // the names declared together with it
}

func consts(t *testing.T, folder string) (all []constant) {
	for _, file := range parse(t, folder) {
		for _, d := range file.Decls {
			declared, ok := d.(*ast.GenDecl)
			if !ok || declared.Tok != token.CONST {
				continue
			}
			var block []string
			for _, s := range declared.Specs {
				block = append(block, s.(*ast.ValueSpec).Names[0].Name)
			}
			for _, s := range declared.Specs {
				if spec := s.(*ast.ValueSpec); len(spec.Values) == 1 {
					if text := first(spec.Values[0]); text != "" {
						all = append(all, constant{spec.Names[0].Name, text, block})
					}
				}
			}
		}
	}
	require.NotEmpty(t, all, folder)
	return all
}

// literal gives the text of a field of a composite literal of a type; of a text
// that is put together, its beginning. Fields without names stand in the order of
// the type, in which the code is the second.
func literal(n ast.Node, typ, field string) []string {
	made, ok := n.(*ast.CompositeLit)
	if !ok || name(made.Type) != typ {
		return nil
	}
	for i, e := range made.Elts {
		pair, keyed := e.(*ast.KeyValueExpr)
		switch {
		case keyed && name(pair.Key) == field:
			e = pair.Value
		case keyed || field != "Code" || i != 1:
			continue
		}
		if text := first(e); text != "" {
			return []string{text}
		}
	}
	return nil
}

func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// first is the first text in an expression, up to what is filled in.
func first(e ast.Expr) (text string) {
	ast.Inspect(e, func(n ast.Node) bool {
		if basic, ok := n.(*ast.BasicLit); ok && basic.Kind == token.STRING && text == "" {
			text, _ = strconv.Unquote(basic.Value)
			text, _, _ = strings.Cut(text, " %")
		}
		return text == ""
	})
	return strings.TrimSpace(text)
}

func parse(t *testing.T, folder string) (files []*ast.File) {
	packages, err := parser.ParseDir(token.NewFileSet(), folder, func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
	require.NoError(t, err)
	for _, p := range packages {
		for _, file := range p.Files {
			files = append(files, file)
		}
	}
	return files
}

// sentences are the keys of a map of sentences in the store.
func sentences(t *testing.T, called string) (keys []string) {
	for _, file := range parse(t, filepath.Join(world.Root(t), "store")) {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Names[0].Name != called || len(spec.Values) != 1 {
				return true
			}
			for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
				keys = append(keys, first(e.(*ast.KeyValueExpr).Key))
			}
			return true
		})
	}
	require.NotEmpty(t, keys, called)
	return keys
}
