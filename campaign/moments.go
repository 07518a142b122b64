package campaign

import (
	"fmt"
	"slices"
	"time"
)

// ExpiryGrace is how long after a code's expiry the file's `until: expiry` and
// `code.expired` come: for webhooks of orders that were placed in time.
const ExpiryGrace = 10 * time.Minute

// ExpiryOf gives the moment after which a code of the coupon, claimed at the
// given moment, is no longer valid. ok is false where it never expires. Both
// rules of a coupon hold: the earlier moment counts.
//
// A validity in whole days ends at 23:59:59 of its last day in zone, because
// customers read a date; one in hours is exact. ValidUntil without a time of day
// lasts to the end of that day.
func ExpiryOf(c Coupon, claimed time.Time, zone *time.Location) (expires time.Time, ok bool) {
	if c.ValidFor > 0 {
		expires, ok = claimed.Add(c.ValidFor).In(zone), true
		if c.ValidForDays {
			y, m, d := claimed.In(zone).Date()
			expires = wallTime(y, m, d+int(c.ValidFor/day)+1, 0, zone).Add(-time.Second)
		}
	}
	if c.ValidUntil != "" {
		if date, err := ParseDate(c.ValidUntil); err == nil {
			if last := date.Last(zone); !ok || last.Before(expires) {
				expires, ok = last, true
			}
		}
	}
	return expires, ok
}

// ValidFromOf gives the moment from which codes of the coupon may be used; ok
// is false where they may be used at once.
func ValidFromOf(c Coupon, zone *time.Location) (from time.Time, ok bool) {
	date, err := ParseDate(c.ValidFrom)
	if err != nil {
		return time.Time{}, false
	}
	return date.In(zone), true
}

// Resolve gives the moment at which the wait ends, in the contact's zone. start
// is when the wait began. until is what Until stands for (an expiry or the value
// of a path, worked out by the caller); it is not looked at where Until is empty
// or a date, which is read in zone. A moment in the past is returned as it is:
// the wait is over at once.
//
// First For, or Until plus Offset, then the next of Days, then the next At or
// Between.
func (w WaitDoc) Resolve(start, until time.Time, zone *time.Location) time.Time {
	at := start.Add(w.For)
	if w.Until != "" {
		at = until.Add(w.Offset)
		if date, err := ParseDate(w.Until); err == nil {
			at = date.In(zone).Add(w.Offset)
		}
	}
	at = at.In(zone)
	if len(w.Days) == 0 && w.At == "" && w.Between == "" {
		return at
	}
	if w.At != "" {
		if ofDay, err := ParseTimeOfDay(w.At); err == nil {
			return w.nextAt(at, ofDay, zone)
		}
	}
	if w.Between != "" {
		if window, err := ParseWindow(w.Between); err == nil {
			return w.nextBetween(at, window, zone)
		}
	}
	return w.nextDay(at, zone)
}

// open says whether a day of the week is one of Days.
func (w WaitDoc) open(t time.Time) bool {
	return len(w.Days) == 0 || slices.Contains(w.Days, t.Weekday())
}

// nextDay gives at itself, or the start of the next day that is one of Days.
func (w WaitDoc) nextDay(at time.Time, zone *time.Location) time.Time {
	y, m, d := at.Date()
	for n := 0; !w.open(at) && n < 8; n++ {
		at = wallTime(y, m, d+n+1, 0, zone)
	}
	return at
}

// nextAt gives the first moment at or after at that shows ofDay on one of Days.
func (w WaitDoc) nextAt(at time.Time, ofDay time.Duration, zone *time.Location) time.Time {
	y, m, d := at.Date()
	for n := range 9 {
		t := wallTime(y, m, d+n, ofDay, zone)
		if !t.Before(at) && w.open(t) {
			return t
		}
	}
	return at
}

// nextBetween gives the first moment at or after at inside the window on one of
// Days.
func (w WaitDoc) nextBetween(at time.Time, window Window, zone *time.Location) time.Time {
	for range 9 {
		at = window.next(w.nextDay(at, zone), zone)
		if w.open(at) {
			return at
		}
	}
	return at
}

// Location loads a time zone by its IANA name.
func Location(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is not a time zone; write Area/City, such as Europe/Berlin, or UTC", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone; write Area/City, such as Europe/Berlin, or UTC", name)
	}
	return zone, nil
}
