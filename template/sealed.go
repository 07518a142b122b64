package template

import (
	"fmt"
	"reflect"
	"time"

	"github.com/osteele/liquid/values"
)

// The Liquid library reaches the methods and fields of any struct that it is given.
// Here it is given none: a time and a code are values of their own, which tell only
// what they are asked for below; whatever else isn't plain data is its text.

// sealed gives a value as templates may see it. Maps and lists are copied where
// something in them is not plain data.
func sealed(value any) any {
	switch v := value.(type) {
	case nil, bool, string, int, int64, float64, values.Value:
		return v
	case []byte:
		return string(v)
	case time.Time:
		return moment{Time: v}
	case Code:
		return printedCode{Code: v}
	case map[string]any:
		return sealedMap(v)
	case []any:
		return sealedList(v)
	}
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return value
	case reflect.Slice, reflect.Array:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = sealed(v.Index(i).Interface())
		}
		return list
	case reflect.Map:
		copied := make(map[string]any, v.Len())
		for _, key := range v.MapKeys() {
			copied[fmt.Sprint(key)] = sealed(v.MapIndex(key).Interface())
		}
		return copied
	}
	return fmt.Sprint(value)
}

// sealedVars are the variables of a rendering, in a map of its own.
func sealedVars(vars map[string]any) map[string]any {
	own := make(map[string]any, len(vars)+5)
	for name, value := range vars {
		own[name] = sealed(value)
	}
	return own
}

func sealedMap(from map[string]any) map[string]any {
	to := from
	for key, value := range from {
		inner := sealed(value)
		if same(inner, value) {
			continue
		}
		if len(to) == len(from) && reflect.ValueOf(to).Pointer() == reflect.ValueOf(from).Pointer() {
			to = make(map[string]any, len(from))
			for k, v := range from {
				to[k] = v
			}
		}
		to[key] = inner
	}
	return to
}

func sealedList(from []any) []any {
	to := from
	for i, value := range from {
		inner := sealed(value)
		if same(inner, value) {
			continue
		}
		if &to[0] == &from[0] {
			to = append([]any(nil), from...)
		}
		to[i] = inner
	}
	return to
}

// same says whether sealing left a value as it was.
func same(a, b any) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if !va.IsValid() || !vb.IsValid() {
		return va.IsValid() == vb.IsValid()
	}
	if va.Type() != vb.Type() {
		return false
	}
	switch va.Kind() {
	case reflect.Map, reflect.Slice:
		return va.Pointer() == vb.Pointer() && va.Len() == vb.Len()
	}
	return true
}

// opened is what filters of Go take a sealed value for.
func opened(value any) any {
	switch v := value.(type) {
	case moment:
		return v.Time
	case printedCode:
		return v.Code
	}
	return value
}

// closed is a Liquid value that has nothing inside.
type closed struct{}

func (closed) Int() int                                { return 0 }
func (closed) Contains(values.Value) bool              { return false }
func (closed) IndexValue(values.Value) values.Value    { return values.ValueOf(nil) }
func (closed) PropertyValue(values.Value) values.Value { return values.ValueOf(nil) }
func (closed) Test() bool                              { return true }
func (closed) Less(values.Value) bool                  { return false }

// moment is a time; templates compare and print it.
type moment struct {
	closed
	time.Time
}

var _ values.Value = moment{}

func (m moment) Interface() any { return m }

func (m moment) Equal(other values.Value) bool {
	o, ok := other.Interface().(moment)
	return ok && m.Time.Equal(o.Time)
}

func (m moment) Less(other values.Value) bool {
	o, ok := other.Interface().(moment)
	return ok && m.Before(o.Time)
}

// printedCode is a code with the details that templates read.
type printedCode struct {
	closed
	Code
}

var _ values.Value = printedCode{}

func (c printedCode) Interface() any { return c }

func (c printedCode) Equal(other values.Value) bool {
	return fmt.Sprint(other.Interface()) == c.Code.Code
}

func (c printedCode) PropertyValue(name values.Value) values.Value {
	switch name.Interface() {
	case "code":
		return values.ValueOf(c.Code.Code)
	case "coupon":
		return values.ValueOf(c.Coupon)
	case "discount":
		return values.ValueOf(c.Discount)
	case "url":
		return values.ValueOf(c.URL)
	case "expires_at":
		return moment{Time: c.ExpiresAt}
	}
	return values.ValueOf(nil)
}

func (c printedCode) IndexValue(name values.Value) values.Value { return c.PropertyValue(name) }

// safeHTML is text that is HTML already: a rendered message on its way into its
// layout. Nothing in a template can make one.
type safeHTML struct {
	closed
	html string
}

var _ values.Value = safeHTML{}

func (s safeHTML) Interface() any            { return s }
func (s safeHTML) Equal(o values.Value) bool { return o.Interface() == any(s) }
func (s safeHTML) String() string            { return s.html }
