package template

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/osteele/liquid/parser"
)

// The tags that prepare writes into a text; they cannot be written in one.
const (
	tagPrint = "scrip_print" // prints an expression: checks, and escapes where the text is HTML
	tagPlain = "scrip_plain" // checks only: inside capture, which is printed later
	tagLink  = "scrip_link"  // print, where an address begins
	tagCount = "scrip_count" // pays for one turn of a loop
)

// Bounds of what a text says; the library follows both by calling itself.
const (
	maxDepth   = 100 // of nested blocks
	maxFilters = 100 // in one expression
)

// prepared is a text with the checks written into it.
type prepared struct {
	source      string
	expressions []string // by the number that the print tags carry
	variables   []string
	sets        bool // the text sets variables of its own
}

// preparer walks the tokens of a text once. The Liquid library neither escapes,
// nor bounds loops, nor says which variable is missing; what it lacks is written
// into the text as tags, before it is compiled.
type preparer struct {
	out       strings.Builder
	result    prepared
	file      string
	length    int
	verbatim  string         // inside raw or comment: the tag that ends it
	captures  int            // depth of capture
	depth     int            // of all blocks
	locals    map[string]int // names that the text sets itself
	loops     []string       // variables of the loops around the token
	mentioned map[string]bool
	pieces    int     // of the text: what one turn of a loop does at most
	markup    *markup // of an HTML text; else nil
	unsettled *Problem
}

func prepare(source, file string, line int, html bool) (prepared, *Problem) {
	p := &preparer{file: file, length: len(source), locals: map[string]int{"forloop": 1}, mentioned: map[string]bool{}}
	if html {
		p.markup = &markup{}
	}
	tokens := parser.Scan(source, parser.SourceLoc{Pathname: file, LineNo: line}, nil)
	p.pieces = len(tokens)
	for _, token := range tokens {
		p.token(token)
		if p.unsettled != nil {
			return prepared{}, p.unsettled
		}
	}
	p.result.source = p.out.String()
	return p.result, nil
}

func (p *preparer) fail(token parser.Token, format string, args ...any) {
	if p.unsettled == nil {
		p.unsettled = &Problem{p.file, token.SourceLoc.LineNo, fmt.Sprintf(format, args...)}
	}
}

func (p *preparer) token(token parser.Token) {
	switch {
	case p.verbatim != "":
		if token.Type == parser.TagTokenType && token.Name == p.verbatim {
			p.verbatim = ""
		}
		p.out.WriteString(token.Source)
	case token.Type == parser.TextTokenType:
		for _, open := range []string{"{{", "{%"} {
			if before, _, found := strings.Cut(token.Source, open); found {
				token.SourceLoc.LineNo += strings.Count(before, "\n")
				p.fail(token, "`%s` is not closed on its line", open)
			}
		}
		if p.markup != nil && p.captures == 0 {
			p.markup.follow(token.Source)
		}
		p.out.WriteString(token.Source)
	case token.Type == parser.ObjTokenType:
		p.object(token)
	case token.Type == parser.TagTokenType:
		p.tag(token)
	}
}

// object replaces {{ expression }} by the tag that checks and escapes it.
func (p *preparer) object(token parser.Token) {
	p.read(token, token.Args, false)
	tag := tagPrint
	switch {
	case p.captures > 0:
		tag = tagPlain
	case p.markup != nil:
		tag = p.inMarkup(token)
	}
	number := strconv.Itoa(len(p.result.expressions))
	p.result.expressions = append(p.result.expressions, token.Args)
	left, right := dashes(token.Source)
	// Line ends inside the braces are kept, so that errors name the right line.
	lines := strings.Repeat("\n", strings.Count(token.Source, "\n"))
	p.out.WriteString("{%" + left + lines + " " + tag + " " + number + " " + right + "%}")
}

// dashes gives the signs that trim white space around a token.
func dashes(source string) (left, right string) {
	if len(source) > 4 && source[2] == '-' {
		left = "-"
	}
	if len(source) > 4 && source[len(source)-3] == '-' {
		right = "-"
	}
	return left, right
}

