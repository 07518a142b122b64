package template

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/osteele/liquid/filters"
	"github.com/osteele/liquid/render"
	"github.com/shopspring/decimal"
)

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
	paid := paying{r, c}
	filters.AddStandardFilters(paid)
	for name, filter := range r.own() {
		paid.AddFilter(name, filter)
	}
}

// own are the filters that stand in the place of the library's: those that could
// make much of little, take long over it, or know no time zone.
func (r *rendering) own() map[string]any {
	return map[string]any{
		"date": r.date, "money": money, "join": r.join, "split": r.split, "uniq": uniq,
		"replace":       func(s, old, with string) (string, error) { return r.replace(s, old, with, -1) },
		"replace_first": func(s, old, with string) (string, error) { return r.replace(s, old, with, 1) },
		"truncate":      truncate, "truncatewords": truncateWords,
	}
}

// explain gives our own error where there is one.
func (r *rendering) explain(err error) error {
	if r.failed != nil {
		err = r.failed
	}
	if strings.Contains(err.Error(), "can't convert") {
		err = errWrongKind // the library's own words hold the value
	}
	if errors.Is(err, ErrTooLarge) || strings.Contains(err.Error(), ErrTooLarge.Error()) {
		err = ErrTooLarge
	}
	return fmt.Errorf("rendering %s: %w", r.text.file, err)
}

// display writes a value as text. Lists are joined without a separator, as
// Liquid does.
func (r *rendering) display(value any) string {
	switch v := value.(type) {
	case moment:
		return v.In(r.zone).Format("2006-01-02 15:04")
	case string:
		return v
	case float64:
		return decimal.NewFromFloat(v).String()
	case []any:
		var b strings.Builder
		for _, item := range v {
			if item != nil {
				b.WriteString(r.display(item))
			}
		}
		return b.String()
	}
	return fmt.Sprint(value)
}
