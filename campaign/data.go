package campaign

import (
	"strings"
	"time"
)

// Time looks a moment up by its path: contact.birthday, trigger.delivered_at. The
// value may be a time, or a date or time as text; a date begins in zone.
func (d Data) Time(path string, zone *time.Location) (time.Time, bool) {
	parts := strings.Split(path, ".")
	var value any
	switch parts[0] {
	case "contact":
		value = d.Contact
	case "trigger":
		value = d.Trigger
	case "event":
		value = d.Event
	case "code":
		value = d.Code
	case "coupon":
		value = d.Coupon
	}
	for _, name := range parts[1:] {
		fields, ok := value.(map[string]any)
		if !ok {
			return time.Time{}, false
		}
		value = fields[name]
	}
	switch v := value.(type) {
	case time.Time:
		return v, !v.IsZero()
	case string:
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			return at, true
		}
		if date, err := ParseDate(v); err == nil {
			return date.In(zone), true
		}
	}
	return time.Time{}, false
}
