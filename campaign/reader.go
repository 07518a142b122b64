package campaign

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Forms of names. Ids carry no hyphen, because an expression would read it as a
// minus.
var (
	namePattern   = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	couponPattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*(/[a-z][a-z0-9]*(-[a-z0-9]+)*)?$`)
	idPattern     = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	tagPattern    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	eventPattern  = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)
	fieldPattern  = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)
	pathPattern   = regexp.MustCompile(`^(event|trigger|contact|code|coupon)(\.[a-z][a-z0-9_]*)+$`)
)

// maxName is the longest name or id.
const maxName = 60

// reader reads the nodes of one document and collects what is wrong with them.
// Its methods return a zero value after a problem, so that reading goes on and
// every problem of a file comes out at once.
type reader struct {
	problems Problems
}

func (r *reader) fail(pos Pos, format string, args ...any) {
	r.problems = append(r.problems, Problem{Pos: pos, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) warn(pos Pos, format string, args ...any) {
	r.problems = append(r.problems, Problem{Pos: pos, Message: fmt.Sprintf(format, args...), Severity: Warning})
}

// keys checks the keys of a mapping. later are those that the grammar knows and
// this version does not do yet. It returns nil where n is no mapping.
func (r *reader) keys(n *node, what string, known []string, later ...string) *node {
	if n.kind != mapping {
		r.fail(n.pos, "%s is written as keys and values (%s)", what, listed(known))
		return nil
	}
	for _, e := range n.entries {
		switch {
		case slices.Contains(known, e.key):
		case slices.Contains(later, e.key):
			r.notYet(e.pos, e.key)
		case strings.HasPrefix(e.key, "x-") && slices.Contains(known, "x-"):
		case e.key == "on" && slices.Contains(known, "event"):
			r.fail(e.pos, "write `event:` instead of `on:`, which YAML reads as a truth value")
		default:
			r.fail(e.pos, "%s has no key `%s`%s", what, e.key, didYouMean(e.key, slices.DeleteFunc(slices.Clone(known), func(k string) bool { return k == "x-" })))
		}
	}
	return n
}

// notYet refuses a word of the grammar that this version does not do.
func (r *reader) notYet(pos Pos, word string) {
	r.fail(pos, "`%s` is not supported yet", word)
}

// text reads a string; numbers and truth values are taken as written.
func (r *reader) text(n *node, what string) string {
	if n == nil {
		return ""
	}
	if n.tag != "" {
		r.tagged(n, what)
		return ""
	}
	if n.kind != scalar || n.text == "" {
		r.fail(n.pos, "%s is a text", what)
		return ""
	}
	return n.text
}

// tagged explains a value whose beginning YAML took for a tag.
func (r *reader) tagged(n *node, what string) {
	r.fail(n.pos, "%s begins with `%s`, which YAML takes for a tag and drops; put the whole value in quotes", what, n.tag)
}

// match reads a string of a certain form.
func (r *reader) match(n *node, what string, pattern *regexp.Regexp, form string) string {
	s := r.text(n, what)
	if s != "" && (!pattern.MatchString(s) || len(s) > 2*maxName) {
		r.fail(n.pos, "%s is %s, not `%s`", what, form, s)
		return ""
	}
	return s
}

func (r *reader) name(n *node, what string) string {
	s := r.match(n, what, namePattern, "in small letters, digits and single hyphens (cart-recovery)")
	if len(s) > maxName {
		r.fail(n.pos, "%s has at most %d characters", what, maxName)
	}
	return s
}

func (r *reader) couponRef(n *node, what string) string {
	return r.match(n, what, couponPattern, "the name of a coupon (cart-10), or of a coupon and one of its sets (birthday/gold)")
}

func (r *reader) id(n *node, what string) string {
	s := r.match(n, what, idPattern, "in small letters, digits and underscores (first_reminder)")
	if len(s) > maxName {
		r.fail(n.pos, "%s has at most %d characters", what, maxName)
	}
	return s
}

func (r *reader) field(n *node, what string) string {
	return r.match(n, what, fieldPattern, "the name of a field of the event (checkout_token)")
}

// oneOf reads one word of a fixed list.
func (r *reader) oneOf(n *node, what string, words ...string) string {
	s := r.text(n, what)
	if s != "" && !slices.Contains(words, s) {
		r.fail(n.pos, "%s is %s, not `%s`", what, listed(words), s)
		return ""
	}
	return s
}

// strings reads a text or a list of texts.
func (r *reader) strings(n *node, what string, one func(*node, string) string) []string {
	if n == nil {
		return nil
	}
	if n.kind != list {
		if s := one(n, what); s != "" {
			return []string{s}
		}
		return nil
	}
	if len(n.items) == 0 {
		r.fail(n.pos, "%s has at least one item", what)
	}
	var out []string
	for _, item := range n.items {
		s := one(item, what)
		if s != "" && slices.Contains(out, s) {
			r.fail(item.pos, "`%s` stands here twice", s)
		} else if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (r *reader) events(n *node) []string {
	return r.strings(n, "`event`", func(n *node, what string) string {
		return r.match(n, what, eventPattern, "a dotted event name (order.paid)")
	})
}

// flag reads true or false.
func (r *reader) flag(n *node, what string) bool {
	if n == nil {
		return false
	}
	v, ok := n.raw.(bool)
	if !ok {
		r.fail(n.pos, "%s is true or false", what)
	}
	return v
}

// anything reads a mapping of free values.
func (r *reader) anything(n *node, what string) map[string]any {
	if n == nil {
		return nil
	}
	if n.kind != mapping {
		r.fail(n.pos, "%s is written as keys and values", what)
		return nil
	}
	return n.value().(map[string]any)
}

// condition reads an expression and compiles it.
func (r *reader) condition(n *node, what string, scope Scope) *Condition {
	if n == nil {
		return nil
	}
	if n.tag != "" {
		r.fail(n.pos, "%s begins with `%s`, which YAML takes for a tag and drops; put the expression in quotes: \"!…\"", what, n.tag)
		return nil
	}
	if n.kind == scalar && n.raw == nil || n.kind != scalar {
		r.fail(n.pos, "%s is an expression; put it in quotes if it has a colon, a comma or a quote at its beginning", what)
		return nil
	}
	pos := n.pos
	c, problems := CompileCondition(n.text, scope, pos)
	for _, p := range problems {
		if !n.plain {
			p.Pos = pos
		}
		r.problems = append(r.problems, p)
	}
	return c
}
