package campaign

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Window is a time of day from From to To, "21:00-08:00"; it may go over
// midnight. The end is not part of it.
type Window struct {
	From, To time.Duration // since midnight on the clock on the wall
}

var clockPattern = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])$`)

// ParseTimeOfDay reads "10:00" as the time since midnight.
func ParseTimeOfDay(s string) (time.Duration, error) {
	if !clockPattern.MatchString(s) {
		return 0, fmt.Errorf("%q is not a time of day; write \"09:30\", with two digits each", s)
	}
	var h, m int
	if _, err := fmt.Sscanf(s, "%d:%d", &h, &m); err != nil {
		return 0, fmt.Errorf("reading time of day %q: %w", s, err)
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute, nil
}

// ParseWindow reads "09:00-19:00". The two ends must differ.
func ParseWindow(s string) (Window, error) {
	from, to, found := strings.Cut(s, "-")
	start, err := ParseTimeOfDay(from)
	if err != nil || !found {
		return Window{}, fmt.Errorf("%q is not a window; write \"09:00-19:00\"", s)
	}
	end, err := ParseTimeOfDay(to)
	if err != nil {
		return Window{}, fmt.Errorf("%q is not a window; write \"09:00-19:00\"", s)
	}
	if start == end {
		return Window{}, fmt.Errorf("the window %q is empty; its ends must differ", s)
	}
	return Window{start, end}, nil
}

// Contains says whether the clock on the wall, at t in t's zone, is inside.
func (w Window) Contains(t time.Time) bool {
	h, m, s := t.Clock()
	wall := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(t.Nanosecond())
	if w.From < w.To {
		return w.From <= wall && wall < w.To
	}
	return wall >= w.From || wall < w.To
}

// NextOpen gives the first moment at or after now that lies inside the window
// on the clocks of zone; now itself if it does. Quiet hours are closed windows:
// ask with their Complement.
func NextOpen(now time.Time, window string, zone *time.Location) (time.Time, error) {
	w, err := ParseWindow(window)
	if err != nil {
		return time.Time{}, fmt.Errorf("finding the next open moment: %w", err)
	}
	return w.next(now, zone), nil
}

// Complement gives the window in which w is closed: the sending hours that
// quiet hours leave.
func (w Window) Complement() Window { return Window{w.To, w.From} }

// String gives "21:00-08:00".
func (w Window) String() string { return formatTimeOfDay(w.From) + "-" + formatTimeOfDay(w.To) }

func formatTimeOfDay(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d/time.Hour), int(d%time.Hour/time.Minute))
}

func (w Window) next(now time.Time, zone *time.Location) time.Time {
	local := now.In(zone)
	if w.Contains(local) {
		return local
	}
	// A day on which the clocks skip the whole window has no open moment; the
	// days after it do.
	for n := range 8 {
		y, m, d := local.Date()
		if open := wallTime(y, m, d+n, w.From, zone); !open.Before(local) && w.Contains(open) {
			return open
		}
	}
	return local
}
