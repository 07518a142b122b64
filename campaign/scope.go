package campaign

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// Scope is where an expression stands; it decides which variables there are.
type Scope int

// Scopes.
const (
	InTrigger Scope = iota // a trigger's where: contact, event
	InRule                 // where of an exit or an arm: also trigger, entry, code, codes
	InStep                 // if: also coupon and steps; event is the one that took the arm
	InSegment              // a segment's where: contact alone
)

var scopeVariables = map[Scope][]string{
	InTrigger: {"contact", "event"},
	InRule:    {"contact", "event", "trigger", "entry", "code", "codes"},
	InStep:    {"contact", "event", "trigger", "entry", "code", "codes", "coupon", "steps"},
	InSegment: {"contact"},
}

// Variables lists what an expression in the scope may read, besides now.
func (s Scope) Variables() []string { return scopeVariables[s] }

// The maps that hold the answers to an expression's questions while it is
// evaluated. Their names cannot be written in a file.
const (
	answersCount = "@count"
	answersSum   = "@sum"
	answersTruth = "@truth"
)

func isAnswers(name string) bool {
	return name == answersCount || name == answersSum || name == answersTruth
}

// question is a function on contact whose answer the caller hands in.
type question struct {
	gives    string // the map its answer stands in
	min, max int    // number of arguments
	window   int    // index of the argument that is a duration; -1 without one
	usage    string
}

var questions = map[string]question{
	"tagged":     {answersTruth, 1, 1, -1, `contact.tagged("gold")`},
	"in_segment": {answersTruth, 1, 1, -1, `contact.in_segment("vip")`},
	"reachable":  {answersTruth, 0, 1, -1, `contact.reachable() or contact.reachable("sms")`},
	"holds":      {answersTruth, 1, 1, -1, `contact.holds("cart-10")`},
	"redeemed":   {answersTruth, 1, 1, -1, `contact.redeemed("cart-10")`},
	"count":      {answersCount, 1, 2, 1, `contact.count("order.paid") or contact.count("order.paid", "30d")`},
	"sum":        {answersSum, 2, 3, 2, `contact.sum("order.paid", "total") or contact.sum("order.paid", "total", "30d")`},
}

var environments [InSegment + 1]struct {
	once sync.Once
	env  *cel.Env
	err  error
}

// environment gives the compiler of the scope, made once.
func (s Scope) environment() (*cel.Env, error) {
	e := &environments[s]
	e.once.Do(func() {
		options := []cel.EnvOption{
			cel.CrossTypeNumericComparisons(true),
			cel.ParserRecursionLimit(100),
			cel.ParserExpressionSizeLimit(maxExpression),
			cel.Variable("now", cel.TimestampType),
			cel.Variable(answersCount, cel.MapType(cel.StringType, cel.IntType)),
			cel.Variable(answersSum, cel.MapType(cel.StringType, cel.DoubleType)),
			cel.Variable(answersTruth, cel.MapType(cel.StringType, cel.BoolType)),
			cel.Macros(timeMacro("ago", operators.Subtract), timeMacro("ahead", operators.Add)),
		}
		for name, q := range questions {
			options = append(options, cel.Macros(questionMacro(name, q)))
		}
		for _, name := range s.Variables() {
			options = append(options, cel.Variable(name, cel.MapType(cel.StringType, cel.DynType)))
		}
		e.env, e.err = cel.NewEnv(options...)
	})
	return e.env, e.err
}

// questionMacro replaces contact.count("order.paid") by the answer to it.
func questionMacro(name string, q question) cel.Macro {
	return cel.ReceiverVarArgMacro(name, func(f parser.ExprHelper, target ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		if target.Kind() != ast.IdentKind || target.AsIdent() != "contact" {
			return nil, nil // a function of something else
		}
		if len(args) < q.min || len(args) > q.max {
			return nil, f.NewError(target.ID(), "write "+q.usage)
		}
		need := Need{Func: name, Args: []string{}}
		for i, arg := range args {
			value, ok := literalString(arg)
			if !ok {
				return nil, f.NewError(arg.ID(), fmt.Sprintf("the arguments of contact.%s are texts in quotes, so that they are known beforehand: %s", name, q.usage))
			}
			if i == q.window {
				if d, err := ParseDuration(value); err != nil || d <= 0 {
					return nil, f.NewError(arg.ID(), fmt.Sprintf("%q is not a duration; write %s", value, q.usage))
				}
			}
			need.Args = append(need.Args, value)
		}
		return f.NewCall(operators.Index, f.NewIdent(q.gives), f.NewLiteral(types.String(need.Key()))), nil
	})
}

