package campaign_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"scrip.dev/scrip/campaign"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := campaign.Location(name)
	require.NoError(t, err)
	return z
}

func at(t testing.TB, z *time.Location, s string) time.Time {
	t.Helper()
	parsed, err := time.ParseInLocation("2006-01-02 15:04:05", s, z)
	require.NoError(t, err)
	return parsed
}

func TestParseDuration_ReadsWhatFilesWrite(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for s, want := range map[string]time.Duration{"90s": 90 * time.Second, "15m": 15 * time.Minute, "36h": 36 * time.Hour, "3d": 3 * day, "2w": 14 * day, "1d12h": 36 * time.Hour, "-24h": -day, "+1d": day, "0s": 0} {
		got, err := campaign.ParseDuration(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "5", "d", "1x", "1h1d", "1d1d", "1.5h", "--1d", "1 d", "999999999w", "1d 2h", "９d"} {
		_, err := campaign.ParseDuration(s)
		require.Error(t, err, s)
	}
}

func TestFormatDuration_IsReadBackAsTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(-1e8, 1e8).Draw(t, "seconds")) * time.Second
		got, err := campaign.ParseDuration(campaign.FormatDuration(d))
		require.NoError(t, err)
		require.Equal(t, d, got)
	})
}

func TestExpiryOf_EndsDaysWithTheirLastSecondAndHoursExactly(t *testing.T) {
	t.Parallel()
	berlin := zone(t, "Europe/Berlin")
	claimed := at(t, berlin, "2026-03-27 15:30:00") // clocks change on the 29th
	coupon := func(src string) campaign.Coupon {
		file, problems := campaign.Parse("f.yaml", []byte("coupon: a\ndiscount: {percentage: 10}\ncodes: {list: true}\n"+src))
		require.NoError(t, problems.Err())
		return *file.Coupons[0]
	}
	for src, want := range map[string]string{
		"valid_for: 3d\n":                     "2026-03-30 23:59:59",
		"valid_for: 1w\n":                     "2026-04-03 23:59:59",
		"valid_for: 48h\n":                    "2026-03-29 16:30:00",
		"valid_for: 1d12h\n":                  "2026-03-29 04:30:00",
		"valid_until: \"2026-04-01\"\n":       "2026-04-01 23:59:59",
		"valid_until: \"2026-04-01 12:00\"\n": "2026-04-01 12:00:00",
	} {
		expires, ok := campaign.ExpiryOf(coupon(src), claimed.UTC(), berlin)
		require.True(t, ok)
		require.Equal(t, want, expires.In(berlin).Format(time.DateTime), src)
	}
	_, ok := campaign.ExpiryOf(coupon(""), claimed, berlin)
	require.False(t, ok)
	both := coupon("valid_for: 30d\n")
	both.ValidUntil = "2026-04-01"
	expires, _ := campaign.ExpiryOf(both, claimed, berlin)
	require.Equal(t, "2026-04-01 23:59:59", expires.Format(time.DateTime))
	both.ValidUntil = "2027-04-01"
	expires, _ = campaign.ExpiryOf(both, claimed, berlin)
	require.Equal(t, "2026-04-26 23:59:59", expires.Format(time.DateTime))
}

func TestExpiryOf_EndsADayThatLosesItsMidnight(t *testing.T) {
	t.Parallel()
	// In 2018 São Paulo's clocks went from 3 November 23:59:59 to 4 November 01:00.
	paulo := zone(t, "America/Sao_Paulo")
	expires, ok := campaign.ExpiryOf(campaign.Coupon{ValidFor: 24 * time.Hour, ValidForDays: true}, at(t, paulo, "2018-11-02 10:00:00"), paulo)
	require.True(t, ok)
	require.Equal(t, "2018-11-03 23:59:59", expires.Format(time.DateTime))
}

