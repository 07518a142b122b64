package campaign

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// maxDuration keeps sums of durations far from overflowing.
const maxDuration = 10 * 366 * day

var durationUnits = []struct {
	letter byte
	unit   time.Duration
}{{'w', week}, {'d', day}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}

// ParseDuration reads a duration as campaign files write it: 90s, 15m, 36h, 3d,
// 2w, 1d12h, where d is 24 hours. Larger units come first and none comes twice.
// An offset may carry a sign: -24h, +1d.
func ParseDuration(s string) (time.Duration, error) {
	rest, negative := strings.CutPrefix(s, "-")
	if !negative {
		rest = strings.TrimPrefix(s, "+")
	}
	if rest == "" {
		return 0, fmt.Errorf("%q is not a duration; write 90s, 15m, 36h, 3d, 2w or 1d12h", s)
	}
	var total time.Duration
	next := 0 // the largest unit that may still come
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 32)
		if err != nil || digits == len(rest) {
			return 0, fmt.Errorf("%q is not a duration; write 90s, 15m, 36h, 3d, 2w or 1d12h", s)
		}
		unit := next
		for unit < len(durationUnits) && durationUnits[unit].letter != rest[digits] {
			unit++
		}
		if unit == len(durationUnits) {
			return 0, fmt.Errorf("%q is not a duration; its units are w, d, h, m and s, the larger ones first", s)
		}
		if time.Duration(n) > (maxDuration-total)/durationUnits[unit].unit {
			return 0, fmt.Errorf("%q is too long; at most ten years", s)
		}
		total += time.Duration(n) * durationUnits[unit].unit
		next, rest = unit+1, rest[digits+1:]
	}
	if negative {
		total = -total
	}
	return total, nil
}

// FormatDuration writes a duration as campaign files do, in whole seconds:
// 1d12h, -24h as -1d. Weeks are used only where nothing is left over.
func FormatDuration(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	d = d.Truncate(time.Second)
	if d == 0 {
		return "0s"
	}
	if d%week == 0 {
		return sign + strconv.FormatInt(int64(d/week), 10) + "w"
	}
	var b strings.Builder
	b.WriteString(sign)
	for _, u := range durationUnits[1:] {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%c", n, u.letter)
			d -= n * u.unit
		}
	}
	return b.String()
}
