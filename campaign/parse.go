package campaign

import (
	"errors"
	"fmt"
	"slices"
)

// File is what one file holds.
type File struct {
	Name      string
	Campaigns []*Campaign
	Coupons   []*Coupon
	Segments  []*Segment
}

// documentKinds are the first keys that tell documents apart. A test document
// also has a `campaign`, so `test` is looked for first.
var documentKinds = []string{"test", "campaign", "coupon", "segment"}

// Parse reads a file of one or several documents, separated by `---`. file is
// its name in problems. It returns what could be read and everything that is
// wrong; a document with an error in it is left out of the File.
//
// Each document's Source, parsed alone, gives the same document.
func Parse(file string, src []byte) (*File, Problems) {
	f := &File{Name: file}
	if len(src) > maxFileSize {
		return f, Problems{{Pos: Pos{file, 1, 1}, Message: fmt.Sprintf("the file is too large: at most %d kB", maxFileSize>>10)}}
	}
	var problems Problems
	docs := splitDocuments(string(src))
	if len(docs) > maxDocuments {
		return f, Problems{{Pos: Pos{file, docs[maxDocuments].lines, 1}, Message: fmt.Sprintf("the file is too large: at most %d documents", maxDocuments)}}
	}
	found := 0
	for _, doc := range docs {
		root, err := parseYAML(file, doc)
		var syntax *syntaxError
		if errors.As(err, &syntax) {
			problems = append(problems, Problem{Pos: syntax.pos, Message: syntax.message})
			continue
		}
		if root == nil {
			continue // comments only
		}
		found++
		problems = append(problems, f.add(root, doc)...)
	}
	if found == 0 && len(problems) == 0 {
		problems = Problems{{Pos: Pos{file, 1, 1}, Message: "the file is empty; a document begins with " + listed(documentKinds[1:])}}
	}
	return f, problems.sorted()
}

// add reads one document into the file.
func (f *File) add(root *node, doc document) Problems {
	r := &reader{}
	kind := ""
	if root.kind == mapping {
		for _, k := range documentKinds {
			if root.get(k) != nil {
				kind = k
				break
			}
		}
	}
	switch kind {
	case "campaign":
		c := r.campaign(root)
		c.Source = doc.text
		if r.problems.Err() == nil {
			f.Campaigns = append(f.Campaigns, c)
		}
	case "coupon":
		c := r.coupon(root)
		c.Source = doc.text
		if r.problems.Err() == nil {
			f.Coupons = append(f.Coupons, c)
		}
	case "segment":
		s := r.segment(root)
		s.Source = doc.text
		if r.problems.Err() == nil {
			f.Segments = append(f.Segments, s)
		}
	case "test":
		r.notYet(root.pos, "test")
	default:
		r.fail(root.pos, "a document begins with %s", listed(documentKinds[1:]))
	}
	return r.problems
}

func (r *reader) segment(n *node) *Segment {
	s := &Segment{Pos: n.pos}
	r.keys(n, "a segment", []string{"segment", "description", "where", "format", "x-"})
	r.format(n)
	s.Name = r.name(n.get("segment"), "`segment`")
	s.Description = r.text(n.get("description"), "`description`")
	if s.Where = r.condition(n.get("where"), "`where`", InSegment); n.get("where") == nil {
		r.fail(n.pos, "a segment says whom it takes: `where: contact.…`")
	}
	if s.Where != nil && slices.ContainsFunc(s.Where.Needs(), func(need Need) bool { return need.Func == "in_segment" }) {
		r.fail(n.get("where").pos, "a segment cannot ask for another segment; write its condition here")
	}
	return s
}

// format checks the optional version of the grammar.
func (r *reader) format(n *node) {
	if f := n.get("format"); f != nil && f.text != "1" {
		r.fail(f.pos, "`format` is 1")
	}
}
