package campaign

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// treeBuilder turns the syntax tree of one document into nodes.
type treeBuilder struct {
	file    string
	lines   int // before the document
	anchors map[string]*node
	open    map[string]bool // anchors that are being built
	count   int
}

// syntaxError is a mistake in the YAML itself.
type syntaxError struct {
	pos     Pos
	message string
}

func (e *syntaxError) Error() string { return e.message }

// parseYAML reads one document. It returns nil for one that holds comments only.
func parseYAML(file string, doc document) (root *node, err error) {
	b := &treeBuilder{file: file, lines: doc.lines, anchors: map[string]*node{}, open: map[string]bool{}}
	top := Pos{File: file, Line: doc.lines + 1, Column: 1}
	// The YAML library panics on some malformed inputs.
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, &syntaxError{top, "this document is not valid YAML"}
		}
	}()
	if what, line := tooMuch(doc.text); what != "" {
		return nil, &syntaxError{Pos{file, doc.lines + line, 1}, what}
	}
	parsed, err := parser.ParseBytes([]byte(doc.text), 0)
	if err != nil {
		return nil, b.syntax(err, top)
	}
	for _, d := range parsed.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType {
			continue
		}
		if root != nil {
			return nil, &syntaxError{b.pos(d.Body), "expected `---` before the next document"}
		}
		if root, err = b.build(d.Body, 0); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// tooMuch says what of a document the parser should not be asked to follow, and
// in which line: it recurses into each nested value, and its time grows with the
// square of a mapping's keys and worse. "" if there is nothing.
func tooMuch(text string) (what string, line int) {
	if len(text) > maxDocument {
		return fmt.Sprintf("a document is larger than %d kB", maxDocument>>10), 1
	}
	depth, marks := 0, 0
	for i, line := range strings.Split(text, "\n") {
		if i >= maxLines {
			return fmt.Sprintf("more than %d lines in a document", maxLines), i + 1
		}
		dashes, last := 0, ' '
		for _, c := range line {
			if (c == ' ' || c == '\t') && (last == '-' || last == '?') {
				dashes++
			}
			last = c
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			case ',', ':', '&', '*', '!', '%':
				marks++
			}
			if depth > 4*maxDepth || dashes > 4*maxDepth {
				return fmt.Sprintf("nested more than %d levels deep", maxDepth), i + 1
			}
		}
		if marks > maxMarks {
			return "too many values in a document", i + 1
		}
	}
	return "", 0
}

// syntax words an error of the YAML library.
func (b *treeBuilder) syntax(err error, top Pos) error {
	pos := top
	message := err.Error()
	var located yaml.Error
	if errors.As(err, &located) {
		if t := located.GetToken(); t != nil && t.Position != nil {
			pos = Pos{b.file, b.lines + t.Position.Line, t.Position.Column}
		}
		message = located.GetMessage()
	}
	if strings.Contains(message, "unknown tag") || strings.Contains(message, "alias") {
		message += "; put the value in quotes if it isn't meant as YAML"
	}
	return &syntaxError{pos, "not valid YAML: " + message}
}

func (b *treeBuilder) pos(n ast.Node) Pos {
	t := n.GetToken()
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		t = m.Values[0].Key.GetToken()
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		t = m.Key.GetToken()
	}
	if t == nil || t.Position == nil {
		return Pos{b.file, b.lines + 1, 1}
	}
	return Pos{b.file, b.lines + t.Position.Line, t.Position.Column}
}

func (b *treeBuilder) build(n ast.Node, depth int) (*node, error) {
	if n == nil {
		return &node{kind: null, pos: Pos{b.file, b.lines + 1, 1}}, nil
	}
	b.count++
	out := &node{pos: b.pos(n)}
	if depth > maxDepth || b.count > maxNodes {
		return nil, &syntaxError{out.pos, fmt.Sprintf("too large: at most %d levels and %d values in a document", maxDepth, maxNodes)}
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		out.kind = mapping
		return out, b.entries(out, n.Values, depth)
	case *ast.MappingValueNode:
		out.kind = mapping
		return out, b.entries(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out.kind = list
		for _, v := range n.Values {
			item, err := b.build(v, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, item)
		}
		return out, nil
	case *ast.AnchorNode:
		return b.anchor(n, depth)
	case *ast.AliasNode:
		return b.alias(n)
	case *ast.TagNode:
		value, err := b.build(n.Value, depth+1)
		if err != nil {
			return nil, err
		}
		copied := *value
		copied.pos, copied.tag = out.pos, n.Start.Value
		return &copied, nil
	case *ast.NullNode:
		return out, nil
	case *ast.LiteralNode:
		out.kind, out.text, out.raw = scalar, n.Value.Value, n.Value.Value
		return out, nil
	case ast.ScalarNode:
		t := n.GetToken()
		out.kind, out.text, out.raw = scalar, t.Value, n.GetValue()
		out.plain = t.Type == token.StringType && !strings.Contains(strings.TrimSpace(t.Origin), "\n")
		return out, nil
	}
	return nil, &syntaxError{out.pos, "unexpected YAML here"}
}

func (b *treeBuilder) entries(out *node, values []*ast.MappingValueNode, depth int) error {
	for _, v := range values {
		value, err := b.build(v.Value, depth+1)
		if err != nil {
			return err
		}
		if _, merge := v.Key.(*ast.MergeKeyNode); merge {
			if err := out.merge(value); err != nil {
				return err
			}
			continue
		}
		key := v.Key.GetToken()
		pos := Pos{b.file, b.lines + key.Position.Line, key.Position.Column}
		if v.Value == nil || value.kind == null {
			value.pos = pos
		}
		out.set(entry{key.Value, pos, value})
	}
	return nil
}

func (b *treeBuilder) anchor(n *ast.AnchorNode, depth int) (*node, error) {
	name := n.Name.GetToken().Value
	b.open[name] = true
	value, err := b.build(n.Value, depth+1)
	delete(b.open, name)
	if err != nil {
		return nil, err
	}
	b.anchors[name] = value
	return value, nil
}

func (b *treeBuilder) alias(n *ast.AliasNode) (*node, error) {
	name := n.Value.GetToken().Value
	value, ok := b.anchors[name]
	if !ok || b.open[name] {
		return nil, &syntaxError{b.pos(n), fmt.Sprintf("no anchor `&%s` stands before `*%s` in this document", name, name)}
	}
	if b.count += value.size(maxNodes); b.count > maxNodes {
		return nil, &syntaxError{b.pos(n), fmt.Sprintf("too large: at most %d values in a document", maxNodes)}
	}
	return value, nil
}
