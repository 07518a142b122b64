package campaign

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds of a file, so that no input can exhaust the parser.
const (
	maxFileSize = 1 << 20 // bytes
	maxDepth    = 64      // nested mappings and lists
	maxNodes    = 50_000  // values of one document, aliases followed
)

// kind is what a YAML value is.
type kind int

const (
	null kind = iota
	scalar
	list
	mapping
)

// node is one YAML value with anchors and merge keys resolved.
type node struct {
	kind    kind
	pos     Pos
	text    string // scalar: the value as text
	raw     any    // scalar: string, int64, uint64, float64 or bool
	plain   bool   // scalar on one line without quotes: columns inside it can be pointed at
	tag     string // the tag that YAML took from the front of the value
	items   []*node
	entries []entry
}

// entry is one key of a mapping, in the order of the file.
type entry struct {
	key   string
	pos   Pos
	value *node
}

// get finds a key of a mapping.
func (n *node) get(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// document is the text of one document and the number of lines before it.
type document struct {
	text  string
	lines int
}

// splitDocuments cuts a file at its `---` lines. Cutting before parsing keeps a
// mistake in one document from hiding those in the next, and gives each document
// its exact text.
func splitDocuments(src string) []document {
	src = strings.TrimPrefix(src, "\ufeff")
	var docs []document
	var current []string
	start := 0
	flush := func(next int) {
		if text := strings.Join(current, "\n"); strings.TrimSpace(text) != "" {
			docs = append(docs, document{strings.TrimRight(text, " \t\r\n") + "\n", start})
		}
		current, start = nil, next
	}
	for i, line := range strings.Split(src, "\n") {
		rest, marker := strings.CutPrefix(line, "---")
		switch {
		case marker && isMarkerRest(rest):
			flush(i + 1)
		case len(current) == 0 && strings.TrimSpace(line) == "":
			start = i + 1
		default:
			current = append(current, line)
		}
	}
	flush(0)
	return docs
}

// isMarkerRest says whether what follows `---` leaves it a document marker.
func isMarkerRest(rest string) bool {
	trimmed := strings.TrimSpace(rest)
	return trimmed == "" || (rest[0] == ' ' && strings.HasPrefix(trimmed, "#"))
}

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
	if line := tooDeep(doc.text); line > 0 {
		return nil, &syntaxError{Pos{file, doc.lines + line, 1}, fmt.Sprintf("nested more than %d levels deep", maxDepth)}
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

// tooDeep finds the first line whose brackets or list dashes nest deeper than
// the parser should be asked to follow; 0 if there is none.
func tooDeep(text string) int {
	depth := 0
	for i, line := range strings.Split(text, "\n") {
		dashes := strings.Count(line, "- ") + strings.Count(line, "? ")
		for _, c := range line {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
		}
		if depth > 4*maxDepth || dashes > 4*maxDepth {
			return i + 1
		}
	}
	return 0
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
		_, isString := n.(*ast.StringNode)
		out.plain = isString && t.Origin != "" && !strings.ContainsAny(strings.TrimSpace(t.Origin), "\n\"'")
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

// set adds a key; one written in the file stands above a merged one.
func (n *node) set(e entry) {
	for i := range n.entries {
		if n.entries[i].key == e.key {
			n.entries[i] = e
			return
		}
	}
	n.entries = append(n.entries, e)
}

func (n *node) merge(from *node) error {
	sources := []*node{from}
	if from.kind == list {
		sources = from.items
	}
	for _, source := range sources {
		if source.kind != mapping {
			return &syntaxError{from.pos, "`<<:` merges a mapping, or a list of mappings"}
		}
		for _, e := range source.entries {
			if n.get(e.key) == nil {
				n.entries = append(n.entries, e)
			}
		}
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

// size counts the values below n, up to limit.
func (n *node) size(limit int) int {
	count := 1
	for _, item := range n.items {
		if count < limit {
			count += item.size(limit - count)
		}
	}
	for _, e := range n.entries {
		if count < limit {
			count += e.value.size(limit - count)
		}
	}
	return count
}

// value gives the node as JSON types.
func (n *node) value() any {
	switch n.kind {
	case list:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.value()
		}
		return out
	case mapping:
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			out[e.key] = e.value.value()
		}
		return out
	}
	return n.raw
}
