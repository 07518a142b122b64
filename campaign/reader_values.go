package campaign

import (
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// duration reads a duration that is longer than nothing.
func (r *reader) duration(n *node, what string) time.Duration {
	d := r.offset(n, what)
	if n != nil && n.text != "" && (d < 0 || strings.HasPrefix(n.text, "+")) {
		r.fail(n.pos, "%s has no sign; only `offset` does", what)
		return 0
	}
	if n != nil && n.text != "" && d == 0 && strings.Trim(n.text, "0wdhms") == "" {
		r.fail(n.pos, "%s is longer than nothing", what)
	}
	return d
}

// offset reads a duration with or without a sign.
func (r *reader) offset(n *node, what string) time.Duration {
	s := r.text(n, what)
	if s == "" {
		return 0
	}
	d, err := ParseDuration(s)
	if err != nil {
		r.fail(n.pos, "%s: %s", what, err)
	}
	return d
}

// checked reads a text and has parse look at it.
func (r *reader) checked(n *node, what string, parse func(string) error) string {
	s := r.text(n, what)
	if s == "" {
		return ""
	}
	if err := parse(s); err != nil {
		r.fail(n.pos, "%s: %s", what, err)
		return ""
	}
	return s
}

func (r *reader) date(n *node, what string) string {
	return r.checked(n, what, func(s string) error { _, err := ParseDate(s); return err })
}

func (r *reader) timeOfDay(n *node, what string) string {
	return r.checked(n, what, func(s string) error { _, err := ParseTimeOfDay(s); return err })
}

func (r *reader) window(n *node, what string) string {
	return r.checked(n, what, func(s string) error { _, err := ParseWindow(s); return err })
}

// count reads a whole number of at least minimum.
func (r *reader) count(n *node, what string, minimum int) int {
	s := r.text(n, what)
	if s == "" {
		return 0
	}
	v, err := strconv.ParseInt(s, 10, 32)
	if err != nil || int(v) < minimum {
		r.fail(n.pos, "%s is a whole number of at least %d, not `%s`", what, minimum, s)
		return 0
	}
	return int(v)
}

// amount reads an exact number above zero.
func (r *reader) amount(n *node, what string) decimal.Decimal {
	s := r.text(n, what)
	if s == "" {
		return decimal.Zero
	}
	if len(s) > 20 || strings.ContainsAny(s, "eE") {
		r.fail(n.pos, "%s is a number such as 10 or 12.50, not `%s`", what, s)
		return decimal.Zero
	}
	v, err := decimal.NewFromString(s)
	if err != nil || v.Sign() <= 0 {
		r.fail(n.pos, "%s is a number above zero, not `%s`", what, s)
		return decimal.Zero
	}
	return v
}
