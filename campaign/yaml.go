package campaign

import "strings"

// Bounds of a file, so that no input can exhaust the parser.
const (
	maxFileSize  = 1 << 20   // bytes
	maxDocuments = 1000      // of one file
	maxDocument  = 128 << 10 // bytes of one
	maxDepth     = 64        // nested mappings and lists
	maxNodes     = 50_000    // values of one document, aliases followed
	maxLines     = 2_000     // of one document
	maxMarks     = 5_000     // characters of one document that may divide values
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
