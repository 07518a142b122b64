package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// Bounds of one evaluation.
const (
	maxExpression = 4096            // bytes of an expression
	maxCost       = 200_000         // units of CEL's cost model
	maxEvaluation = 5 * time.Second // of real time
)

// Condition is a compiled expression that is true or false. It is safe for
// concurrent use.
type Condition struct {
	source  string
	needs   []Need
	reads   []string
	program cel.Program
}

// Need is one question that a condition asks about the contact; the arguments
// are literals, so that the caller can answer before it evaluates.
type Need struct {
	Func string   // count, sum, in_segment, holds, redeemed, reachable or tagged
	Args []string // as written, without quotes
}

// Key is the key of the answer in Data.Answers: count("order.paid","30d").
func (n Need) Key() string {
	args := make([]string, len(n.Args))
	for i, a := range n.Args {
		quoted, _ := json.Marshal(a) // a string always marshals
		args[i] = string(quoted)
	}
	return n.Func + "(" + strings.Join(args, ",") + ")"
}

// Data is what a condition is evaluated over. Only what the condition's scope
// has is looked at; values are JSON types and time.Time.
type Data struct {
	Contact map[string]any
	Event   map[string]any
	Trigger map[string]any
	Entry   map[string]any
	Code    map[string]any
	Codes   map[string]any
	Coupon  map[string]any
	Steps   map[string]any
	Now     time.Time
	// Answers holds, by Need.Key, an int for count, a float64 for sum and a bool
	// for the others. tagged is answered from Contact["tags"].
	Answers map[string]any
}

// Source is the expression as written.
func (c *Condition) Source() string { return c.source }

// Needs lists what the condition asks, each question once.
func (c *Condition) Needs() []Need { return c.needs }

// CompileCondition checks and compiles an expression for a scope. Problems point
// into the expression, taking pos as the place of its first character.
func CompileCondition(src string, scope Scope, pos Pos) (*Condition, Problems) {
	if strings.TrimSpace(src) == "" {
		return nil, Problems{{Pos: pos, Message: "the expression is empty"}}
	}
	if len(src) > maxExpression {
		return nil, Problems{{Pos: pos, Message: fmt.Sprintf("the expression is too long: at most %d characters", maxExpression)}}
	}
	env, err := scope.environment()
	if err != nil {
		return nil, Problems{{Pos: pos, Message: fmt.Sprintf("preparing expressions: %s", err)}}
	}
	checked, issues := env.Compile(src)
	if issues.Err() != nil {
		return nil, scope.explain(issues, pos)
	}
	if t := checked.OutputType(); !t.IsExactType(types.BoolType) && !t.IsExactType(types.DynType) {
		return nil, Problems{{Pos: pos, Message: fmt.Sprintf("the expression gives %s; expected one that is true or false", typeName(t))}}
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(100), cel.EvalOptions(cel.OptOptimize), cel.CustomDecoratorV2(boundAdditions), cel.CustomDecoratorV2(boundMatches))
	if err != nil {
		return nil, Problems{{Pos: pos, Message: "not a valid expression: " + err.Error()}}
	}
	expr := checked.NativeRep().Expr()
	return &Condition{source: src, needs: needsOf(expr), reads: readsOf(expr), program: program}, nil
}

// ErrNotTruth is returned by Eval for an expression that gave something else
// than true or false.
var ErrNotTruth = errors.New("the expression is neither true nor false")

// Eval says whether the condition holds. It fails where a field is missing, a
// comparison makes no sense, an answer is missing or the expression costs too
// much; in triggers, exits and arms that counts as false.
func (c *Condition) Eval(d Data) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), maxEvaluation)
	defer cancel()
	out, _, err := c.program.ContextEval(ctx, c.activation(d))
	if err != nil {
		return false, fmt.Errorf("evaluating %q: %w", c.source, err)
	}
	truth, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("evaluating %q: %w", c.source, ErrNotTruth)
	}
	return truth, nil
}

func (c *Condition) activation(d Data) map[string]any {
	vars := map[string]any{"now": d.Now, matchingName: &matching{maxMatching}}
	for name, value := range map[string]map[string]any{
		"contact": d.Contact, "event": d.Event, "trigger": d.Trigger, "entry": d.Entry,
		"code": d.Code, "codes": d.Codes, "coupon": d.Coupon, "steps": d.Steps,
	} {
		if value != nil {
			vars[name] = value
		}
	}
	counts, sums, truths := map[string]any{}, map[string]any{}, map[string]any{}
	for _, need := range c.needs {
		key := need.Key()
		answer, ok := d.Answers[key]
		if need.Func == "tagged" {
			answer, ok = hasTag(d.Contact["tags"], need.Args[0]), true
		}
		if !ok {
			continue
		}
		switch questions[need.Func].gives {
		case answersCount:
			counts[key] = answer
		case answersSum:
			sums[key] = answer
		default:
			truths[key] = answer
		}
	}
	vars[answersCount], vars[answersSum], vars[answersTruth] = counts, sums, truths
	return vars
}

func hasTag(tags any, tag string) bool {
	switch tags := tags.(type) {
	case []string:
		return slices.Contains(tags, tag)
	case []any:
		return slices.Contains(tags, any(tag))
	}
	return false
}

// needsOf collects the questions that the macros put into the expression.
func needsOf(expr ast.Expr) []Need {
	var needs []Need
	seen := map[string]bool{}
	ast.PreOrderVisit(expr, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
			return
		}
		operand, index := e.AsCall().Args()[0], e.AsCall().Args()[1]
		if operand.Kind() != ast.IdentKind || !isAnswers(operand.AsIdent()) || index.Kind() != ast.LiteralKind {
			return
		}
		key, _ := index.AsLiteral().Value().(string)
		if need, ok := parseKey(key); ok && !seen[key] {
			seen[key] = true
			needs = append(needs, need)
		}
	}))
	return needs
}

// parseKey is the inverse of Need.Key.
func parseKey(key string) (Need, bool) {
	function, args, found := strings.Cut(key, "(")
	need := Need{Func: function}
	if !found || json.Unmarshal([]byte("["+strings.TrimSuffix(args, ")")+"]"), &need.Args) != nil {
		return Need{}, false
	}
	return need, true
}
