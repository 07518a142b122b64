package campaign

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// EntryKey is the text that identifies an entry by an event: the same never
// enters twice. It is false where the event lacks the field that entry.key names.
// Events that start a journey by hand may bring a key under "key".
func (c *Campaign) EntryKey(eventID string, fields map[string]any) (string, bool) {
	switch {
	case c.Entry.Once:
		return "once", true
	case c.Entry.Key != "":
		key := Text(Lookup(fields, c.Entry.Key))
		return key, key != ""
	case c.Trigger.Manual && Text(fields["key"]) != "":
		return Text(fields["key"]), true
	}
	return eventID, true
}

// Lookup follows a path like event.order.id from the event; "event." may be left
// out. It is nil where there is nothing.
func Lookup(fields map[string]any, path string) any {
	var at any = fields
	for name := range strings.SplitSeq(strings.TrimPrefix(path, "event."), ".") {
		object, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = object[name]
	}
	return at
}

// Text is a value as it is compared and hashed; "" for what has no text.
func Text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool, int, int64, json.Number:
		return fmt.Sprint(v)
	}
	return ""
}
