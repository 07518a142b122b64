package campaign

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Template is what Link asks of a message template.
type Template interface {
	// Channels names those that it has a text for: email, sms.
	Channels() []string
	// Variables lists the dotted paths that the text of a channel reads.
	Variables(channel string) []string
}

// Project is what the files refer to. A nil map or list is not checked.
type Project struct {
	Templates   map[string]Template
	Connections map[string]string // name -> kind
	Teams       []string
	Currency    string // ISO 4217
	TimeZone    string // IANA
	// Liquid lists the variables of a text of `notify` and `call`, or says why
	// it is not valid Liquid.
	Liquid func(text string) ([]string, error)
}

// Link checks all files of a project together: that what is named exists and
// that each step has what it needs on every way to it.
func Link(files []*File, p Project) Problems {
	l := &linker{project: p, coupons: map[string]*Coupon{}, segments: map[string]*Segment{}}
	l.collect(files)
	for _, f := range files {
		for _, c := range f.Coupons {
			l.coupon(c)
		}
		for _, s := range f.Segments {
			l.needs(s.Where, s.Pos)
		}
		for _, c := range f.Campaigns {
			l.campaign(c)
		}
	}
	return l.problems.sorted()
}

type linker struct {
	reader
	project  Project
	coupons  map[string]*Coupon
	segments map[string]*Segment
}

// collect gathers what can be referred to, and refuses names that stand twice.
func (l *linker) collect(files []*File) {
	seen := map[string]Pos{}
	once := func(kind, name string, pos Pos) {
		key := kind + " " + name
		if first, twice := seen[key]; twice {
			l.fail(pos, "the %s `%s` stands in %s too", kind, name, first)
			return
		}
		seen[key] = pos
	}
	for _, f := range files {
		for _, c := range f.Campaigns {
			once("campaign", c.Name, c.Pos)
		}
		for _, c := range f.Coupons {
			once("coupon", c.Name, c.Pos)
			l.coupons[c.Name] = c
		}
		for _, s := range f.Segments {
			once("segment", s.Name, s.Pos)
			l.segments[s.Name] = s
		}
	}
}

// couponName drops the set of a reference.
func couponName(ref string) string {
	name, _, _ := strings.Cut(ref, "/")
	return name
}

// couponRef checks that a coupon and, where named, its set exist.
func (l *linker) couponNamed(ref string, pos Pos) {
	if ref == "" {
		return
	}
	name, set, hasSet := strings.Cut(ref, "/")
	c, ok := l.coupons[name]
	if !ok {
		l.fail(pos, "there is no coupon `%s`%s", name, maybe(name, slices.Sorted(maps.Keys(l.coupons))))
		return
	}
	if hasSet && !slices.Contains(c.Sets, set) {
		l.fail(pos, "the coupon `%s` has no set `%s`%s", name, set, maybe(set, c.Sets))
	}
}

// maybe continues a sentence with the name that was probably meant.
func maybe(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf("; did you mean `%s`?", near)
	}
	return ""
}

func (l *linker) coupon(c *Coupon) {
	l.owner(c.Owner, c.Pos)
	l.connection(c.Connection, c.Pos)
	l.couponNamed(c.OnEmpty.Fallback, c.Pos)
	way := []string{c.Name}
	for next := c; next.OnEmpty.Fallback != ""; {
		name := couponName(next.OnEmpty.Fallback)
		way = append(way, name)
		if name == c.Name {
			l.fail(c.Pos, "the fallbacks go round in a circle: %s", strings.Join(way, " -> "))
			break
		}
		following, ok := l.coupons[name]
		if !ok || slices.Contains(way[:len(way)-1], name) {
			break // missing, or a circle that another coupon is told of
		}
		next = following
	}
	if c.Discount.Currency != "" && l.project.Currency != "" && c.Discount.Currency != l.project.Currency {
		l.warn(c.Pos, "the discount of `%s` is in %s, the project counts in %s", c.Name, c.Discount.Currency, l.project.Currency)
	}
	l.guessable(c)
}

// minPatternSpace is the smallest number of possible codes that resists
// guessing: with ten thousand codes given out, one guess in a million hits.
const minPatternSpace = 1e10

func (l *linker) guessable(c *Coupon) {
	marks := strings.Count(c.Pattern, "#")
	if marks == 0 {
		return
	}
	size := float64(len(c.Alphabet))
	if math.Pow(size, float64(marks)) < minPatternSpace {
		needed := int(math.Ceil(math.Log(minPatternSpace) / math.Log(size)))
		l.warn(c.Pos, "the codes of `%s` can be guessed: %d random characters are too few; use at least %d #", c.Name, marks, needed)
	}
}

func (l *linker) owner(team string, pos Pos) {
	if team != "" && l.project.Teams != nil && !slices.Contains(l.project.Teams, team) {
		l.fail(pos, "there is no team `%s`%s; teams stand in scrip.yaml", team, maybe(team, l.project.Teams))
	}
}

func (l *linker) connection(name string, pos Pos) {
	if name == "" || l.project.Connections == nil {
		return
	}
	if _, ok := l.project.Connections[name]; !ok {
		l.fail(pos, "there is no connection `%s`%s; connections stand in scrip.yaml", name, maybe(name, slices.Sorted(maps.Keys(l.project.Connections))))
	}
}

// needs checks the coupons and segments that an expression asks for.
func (l *linker) needs(c *Condition, pos Pos) {
	if c == nil {
		return
	}
	for _, need := range c.Needs() {
		switch need.Func {
		case "holds", "redeemed":
			l.couponNamed(need.Args[0], pos)
		case "in_segment":
			if _, ok := l.segments[need.Args[0]]; !ok {
				l.fail(pos, "there is no segment `%s`%s", need.Args[0], maybe(need.Args[0], slices.Sorted(maps.Keys(l.segments))))
			}
		}
	}
}

func (l *linker) campaign(c *Campaign) {
	l.owner(c.Owner, c.Pos)
	l.needs(c.Trigger.Where, c.Pos)
	l.problems = append(l.problems, unreachable(c.Steps)...)
	if end := longest(c.Steps, span{}, l.coupons).elapsed; !c.lasts(end) {
		l.fail(c.Pos, "the longest way through `%s` takes %s and its lifetime is %s; set `lifetime: %s` or more", c.Name, FormatDuration(end), FormatDuration(c.Lifetime), FormatDuration(end))
	}
	atEnd := l.walk(c.Steps, reached{steps: map[string]bool{}})
	for _, exit := range c.Exits {
		l.needs(exit.Where, exit.Pos)
		during := atEnd.clone()
		during.event = true
		l.walk(exit.Then, during)
	}
}