func TestResolve_GoesFromDurationToDaysToTimeOfDay(t *testing.T) {
	t.Parallel()
	berlin := zone(t, "Europe/Berlin")
	start := at(t, berlin, "2026-09-18 17:00:00") // a Friday
	expiry := at(t, berlin, "2026-09-25 23:59:59")
	weekdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	for name, c := range map[string]struct {
		wait campaign.WaitDoc
		want string
	}{
		"for":                   {campaign.WaitDoc{For: 48 * time.Hour}, "2026-09-20 17:00:00"},
		"until expiry":          {campaign.WaitDoc{Until: "expiry", Offset: -48 * time.Hour}, "2026-09-23 23:59:59"},
		"expiry at":             {campaign.WaitDoc{Until: "expiry", Offset: -48 * time.Hour, At: "10:00"}, "2026-09-24 10:00:00"},
		"a date":                {campaign.WaitDoc{Until: "2026-09-21 08:00"}, "2026-09-21 08:00:00"},
		"a past date":           {campaign.WaitDoc{Until: "2026-09-01"}, "2026-09-01 00:00:00"},
		"at, later today":       {campaign.WaitDoc{At: "18:00"}, "2026-09-18 18:00:00"},
		"at, now":               {campaign.WaitDoc{At: "17:00"}, "2026-09-18 17:00:00"},
		"at, tomorrow":          {campaign.WaitDoc{At: "16:59"}, "2026-09-19 16:59:00"},
		"days":                  {campaign.WaitDoc{Days: []time.Weekday{time.Monday}}, "2026-09-21 00:00:00"},
		"days at":               {campaign.WaitDoc{Days: weekdays, At: "16:00"}, "2026-09-21 16:00:00"},
		"two hours and between": {campaign.WaitDoc{For: 2 * time.Hour, Between: "09:00-19:00"}, "2026-09-19 09:00:00"},
		"between on weekdays":   {campaign.WaitDoc{For: 2 * time.Hour, Days: weekdays, Between: "09:00-19:00"}, "2026-09-21 09:00:00"},
		"open already":          {campaign.WaitDoc{Between: "09:00-19:00"}, "2026-09-18 17:00:00"},
		"over midnight":         {campaign.WaitDoc{Between: "22:00-02:00"}, "2026-09-18 22:00:00"},
	} {
		require.Equal(t, c.want, c.wait.Resolve(start.UTC(), expiry.UTC(), berlin).In(berlin).Format(time.DateTime), name)
	}
}

func TestResolve_AtAChangeOfTheClocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, start, at, want string }{
		// Berlin skips 02:00 to 03:00 on 29 March 2026 and has it twice on 25 October.
		{"Europe/Berlin", "2026-03-28 20:00:00", "02:30", "2026-03-29T03:00:00+02:00"},
		{"Europe/Berlin", "2026-10-24 20:00:00", "02:30", "2026-10-25T02:30:00+02:00"},
		{"Europe/Berlin", "2026-10-24 20:00:00", "03:00", "2026-10-25T03:00:00+01:00"},
		// São Paulo skipped midnight itself.
		{"America/Sao_Paulo", "2018-11-03 20:00:00", "00:30", "2018-11-04T01:00:00-02:00"},
		{"America/Sao_Paulo", "2018-02-17 20:00:00", "23:30", "2018-02-17T23:30:00-02:00"},
		// Samoa skipped a whole day.
		{"Pacific/Apia", "2011-12-29 20:00:00", "10:00", "2011-12-31T00:00:00+14:00"},
		// Lord Howe moves by half an hour.
		{"Australia/Lord_Howe", "2026-10-03 20:00:00", "02:15", "2026-10-04T02:30:00+11:00"},
	} {
		z := zone(t, c.zone)
		got := campaign.WaitDoc{At: c.at}.Resolve(at(t, z, c.start), time.Time{}, z)
		require.Equal(t, c.want, got.Format(time.RFC3339), "%s %s", c.zone, c.at)
	}
}

