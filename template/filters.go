package template

import (
	"errors"
	"fmt"
	"html"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/osteele/liquid/filters"
	"github.com/osteele/liquid/render"
	"github.com/osteele/tuesday"
	"github.com/shopspring/decimal"
)

// safeHTML is text that is HTML already: a rendered message on its way into its
// layout. Nothing in a template can make one.
type safeHTML struct{ html string }

func (s safeHTML) String() string { return s.html }

// rendering is one run of a text: what it may still spend, and what went wrong.
type rendering struct {
	text   *text
	zone   *time.Location
	turns  int
	kept   int
	failed error // the first error of our own filters
}

// nameCollector records the names of filters.
type nameCollector []string

func (n *nameCollector) AddFilter(name string, _ any) { *n = append(*n, name) }

// filterNames lists the filters that a template may use, sorted.
var filterNames = sync.OnceValue(func() []string {
	names := nameCollector{"money"}
	filters.AddStandardFilters(&names)
	names = slices.DeleteFunc(names, func(name string) bool { return name == "inspect" || name == "type" })
	slices.Sort(names)
	return names
})

// install gives a configuration, which has none yet, the filters of this run.
func (r *rendering) install(c *render.Config) {
	filters.AddStandardFilters(c)
	c.AddFilter(filterPrint, func(value any, number int) (any, error) { return r.print(value, number, r.text.html) })
	c.AddFilter(filterPlain, func(value any, number int) (any, error) { return r.print(value, number, false) })
	c.AddFilter(filterCount, func(cost int) (any, error) { return r.turn(cost) })
	c.AddFilter(filterBound, func(value any) (any, error) { return r.bound(value) })
	c.AddFilter("date", r.date)
	c.AddFilter("money", money)
	c.AddFilter("replace", func(s, old, with string) (string, error) { return r.replace(s, old, with) })
}

// fail keeps an error as it is: the library turns errors of filters into text.
func (r *rendering) fail(err error) error {
	if r.failed == nil {
		r.failed = err
	}
	return err
}

// explain gives our own error where there is one.
func (r *rendering) explain(err error) error {
	if r.failed != nil {
		err = r.failed
	}
	if errors.Is(err, ErrTooLarge) || strings.Contains(err.Error(), ErrTooLarge.Error()) {
		err = ErrTooLarge
	}
	return fmt.Errorf("rendering %s: %w", r.text.file, err)
}

// print checks what {{ }} prints, and escapes it in HTML.
func (r *rendering) print(value any, number int, escape bool) (any, error) {
	if value == nil {
		return nil, r.fail(fmt.Errorf("{{ %s }} %w", r.text.expressions[number], ErrUndefined))
	}
	if safe, ok := value.(safeHTML); ok {
		return safe.html, nil
	}
	if t, ok := value.(time.Time); ok {
		value = t.In(r.zone).Format("2006-01-02 15:04")
	}
	out := display(value)
	if len(out) > maxOutput {
		return nil, r.fail(ErrTooLarge)
	}
	if escape {
		out = html.EscapeString(out)
	}
	return out, nil
}

// display writes a value as text. Lists are joined without a separator, as
// Liquid does.
func display(value any) string {
	if list, ok := value.([]any); ok {
		var b strings.Builder
		for _, item := range list {
			if item != nil {
				b.WriteString(display(item))
			}
		}
		return b.String()
	}
	if f, ok := value.(float64); ok {
		return decimal.NewFromFloat(f).String()
	}
	return fmt.Sprint(value)
}

func (r *rendering) turn(cost int) (any, error) {
	r.turns++
	if r.kept += cost; r.turns > maxTurns {
		return nil, r.fail(ErrTooLong)
	}
	if r.kept > maxCaptured {
		return nil, r.fail(ErrTooLarge)
	}
	return "", nil
}

func (r *rendering) bound(value any) (any, error) {
	if s, ok := value.(string); ok {
		if r.kept += len(s); r.kept > maxCaptured {
			return nil, r.fail(ErrTooLarge)
		}
	}
	if list, ok := value.([]any); ok {
		if r.kept += 16 * len(list); r.kept > maxCaptured {
			return nil, r.fail(ErrTooLarge)
		}
	}
	return value, nil
}

func (r *rendering) replace(s, old, with string) (string, error) {
	if strings.Count(s, old)*len(with)+len(s) > maxOutput {
		return "", r.fail(ErrTooLarge)
	}
	return strings.ReplaceAll(s, old, with), nil
}

// dateLayouts are the forms of times in vendors' payloads.
var dateLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}

// date formats a time, or a text that is one, in the zone of the rendering. A
// date without a time of day is the same day everywhere.
func (r *rendering) date(value any, format func(string) string) (string, error) {
	layout := format("%-d %B %Y")
	if value == nil {
		return "", r.fail(fmt.Errorf("what `date` formats %w", ErrUndefined))
	}
	if t, ok := value.(time.Time); ok {
		return tuesday.Strftime(layout, t.In(r.zone))
	}
	s := fmt.Sprint(value)
	for i, form := range dateLayouts {
		if t, err := time.ParseInLocation(form, s, r.zone); err == nil {
			if i == 0 {
				t = t.In(r.zone)
			}
			return tuesday.Strftime(layout, t)
		}
	}
	return "", r.fail(errors.New("what `date` formats is not a time"))
}

// money writes an amount with two decimals: 79.90.
func money(value any) (string, error) {
	d, err := decimal.NewFromString(fmt.Sprint(value))
	if err != nil {
		return "", errors.New("what `money` formats is not a number")
	}
	return d.StringFixed(2), nil
}
