package template

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/osteele/liquid/parser"
	"github.com/osteele/liquid/render"
	"github.com/osteele/liquid/tags"
)

// text is one compiled Liquid text.
type text struct {
	file      string
	source    string
	node      render.Node // nil: the source is all that it says
	variables []string
	sets      bool // it sets variables of its own
}

// grammar compiles texts. Rendering brings filters of its own.
var grammar = func() render.Config {
	c := render.NewConfig()
	tags.AddStandardTags(c)
	return c
}()

// maxTag is the longest of what stands between braces, in bytes. The library's time
// grows with the square of it.
const maxTag = 2000

// compile reads a text whose first line has the given number.
func compile(source, file string, line int, html bool) (t *text, problem *Problem) {
	// The Liquid library panics on some malformed expressions.
	defer func() {
		if r := recover(); r != nil {
			t, problem = nil, &Problem{file, line, "not valid Liquid"}
		}
	}()
	loc := parser.SourceLoc{Pathname: file, LineNo: line}
	constant := true
	for _, token := range parser.Scan(source, loc, nil) {
		constant = constant && token.Type == parser.TextTokenType
		if token.Type != parser.TextTokenType && len(token.Source) > maxTag {
			return nil, &Problem{file, token.SourceLoc.LineNo, fmt.Sprintf("what stands between {{ and }}, or {%% and %%}, is longer than %d bytes", maxTag)}
		}
	}
	if _, err := grammar.Compile(source, loc); err != nil {
		return nil, liquidProblem(err, file, line)
	}
	p, problem := prepare(source, file, line, html)
	if problem != nil {
		return nil, problem
	}
	if constant {
		return &text{file: file, source: source}, nil
	}
	node, err := p.grammar(html).Compile(p.source, loc)
	if err != nil {
		return nil, liquidProblem(err, file, line)
	}
	return &text{file, source, node, p.variables, p.sets}, nil
}

func liquidProblem(err parser.Error, file string, line int) *Problem {
	if err.LineNumber() > 0 {
		line = err.LineNumber()
	}
	message := err.Error()
	if cause := err.Cause(); cause != nil {
		message = cause.Error()
	} else if _, after, found := strings.Cut(message, ": "); found {
		message = after
	}
	return &Problem{file, line, "not valid Liquid: " + strings.TrimSpace(message)}
}

// Bounds of the rendering of one text.
const (
	maxOutput = 1 << 20         // bytes of the text
	maxTurns  = 20_000          // turns of all loops together
	maxMade   = 16 << 20        // bytes that filters, captures and prints make, together
	maxSteps  = 5_000_000       // pieces of the text that loops do
	maxTime   = 5 * time.Second // of real time, of a rendering that has taken fewSteps
	fewSteps  = 50_000
)

// Errors of rendering. Each comes wrapped in a sentence that names the file and, for
// ErrUndefined and ErrNotLinkable, the expression.
var (
	ErrUndefined   = errors.New("has no value")
	ErrTooLarge    = errors.New("the text grows too large")
	ErrTooLong     = errors.New("the loops take too many turns, or do too much in them")
	ErrNotLinkable = errors.New("is no address that a mail may lead to; those begin with https:, http:, mailto:, tel: or sms:")

	errWrongKind = errors.New("a value is not of the kind that is needed where it stands")
)

// capped is a writer with an end.
type capped struct{ text bytes.Buffer }

func (c *capped) Write(b []byte) (int, error) {
	if c.text.Len()+len(b) > maxOutput {
		return 0, ErrTooLarge
	}
	return c.text.Write(b)
}

// render fills the text with vars, which come from sealedVars. What the text sets
// isn't seen by others.
func (t *text) render(vars map[string]any, zone *time.Location) (out string, err error) {
	if t.node == nil {
		return t.source, nil
	}
	run := renderings.Get().(*rendering)
	run.expense = expense{text: t, zone: zone, began: time.Now()}
	// The Liquid library panics where it cannot write, and on values that a
	// filter cannot take.
	defer func() {
		if r := recover(); r != nil {
			out, err = "", run.explain(fmt.Errorf("%v", r))
			return
		}
		renderings.Put(run)
	}()
	if t.sets {
		vars = maps.Clone(vars)
	}
	vars[runName] = run
	run.out.text.Reset()
	if err := render.Render(t.node, &run.out, vars, run.config); err != nil {
		return "", run.explain(err)
	}
	return run.out.text.String(), nil
}
