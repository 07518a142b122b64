package campaign

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// DefaultAlphabet replaces each # of a pattern: no look-alikes such as 0 and O,
// 1, I and L, or U and V, and no vowels that would make words.
const DefaultAlphabet = "23456789BCDFGHJKMNPQRSTWXYZ"

const (
	minPatternMarks = 6
	maxCode         = 64
	// defaultEmptyWait is how long a claim waits for codes where the coupon
	// doesn't say; longEmptyWait where it says `wait`, for a refill whenever it
	// comes.
	defaultEmptyWait = day
	longEmptyWait    = defaultLifetime
)

var (
	couponKeys      = []string{"coupon", "description", "owner", "discount", "codes", "valid_for", "valid_until", "valid_from", "one_per", "redeemable_by", "limits", "low_at", "on_empty", "format", "x-"}
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
	codePattern     = regexp.MustCompile(`^[A-Za-z0-9#_.-]+$`)
)

func (r *reader) coupon(n *node) *Coupon {
	c := &Coupon{Pos: n.pos, OnePer: "journey", Redeemable: "anyone"}
	r.keys(n, "a coupon", couponKeys)
	r.format(n)
	c.Name = r.name(n.get("coupon"), "`coupon`")
	c.Description = r.text(n.get("description"), "`description`")
	if owner := n.get("owner"); owner != nil {
		c.Owner = r.name(owner, "`owner`")
	}
	if d := n.get("discount"); d == nil {
		r.fail(n.pos, "a coupon says what it gives: `discount: {percentage: 10}`")
	} else {
		c.Discount = r.discount(d)
	}
	if codes := n.get("codes"); codes == nil {
		r.fail(n.pos, "a coupon says where its codes come from: `codes: {generate: \"CART-########\"}`")
	} else {
		r.pool(c, codes)
	}
	r.valid(c, n)
	if o := n.get("one_per"); o != nil {
		c.OnePer = r.oneOf(o, "`one_per`", "journey", "contact")
	}
	if by := n.get("redeemable_by"); by != nil {
		c.Redeemable = r.oneOf(by, "`redeemable_by`", "anyone", "holder")
	}
	c.Limits = r.limits(n.get("limits"))
	c.LowAt = r.lowAt(n.get("low_at"))
	c.OnEmpty = r.onEmpty(n.get("on_empty"))
	return c
}

func (r *reader) discount(n *node) Discount {
	var d Discount
	if r.keys(n, "`discount`", []string{"percentage", "amount", "currency", "free_shipping", "text"}) == nil {
		return d
	}
	kinds := slices.DeleteFunc([]string{"percentage", "amount", "free_shipping", "text"}, func(k string) bool { return n.get(k) == nil })
	if len(kinds) != 1 {
		r.fail(n.pos, "`discount` has one of `percentage`, `amount`, `free_shipping` or `text`")
	}
	if p := n.get("percentage"); p != nil {
		if d.Percentage = r.amount(p, "`percentage`"); d.Percentage.IntPart() > 100 || d.Percentage.IntPart() == 100 && !d.Percentage.IsInteger() {
			r.fail(p.pos, "`percentage` is at most 100")
		}
	}
	if a := n.get("amount"); a != nil {
		d.Amount = r.amount(a, "`amount`")
		if n.get("currency") == nil {
			r.fail(a.pos, "`amount` needs a `currency`: `{amount: 50, currency: EUR}`")
		}
	}
	if c := n.get("currency"); c != nil {
		d.Currency = r.match(c, "`currency`", currencyPattern, "a code of three capital letters (EUR)")
		if n.get("amount") == nil {
			r.fail(c.pos, "`currency` belongs to `amount`")
		}
	}
	if f := n.get("free_shipping"); f != nil {
		if d.FreeShipping = r.flag(f, "`free_shipping`"); !d.FreeShipping {
			r.fail(f.pos, "`free_shipping` is true, or left out")
		}
	}
	d.Text = r.text(n.get("text"), "`text`")
	return d
}

// poolKeys are the keys that may stand beside each kind of pool.
var poolKeys = map[string][]string{
	PoolShared:   {"max_uses"},
	PoolList:     {"sets", "draw"},
	PoolGenerate: {"alphabet"},
	PoolShop:     {"alphabet", "connection"},
}

var poolKinds = []string{PoolShared, PoolList, PoolGenerate, PoolShop}

func (r *reader) pool(c *Coupon, n *node) {
	kinds := slices.DeleteFunc(slices.Clone(poolKinds), func(k string) bool { return n.get(k) == nil })
	if len(kinds) != 1 {
		if r.keys(n, "`codes`", append([]string{"max_uses", "sets", "draw", "alphabet", "connection"}, poolKinds...)) != nil {
			r.fail(n.pos, "`codes` has one of %s", listed(poolKinds))
		}
		return
	}
	c.Pool = kinds[0]
	r.keys(n, "`codes` with `"+c.Pool+"`", append([]string{c.Pool}, poolKeys[c.Pool]...))
	source := n.get(c.Pool)
	switch c.Pool {
	case PoolShared:
		c.Code = r.match(source, "`shared`", codePattern, "the code itself, in letters, digits, hyphens, dots and underscores (WELCOME10)")
		if len(c.Code) < 3 && c.Code != "" || len(c.Code) > maxCode || strings.Contains(c.Code, "#") {
			r.fail(source.pos, "`shared` is the code itself: 3 to %d letters, digits, hyphens, dots and underscores", maxCode)
		}
		if m := n.get("max_uses"); m != nil {
			c.MaxUses = r.count(m, "`max_uses`", 1)
		}
	case PoolList:
		if !r.flag(source, "`list`") && source.raw != nil {
			r.fail(source.pos, "`list` is true; its codes are imported")
		}
		c.Sets = r.strings(n.get("sets"), "`sets`", r.name)
		if d := n.get("draw"); d != nil {
			c.DrawRandom = r.oneOf(d, "`draw`", "imported", "random") == "random"
		}
	case PoolGenerate, PoolShop:
		r.pattern(c, n, source)
	}
}