// timeMacro replaces ago("90d") by now minus that.
func timeMacro(name, operator string) cel.Macro {
	return cel.GlobalVarArgMacro(name, func(f parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		usage := fmt.Sprintf("write %s(\"90d\")", name)
		if len(args) != 1 {
			return nil, common.NewError(0, usage, common.NoLocation)
		}
		value, ok := literalString(args[0])
		d, err := ParseDuration(value)
		if !ok || err != nil {
			return nil, f.NewError(args[0].ID(), usage+", with a duration in quotes")
		}
		return f.NewCall(operator, f.NewIdent("now"), f.NewCall("duration", f.NewLiteral(types.String(fmt.Sprintf("%ds", int64(d.Seconds())))))), nil
	})
}

func literalString(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().Value().(string)
	return s, ok
}

var (
	undeclared = regexp.MustCompile(`undeclared reference to '([^']*)'`)
	noOverload = regexp.MustCompile(`found no matching overload for '([^']*)' applied to '([^']*)'`)
)

// explain words the compiler's errors for the author of a file.
func (s Scope) explain(issues *cel.Issues, pos Pos) Problems {
	var problems Problems
	for _, e := range issues.Errors() {
		at := pos
		if e.Location.Line() == 1 && e.Location.Column() >= 0 {
			at.Column += e.Location.Column()
		}
		problems = append(problems, Problem{Pos: at, Message: s.word(e.Message)})
	}
	return problems
}

func (s Scope) word(message string) string {
	if m := undeclared.FindStringSubmatch(message); m != nil {
		name := m[1]
		if q, ok := questions[name]; ok {
			return fmt.Sprintf("`%s` is asked of the contact: %s", name, q.usage)
		}
		here := append(slices.Clone(s.Variables()), "now")
		for _, elsewhere := range scopeVariables {
			if slices.Contains(elsewhere, name) {
				return fmt.Sprintf("`%s` is not known here; there are %s", name, listed(here))
			}
		}
		functions := []string{"ago", "ahead"}
		for name := range questions {
			functions = append(functions, "contact."+name)
		}
		sort.Strings(functions)
		return fmt.Sprintf("`%s` is not known%s", name, didYouMean(name, append(here, functions...)))
	}
	if m := noOverload.FindStringSubmatch(message); m != nil {
		message := fmt.Sprintf("`%s` cannot be applied to %s", strings.Trim(m[1], "_"), m[2])
		if m[2] == "(double, int)" || m[2] == "(int, double)" {
			message += "; write the whole number with a decimal point: 20.0"
		}
		return message
	}
	if strings.Contains(message, "recursion limit") || strings.Contains(message, "recursion depth") {
		return "the expression is nested too deeply"
	}
	if rest, ok := strings.CutPrefix(message, "Syntax error: "); ok {
		return "not a valid expression: " + firstSentence(rest)
	}
	return message
}

// firstSentence drops the parser's list of everything it would have taken.
func firstSentence(s string) string {
	s, _, _ = strings.Cut(s, " expecting {")
	return s
}

func typeName(t *cel.Type) string {
	switch {
	case t.IsExactType(types.StringType):
		return "a text"
	case t.IsExactType(types.IntType), t.IsExactType(types.DoubleType), t.IsExactType(types.UintType):
		return "a number"
	case t.IsExactType(types.TimestampType):
		return "a time"
	case t.IsExactType(types.DurationType):
		return "a duration"
	}
	return "a " + t.String()
}