func TestNextOpen_IsInsideTheWindowAndTheFirstSuchMinute(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		z, err := time.LoadLocation(name)
		require.NoError(t, err)
		now := time.Unix(rapid.Int64Range(1.3e9, 1.9e9).Draw(t, "now")/60*60, 0)
		minute := rapid.IntRange(0, 1439)
		from, to := minute.Draw(t, "from"), minute.Draw(t, "to")
		if from == to {
			to = (to + 1) % 1440
		}
		window := campaign.Window{From: time.Duration(from) * time.Minute, To: time.Duration(to) * time.Minute}
		got, err := campaign.NextOpen(now, window.String(), z)
		require.NoError(t, err)
		require.False(t, got.Before(now))
		require.True(t, window.Contains(got), "%s %s in %s", window, got, name)
		require.Less(t, got.Sub(now), 51*time.Hour)
		for m := now; m.Before(got); m = m.Add(time.Minute) {
			require.False(t, window.Contains(m.In(z)), "%s was open before %s", m.In(z), got)
		}
	})
}

func TestNextOpen_QuietHours(t *testing.T) {
	t.Parallel()
	quiet, err := campaign.ParseWindow("21:00-08:00")
	require.NoError(t, err)
	require.Equal(t, "08:00-21:00", quiet.Complement().String())
	berlin := zone(t, "Europe/Berlin")
	got, err := campaign.NextOpen(at(t, berlin, "2026-09-18 23:10:00"), quiet.Complement().String(), berlin)
	require.NoError(t, err)
	require.Equal(t, "2026-09-19 08:00:00", got.Format(time.DateTime))
	for _, s := range []string{"", "9-10", "09:00-09:00", "09:00", "24:00-08:00", "09:00-19:00-20:00"} {
		_, err := campaign.NextOpen(time.Now(), s, berlin)
		require.Error(t, err, s)
	}
}

func TestResolve_NeverEndsBeforeItsDuration(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		z, err := time.LoadLocation(rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia"}).Draw(t, "zone"))
		require.NoError(t, err)
		wait := campaign.WaitDoc{For: time.Duration(rapid.IntRange(0, 500).Draw(t, "hours")) * time.Hour}
		for d := range 7 {
			if rapid.Bool().Draw(t, "day") {
				wait.Days = append(wait.Days, time.Weekday(d))
			}
		}
		switch rapid.IntRange(0, 2).Draw(t, "form") {
		case 1:
			wait.At = campaign.Window{From: time.Duration(rapid.IntRange(0, 1439).Draw(t, "at")) * time.Minute}.String()[:5]
		case 2:
			wait.Between = "09:00-19:00"
		}
		start := time.Unix(rapid.Int64Range(1.3e9, 1.9e9).Draw(t, "start"), 0)
		end := wait.Resolve(start, time.Time{}, z)
		require.False(t, end.Before(start.Add(wait.For)))
		require.Less(t, end.Sub(start.Add(wait.For)), 9*24*time.Hour)
	})
}

func TestClock_RunsFasterAndBack(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 9, 21, 10, 0, 0, 0, time.UTC)
	fast := campaign.Clock{Start: start, Scale: 3600}
	require.Equal(t, start.Add(time.Hour), fast.Virtual(start.Add(time.Second)))
	require.Equal(t, start.Add(time.Second), fast.Real(start.Add(time.Hour)))
	require.Equal(t, 24*time.Second, fast.Shorten(24*time.Hour))
	for _, identity := range []campaign.Clock{{}, {Start: start, Scale: 1}} {
		require.Equal(t, start.Add(time.Hour), identity.Virtual(start.Add(time.Hour)))
		require.Equal(t, start.Add(time.Hour), identity.Real(start.Add(time.Hour)))
		require.Equal(t, time.Hour, identity.Shorten(time.Hour))
	}
	rapid.Check(t, func(t *rapid.T) {
		real := start.Add(time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "since")))
		require.WithinDuration(t, real, fast.Real(fast.Virtual(real)), time.Microsecond)
	})
}
