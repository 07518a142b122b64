package sandbox

import (
	"bytes"
	"encoding/json"
)

// ordered is a JSON object whose fields stand in the order they were asked for,
// as GraphQL answers them.
type ordered struct {
	keys   []string
	values map[string]any
}

// merge adds a field, or joins two selections of the same one.
func (o *ordered) merge(key string, value any) {
	have, known := o.values[key]
	if !known {
		o.keys = append(o.keys, key)
		o.values[key] = value
		return
	}
	o.values[key] = joined(have, value)
}

func joined(a, b any) any {
	switch a := a.(type) {
	case *ordered:
		if b, ok := b.(*ordered); ok {
			for _, k := range b.keys {
				a.merge(k, b.values[k])
			}
		}
	case []any:
		if b, ok := b.([]any); ok && len(a) == len(b) {
			for i := range a {
				a[i] = joined(a[i], b[i])
			}
		}
	}
	return a
}

// MarshalJSON writes the fields in order.
func (o *ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range o.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(o.values[k])
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
