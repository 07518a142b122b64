package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/osteele/tuesday"
	"github.com/shopspring/decimal"
)

// replace pays before it makes: each of many short texts may become a long one.
func (r *rendering) replace(s, old, with string, most int) (string, error) {
	found := strings.Count(s, old)
	if most >= 0 {
		found = min(found, most)
	}
	if found*len(with)+len(s) > maxMade {
		return "", r.fail(ErrTooLarge)
	}
	return strings.Replace(s, old, with, most), nil
}

// join writes a list as text, and pays before it makes.
func (r *rendering) join(list []any, separator func(string) string) (string, error) {
	between := separator(" ")
	if len(list)*len(between)+sizeOf(list, maxMade) > maxMade {
		return "", r.fail(ErrTooLarge)
	}
	texts := make([]string, 0, len(list))
	for _, item := range list {
		if item != nil {
			texts = append(texts, r.display(item))
		}
	}
	return strings.Join(texts, between), nil
}

// split pays before it makes: a text may have as many parts as bytes. Parts at the
// end that are empty are left out, as everywhere in Liquid.
func (r *rendering) split(s, separator string) ([]any, error) {
	if parts := strings.Count(s, separator) + 1; parts*costOfValue > maxMade {
		return nil, r.fail(ErrTooLarge)
	}
	texts := strings.Split(s, separator)
	if separator == " " {
		texts = strings.Fields(s)
	}
	for len(texts) > 0 && texts[len(texts)-1] == "" {
		texts = texts[:len(texts)-1]
	}
	list := make([]any, len(texts))
	for i, part := range texts {
		list[i] = part
	}
	return list, nil
}

// uniq leaves out what came before. Lists and maps are the same where their JSON is.
func uniq(list []any) []any {
	seen := map[any]bool{}
	var unique []any
	for _, item := range list {
		key := item
		if item != nil && !reflect.TypeOf(item).Comparable() {
			text, err := json.Marshal(item)
			if err != nil {
				continue
			}
			key = compound(text)
		}
		if !seen[key] {
			seen[key] = true
			unique = append(unique, item)
		}
	}
	return unique
}

// compound is the JSON of a list or map, no text that a list may hold.
type compound string

// truncate cuts a text to a number of characters, those that mark the cut included.
func truncate(s string, length func(int) int, ellipsis func(string) string) string {
	most, mark := length(50), ellipsis("...")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:max(0, most-utf8.RuneCountInString(mark))]) + mark
}

// truncateWords cuts a text after a number of words.
func truncateWords(s string, length func(int) int, ellipsis func(string) string) string {
	most, mark := max(1, length(15)), ellipsis("...")
	words := strings.Fields(s)
	if len(words) <= most {
		return s
	}
	return strings.Join(words[:most], " ") + mark
}

// dateLayouts are the forms of times in vendors' payloads.
var dateLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}

// maxLayout is the longest format of a date, in bytes.
const maxLayout = 500

// wideDirective finds %1000000Y, which would print a megabyte.
var wideDirective = regexp.MustCompile(`%[-_^#0:]*[0-9]{3,}`)

// date formats a time, or a text that is one, in the zone of the rendering. A
// date without a time of day is the same day everywhere.
func (r *rendering) date(value any, format func(string) string) (string, error) {
	layout := format("%-d %B %Y")
	if value == nil {
		return "", r.fail(fmt.Errorf("what `date` formats %w", ErrUndefined))
	}
	if len(layout) > maxLayout || wideDirective.MatchString(layout) {
		return "", r.fail(errors.New("the format of `date` is too long, or one of its widths has more than two digits"))
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
