package campaign

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// Bounds of matches, which takes the time of its text times its pattern: half a
// megabyte and a large pattern are a minute, in which no deadline is looked at.
const (
	maxPatternText = 2000       // bytes of a pattern
	maxPattern     = 200        // instructions of a compiled pattern
	maxMatching    = 20_000_000 // instructions times bytes of text, in one evaluation
)

// matchingName is under which an evaluation finds what it may still spend on matches.
const matchingName = "@matching"

// matching is what is left of maxMatching.
type matching struct{ left int }

// matches stands in the place of CEL's own.
type matches struct {
	interpreter.InterpretableV2
	text, pattern interpreter.InterpretableV2
	known         *compiled // where the pattern stands in the expression
}

var (
	errPattern     = errors.New("the pattern of `matches` is not a regular expression")
	errWidePattern = fmt.Errorf("the pattern of `matches` is too large; at most %d steps, and a{100} counts as a hundred", maxPattern)
)

// compiled is a pattern with what it costs a byte.
type compiled struct {
	*regexp.Regexp
	cost int
}

func boundMatches(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := i.(interpreter.InterpretableCall)
	if !ok || call.Function() != overloads.Matches || len(call.Args()) != 2 {
		return i, nil
	}
	m := matches{call, call.Args()[0], call.Args()[1], nil}
	if written, ok := m.pattern.(interpreter.InterpretableConst); ok {
		if pattern, ok := written.Value().(types.String); ok {
			var err error
			if m.known, err = compilePattern(string(pattern)); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

func (m matches) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return m.match(m.text.Exec(frame), m.pattern.Exec(frame), frame)
}

func (m matches) Eval(vars interpreter.Activation) ref.Val {
	return m.match(m.text.Eval(vars), m.pattern.Eval(vars), vars)
}

func (m matches) match(left, right ref.Val, vars interpreter.Activation) ref.Val {
	for _, v := range []ref.Val{left, right} {
		if types.IsUnknownOrError(v) {
			return v
		}
	}
	text, isText := left.(types.String)
	pattern, isPattern := right.(types.String)
	if !isText || !isPattern {
		return types.MaybeNoSuchOverloadErr(left)
	}
	known := m.known
	if known == nil {
		var err error
		if known, err = compilePattern(string(pattern)); err != nil {
			return types.WrapErr(err)
		}
	}
	found, _ := vars.ResolveName(matchingName)
	budget, ok := found.(*matching)
	if !ok {
		return types.NewErr("no matching is possible here")
	}
	if budget.left -= known.cost * (len(text) + 1); budget.left < 0 {
		return types.NewErr("`matches` is asked to search too much text, or for too large a pattern")
	}
	return types.Bool(known.MatchString(string(text)))
}

func compilePattern(pattern string) (*compiled, error) {
	if len(pattern) > maxPatternText {
		return nil, errWidePattern
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, errPattern
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, errPattern
	}
	if len(program.Inst) > maxPattern {
		return nil, errWidePattern
	}
	found, err := regexp.Compile(pattern)
	if err != nil {
		return nil, errPattern
	}
	return &compiled{found, len(program.Inst)}, nil
}