var (
	loopForm   = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z0-9_-]*)\s+in\s+(.+)$`)
	assignForm = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z0-9_-]*)\s*=\s*(.+)$`)
	nameForm   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
)

func (p *preparer) tag(token parser.Token) {
	source := token.Source
	if p.markup != nil && p.captures == 0 {
		p.markup.branch(token.Name)
	}
	p.nest(token)
	switch token.Name {
	case "for", "tablerow", "assign", "capture", "cycle":
		p.result.sets = true
	}
	switch token.Name {
	case "raw", "comment":
		p.verbatim = "end" + token.Name
	case "for", "tablerow":
		source = p.loop(token)
	case "endfor", "endtablerow":
		if n := len(p.loops); n > 0 {
			p.locals[p.loops[n-1]]--
			p.loops = p.loops[:n-1]
		}
	case "assign":
		p.assign(token)
	case "capture":
		if !nameForm.MatchString(token.Args) {
			p.fail(token, "write {%% capture name %%}")
		}
		p.locals[token.Args]++
		p.captures++
	case "endcapture":
		p.captures--
	case "if", "unless", "case", "elsif", "when":
		p.read(token, token.Args, false)
	case "include":
		p.fail(token, "`include` is not supported; use a layout")
	case "cycle", "else", "endif", "endunless", "endcase", "break", "continue":
	default:
		p.fail(token, "there is no tag `%s`", token.Name)
	}
	p.out.WriteString(source)
}

// nest counts the blocks that are open.
func (p *preparer) nest(token parser.Token) {
	switch token.Name {
	case "if", "unless", "case", "for", "tablerow", "capture":
		if p.depth++; p.depth > maxDepth {
			p.fail(token, "blocks are nested more than %d deep", maxDepth)
		}
	case "endif", "endunless", "endcase", "endfor", "endtablerow", "endcapture":
		p.depth--
	}
}

// loop lets every turn pay, so that no loop is endless.
func (p *preparer) loop(token parser.Token) string {
	m := loopForm.FindStringSubmatch(strings.ReplaceAll(token.Args, "\n", " "))
	if m == nil {
		p.fail(token, "write {%% for item in list %%}")
		return token.Source
	}
	over := regexp.MustCompile(`\breversed\b`).ReplaceAllString(m[2], "")
	p.read(token, over, true)
	p.loops = append(p.loops, m[1])
	p.locals[m[1]]++
	bytes := 0
	if p.captures > 0 {
		bytes = p.length // what one turn can add to the captured text
	}
	_, right := dashes(token.Source)
	return fmt.Sprintf("%s{%% %s %d %d %s%%}", token.Source, tagCount, p.pieces, bytes, right)
}

func (p *preparer) assign(token parser.Token) {
	m := assignForm.FindStringSubmatch(strings.ReplaceAll(token.Args, "\n", " "))
	if m == nil {
		p.fail(token, "write {%% assign name = value %%}")
		return
	}
	p.read(token, m[2], false)
	p.locals[m[1]]++
}

// read collects the variables of an expression and refuses what cannot be
// bounded.
func (p *preparer) read(token parser.Token, expression string, loop bool) {
	s := scan(expression)
	for _, path := range s.paths {
		root, _, _ := strings.Cut(path, ".")
		if p.locals[root] == 0 && !p.mentioned[path] {
			p.mentioned[path] = true
			p.result.variables = append(p.result.variables, path)
		}
	}
	if len(s.filters) > maxFilters {
		p.fail(token, "more than %d filters stand in one expression", maxFilters)
	}
	for _, name := range s.filters {
		if !slices.Contains(filterNames(), name) {
			p.fail(token, "there is no filter `%s`", name)
		}
	}
	if s.ranges && (!loop || len(s.filters) > 0) {
		p.fail(token, "a range such as (1..5) stands in `for` alone, without a filter")
	}
}
