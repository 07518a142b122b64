package campaign_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"scrip.dev/scrip/campaign"
)

// changing are zones whose clocks change in every way there is: by an hour and by
// half of one, at two in the morning and at midnight, in both hemispheres, not at
// all, and by a whole day (Apia had no 30 December 2011).
var changing = []string{
	"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut",
	"Pacific/Apia", "America/St_Johns", "Asia/Kathmandu", "Africa/Casablanca", "Antarctica/Troll", "America/Santiago", "UTC",
}

// wall is what the clocks of a zone show, as a moment of UTC that compares like it.
func wall(t time.Time, zone *time.Location) time.Time {
	l := t.In(zone)
	return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), 0, time.UTC)
}

// firstAt is the rule, by looking at every minute: the first at which the clocks
// show this or, where they skip it, the first that they show after it.
func firstAt(shown time.Time, zone *time.Location) time.Time {
	_, before := shown.Add(-48 * time.Hour).In(zone).Zone()
	_, after := shown.Add(48 * time.Hour).In(zone).Zone()
	at := shown.Add(-time.Duration(max(before, after))*time.Second - 3*time.Hour)
	for wall(at, zone).Before(shown) {
		at = at.Add(time.Minute)
	}
	return at
}

func drawZone(t *rapid.T) *time.Location {
	zone, err := time.LoadLocation(rapid.SampledFrom(changing).Draw(t, "zone"))
	require.NoError(t, err)
	return zone
}

// drawNear gives a minute, mostly within two days of a change of the clocks, of a
// leap day, or of the end of a year.
func drawNear(t *rapid.T, zone *time.Location) time.Time {
	year := rapid.OneOf(rapid.IntRange(2005, 2036), rapid.Just(2011)).Draw(t, "year")
	near := []time.Time{time.Date(year, 12, 31, 12, 0, 0, 0, time.UTC), time.Date(year, 2, 28, 12, 0, 0, 0, time.UTC)}
	for at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == year; at = at.Add(12 * time.Hour) {
		_, before := at.In(zone).Zone()
		if _, after := at.Add(12 * time.Hour).In(zone).Zone(); before != after {
			near = append(near, at, at)
		}
	}
	return rapid.SampledFrom(near).Draw(t, "near").Add(time.Duration(rapid.IntRange(-48*60, 48*60).Draw(t, "minutes")) * time.Minute)
}

func drawClock(t *rapid.T, name string) time.Duration {
	return time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, name)) * time.Minute
}

func clock(d time.Duration) string { return time.Time{}.Add(d).Format("15:04") }

func TestDate_IsTheFirstMinuteOfThatNameOrTheNextThereIs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := drawZone(t)
		shown := drawNear(t, zone)
		date, err := campaign.ParseDate(shown.Format("2006-01-02 15:04"))
		require.NoError(t, err)
		require.Equal(t, firstAt(shown, zone).UTC(), date.In(zone).UTC(), "%s in %s", shown.Format("2006-01-02 15:04"), zone)
		day, err := campaign.ParseDate(shown.Format(time.DateOnly))
		require.NoError(t, err)
		last := day.Last(zone)
		require.LessOrEqual(t, last.In(zone).Format(time.DateOnly), shown.Format(time.DateOnly))
		require.Greater(t, last.Add(time.Second).In(zone).Format(time.DateOnly), shown.Format(time.DateOnly))
	})
}

func TestResolve_AtIsTheNextMomentOfThatNameOnOneOfTheDays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := drawZone(t)
		start, ofDay := drawNear(t, zone), drawClock(t, "at")
		offset := time.Duration(rapid.IntRange(-72, 72).Draw(t, "offset")) * time.Hour
		days := rapid.SliceOfNDistinct(rapid.SampledFrom([]time.Weekday{0, 1, 2, 3, 4, 5, 6}), 0, 7, func(d time.Weekday) time.Weekday { return d }).Draw(t, "days")
		got := campaign.WaitDoc{Until: "expiry", Offset: offset, Days: days, At: clock(ofDay)}.Resolve(start, start, zone)
		from := start.Add(offset)
		local := from.In(zone)
		for n := range 10 {
			day := time.Date(local.Year(), local.Month(), local.Day()+n, 0, 0, 0, 0, time.UTC)
			want := firstAt(day.Add(ofDay), zone)
			if want.Before(from) || len(days) > 0 && !contains(days, want.In(zone).Weekday()) {
				continue
			}
			require.Equal(t, want.UTC(), got.UTC(), "at %s from %s in %s", clock(ofDay), local, zone)
			return
		}
		require.Fail(t, "no day fits")
	})
}

func contains(days []time.Weekday, day time.Weekday) bool {
	for _, d := range days {
		if d == day {
			return true
		}
	}
	return false
}

func TestNextOpen_IsTheFirstMomentInsideTheWindow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := drawZone(t)
		now, from := drawNear(t, zone), drawClock(t, "from")
		to := (from + time.Duration(rapid.IntRange(1, 24*60-1).Draw(t, "length"))*time.Minute) % (24 * time.Hour)
		window, err := campaign.ParseWindow(clock(from) + "-" + clock(to))
		require.NoError(t, err)
		for _, w := range []campaign.Window{window, window.Complement()} {
			open, err := campaign.NextOpen(now, w.String(), zone)
			require.NoError(t, err)
			require.False(t, open.Before(now))
			require.True(t, w.Contains(open.In(zone)), "%s is not inside %s in %s", open.In(zone), w, zone)
			for at := now; at.Before(open); at = at.Add(time.Minute) {
				// A time that occurs twice means the first.
				if w.Contains(at.In(zone)) {
					require.False(t, firstAt(wall(at, zone), zone).Equal(at), "%s was inside %s in %s before %s", at.In(zone), w, zone, open)
				}
			}
		}
	})
}

func TestExpiry_InDaysLastsToTheEndOfItsLastDay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := drawZone(t)
		claimed, days := drawNear(t, zone), rapid.IntRange(1, 400).Draw(t, "days")
		length := time.Duration(days) * 24 * time.Hour
		expires, ok := campaign.ExpiryOf(campaign.Coupon{ValidFor: length, ValidForDays: true}, claimed, zone)
		require.True(t, ok)
		local := claimed.In(zone)
		last := time.Date(local.Year(), local.Month(), local.Day()+days, 12, 0, 0, 0, time.UTC).Format(time.DateOnly)
		require.LessOrEqual(t, expires.In(zone).Format(time.DateOnly), last)
		require.Greater(t, expires.Add(time.Second).In(zone).Format(time.DateOnly), last)
		exact, ok := campaign.ExpiryOf(campaign.Coupon{ValidFor: length}, claimed, zone)
		require.True(t, ok)
		require.Equal(t, length, exact.Sub(claimed), "in hours it is exact")
	})
}
