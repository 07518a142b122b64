package campaign

import (
	"fmt"
	"time"
)

// wallTime is the moment at which the clocks of zone show the given time of
// day. One that the clocks skip becomes the first minute after the gap; one
// that they show twice means the first.
func wallTime(year int, month time.Month, dayOfMonth int, ofDay time.Duration, zone *time.Location) time.Time {
	noon := time.Date(year, month, dayOfMonth, 12, 0, 0, 0, time.UTC)
	y, m, d := noon.Date()
	h, minute, second := int(ofDay/time.Hour), int(ofDay%time.Hour/time.Minute), int(ofDay%time.Minute/time.Second)
	// Go picks one of two readings at a change of the clocks and does not say
	// which; trying the offsets of the day before and the day after finds both.
	naive := time.Date(y, m, d, h, minute, second, 0, time.UTC)
	before, after := offsetAt(naive.Add(-36*time.Hour), zone), offsetAt(naive.Add(36*time.Hour), zone)
	var first time.Time
	for _, offset := range []time.Duration{before, after, offsetAt(time.Date(y, m, d, h, minute, second, 0, zone), zone)} {
		t := naive.Add(-offset).In(zone)
		if sameWall(t, naive) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if !first.IsZero() {
		return first
	}
	return endOfGap(naive, zone)
}

// endOfGap gives the first minute that exists after a local time that doesn't:
// the moment of the change itself, to which every skipped minute moves.
func endOfGap(naive time.Time, zone *time.Location) time.Time {
	low, high := naive.Add(-36*time.Hour), naive.Add(36*time.Hour)
	wallAt := func(t time.Time) time.Time {
		_, offset := t.In(zone).Zone()
		return t.Add(time.Duration(offset) * time.Second)
	}
	for high.Sub(low) > time.Second {
		middle := low.Add(high.Sub(low) / 2).Truncate(time.Second)
		if wallAt(middle).Before(naive) {
			low = middle
		} else {
			high = middle
		}
	}
	return high.In(zone)
}

func offsetAt(t time.Time, zone *time.Location) time.Duration {
	_, seconds := t.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

func sameWall(t, naive time.Time) bool {
	return t.Format(time.DateTime) == naive.Format(time.DateTime)
}

// Date is a date of a campaign file: "2026-09-21" or "2026-09-21 08:00".
type Date struct {
	Year    int
	Month   time.Month
	Day     int
	Clock   time.Duration // since midnight
	HasTime bool
}

// ParseDate reads "2026-09-21", "2026-09-21 08:00" or "2026-09-21T08:00".
func ParseDate(s string) (Date, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		clock := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
		return Date{t.Year(), t.Month(), t.Day(), clock, layout != time.DateOnly}, nil
	}
	return Date{}, fmt.Errorf("%q is not a date; write \"2026-09-21\" or \"2026-09-21 08:00\"", s)
}

// In gives the moment in a zone; without a time of day, the start of the day.
func (d Date) In(zone *time.Location) time.Time {
	return wallTime(d.Year, d.Month, d.Day, d.Clock, zone)
}

// Last gives the last second of the date in a zone, or its very moment where it
// has a time of day.
func (d Date) Last(zone *time.Location) time.Time {
	if d.HasTime {
		return d.In(zone)
	}
	return wallTime(d.Year, d.Month, d.Day+1, 0, zone).Add(-time.Second)
}
