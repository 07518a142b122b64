package campaign

import "time"

// Clock makes time pass faster, for development: an hour in a second. Start is
// the moment at which it and the real time agree. A Scale of 0 or 1 is the real
// time itself.
type Clock struct {
	Start time.Time `json:"start"`
	Scale float64   `json:"scale"` // virtual seconds in a real one
}

// real says whether the clock is the real time.
func (c Clock) real() bool { return c.Scale <= 0 || c.Scale == 1 }

// Virtual gives the campaign's time at a real moment.
func (c Clock) Virtual(real time.Time) time.Time {
	if c.real() {
		return real
	}
	return c.Start.Add(time.Duration(float64(real.Sub(c.Start)) * c.Scale))
}

// Real gives the real moment of a campaign's time; the inverse of Virtual, to
// the microsecond.
func (c Clock) Real(virtual time.Time) time.Time {
	if c.real() {
		return virtual
	}
	return c.Start.Add(c.Shorten(virtual.Sub(c.Start)))
}

// Shorten gives the real duration in which d passes on this clock.
func (c Clock) Shorten(d time.Duration) time.Duration {
	if c.real() {
		return d
	}
	return time.Duration(float64(d) / c.Scale)
}