func (r *reader) pattern(c *Coupon, n, source *node) {
	what := "`" + c.Pool + "`"
	c.Pattern = r.match(source, what, codePattern, "a pattern in which each # becomes a random character (\"CART-########\")")
	if c.Pattern != "" && (strings.Count(c.Pattern, "#") < minPatternMarks || len(c.Pattern) > maxCode) {
		r.fail(source.pos, "%s has at least %d # and at most %d characters", what, minPatternMarks, maxCode)
	}
	if source.kind == null {
		r.fail(source.pos, "put the pattern in quotes: outside of them, YAML takes # for a comment")
	}
	c.Alphabet = DefaultAlphabet
	if a := n.get("alphabet"); a != nil {
		c.Alphabet = r.checkAlphabet(a)
	}
	if conn := n.get("connection"); conn != nil {
		c.Connection = r.name(conn, "`connection`")
	}
}

var alphabetPattern = regexp.MustCompile(`^[A-Z0-9]{2,36}$`)

func (r *reader) checkAlphabet(n *node) string {
	s := r.match(n, "`alphabet`", alphabetPattern, "2 to 36 capital letters and digits")
	for i, c := range s {
		if strings.ContainsRune(s[:i], c) {
			r.fail(n.pos, "`alphabet` has `%c` twice", c)
			return ""
		}
	}
	return s
}

func (r *reader) valid(c *Coupon, n *node) {
	c.ValidFor, c.ValidForDays = r.validity(n.get("valid_for"))
	if u := n.get("valid_until"); u != nil {
		c.ValidUntil = r.date(u, "`valid_until`")
		if n.get("valid_for") != nil {
			r.fail(u.pos, "a coupon has `valid_for` or `valid_until`, not both")
		}
	}
	if f := n.get("valid_from"); f != nil {
		c.ValidFrom = r.date(f, "`valid_from`")
	}
	from, errFrom := ParseDate(c.ValidFrom)
	until, errUntil := ParseDate(c.ValidUntil)
	if errFrom == nil && errUntil == nil && !from.In(time.UTC).Before(until.Last(time.UTC)) {
		r.fail(n.get("valid_until").pos, "`valid_until` lies before `valid_from`")
	}
}

// validity reads a valid_for; days says that it ends with its last day.
func (r *reader) validity(n *node) (d time.Duration, days bool) {
	if n == nil {
		return 0, false
	}
	d = r.duration(n, "`valid_for`")
	return d, d > 0 && !strings.ContainsAny(n.text, "hms")
}

func (r *reader) limits(n *node) Limits {
	var l Limits
	if n == nil || r.keys(n, "`limits`", []string{"per_contact", "total", "budget", "min_order"}) == nil {
		return l
	}
	if v := n.get("per_contact"); v != nil {
		l.PerContact = r.count(v, "`per_contact`", 1)
	}
	if v := n.get("total"); v != nil {
		l.Total = r.count(v, "`total`", 1)
	}
	if v := n.get("budget"); v != nil {
		l.Budget = r.amount(v, "`budget`")
	}
	if v := n.get("min_order"); v != nil {
		l.MinOrder = r.amount(v, "`min_order`")
	}
	return l
}

func (r *reader) lowAt(n *node) []int {
	if n == nil {
		return nil
	}
	if n.kind != list || len(n.items) == 0 {
		r.fail(n.pos, "`low_at` is a list of numbers of codes left: [500, 100, 0]")
		return nil
	}
	var marks []int
	for _, item := range n.items {
		marks = append(marks, r.count(item, "`low_at`", 0))
	}
	return marks
}

func (r *reader) onEmpty(n *node) OnEmpty {
	if n == nil {
		return OnEmpty{Wait: defaultEmptyWait}
	}
	if n.kind == scalar {
		if r.oneOf(n, "`on_empty`", EmptyWait, EmptySkip) == EmptyWait {
			return OnEmpty{Wait: longEmptyWait}
		}
		return OnEmpty{}
	}
	var o OnEmpty
	if r.keys(n, "`on_empty`", []string{"wait", "fallback"}) == nil {
		return o
	}
	if len(n.entries) == 0 {
		r.fail(n.pos, "`on_empty` is `wait`, `skip`, or has `wait` and `fallback`")
	}
	if w := n.get("wait"); w != nil {
		o.Wait = r.duration(w, "`wait`")
	}
	if f := n.get("fallback"); f != nil {
		o.Fallback = r.couponRef(f, "`fallback`")
	}
	return o
}
