package campaign_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
)

// FuzzParse: a file either gives documents or says why not, with a place; what it
// gives compiles, and each document alone gives itself again.
func FuzzParse(f *testing.F) {
	for _, c := range wrong {
		f.Add(c.src)
	}
	for _, name := range examples(f) {
		src, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(string(src))
	}
	f.Add("coupon: a\ndiscount: {amount: 1e9, currency: EUR}\ncodes: {generate: \"X-####\"}\nvalid_for: 3d\n")
	f.Add("segment: a\nwhere: contact.tagged(\"x\")\n---\ncampaign: b\ntrigger: manual\nsteps: [{tag: a}]\n")
	f.Add("x-a: &a [*a, *a]\n")
	f.Fuzz(func(t *testing.T, src string) {
		file, problems := campaign.Parse("f.yaml", []byte(src))
		if len(file.Campaigns)+len(file.Coupons)+len(file.Segments) == 0 {
			require.NotEmpty(t, problems)
		}
		for _, p := range problems {
			require.Positive(t, p.Pos.Line)
			require.NotEmpty(t, p.Message)
		}
		for _, c := range file.Campaigns {
			_, err := c.Compile(1)
			require.NoError(t, err)
			again, problems := campaign.Parse("alone", []byte(c.Source))
			require.NoError(t, problems.Err())
			require.Len(t, again.Campaigns, 1)
		}
		for _, c := range file.Coupons {
			require.LessOrEqual(t, len(c.Discount.Amount.String())+len(c.Limits.MinOrder.String()), 100)
			again, problems := campaign.Parse("alone", []byte(c.Source))
			require.NoError(t, problems.Err())
			require.Len(t, again.Coupons, 1)
		}
		campaign.Link([]*campaign.File{file}, campaign.Project{})
	})
}

// FuzzCompileCondition: an expression compiles or has a problem with a place;
// evaluated, it gives the same over the same data.
func FuzzCompileCondition(f *testing.F) {
	for _, s := range []string{
		`contact.count("a.b", "3d") > 1`, `event.x.exists(t, t in ["a"])`, `!contact.tagged("x") && ago("1d") < now`, `has(event.x) ? true : false`,
		`event.s.matches("(a+)+$")`, `event.x.map(y, event.x.map(z, y + z)).size() > 3`, `event.deep.a.b[0] == {"c": [1, 2]}`,
		`duration("1h") + now > timestamp("2026-01-01T00:00:00Z")`, `b"\xff" == bytes(event.s)`, `-9223372036854775808 / event.n == 0u`, `size(event.s + event.s) > 5`,
	} {
		f.Add(s)
	}
	data := campaign.Data{
		Contact: map[string]any{"tags": []string{"x"}, "name": "Anna"}, Now: time.Unix(0, 0),
		Event:   map[string]any{"x": []any{"a", "b"}, "s": "aaaaaaaaaaaaaaaaaaaaaab", "n": -1.0, "deep": map[string]any{"a": map[string]any{"b": []any{map[string]any{}}}}},
		Answers: map[string]any{`count("a.b","3d")`: 2},
	}
	f.Fuzz(func(t *testing.T, src string) {
		c, problems := campaign.CompileCondition(src, campaign.InStep, campaign.Pos{File: "f", Line: 1, Column: 1})
		if c == nil {
			require.NotEmpty(t, problems)
			require.Positive(t, problems[0].Pos.Line)
			return
		}
		require.Equal(t, src, c.Source())
		first, err := c.Eval(data)
		second, again := c.Eval(data)
		require.Equal(t, first, second)
		require.Equal(t, err == nil, again == nil)
		require.False(t, err != nil && first, "what fails does not hold")
	})
}

// FuzzLook: of a file that isn't understood, what is told fits into memory.
func FuzzLook(f *testing.F) {
	for _, name := range examples(f) {
		src, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(src)
	}
	f.Add([]byte("campaign: a\ntrigger: {event: [a.b, [c.d]]}\nsteps: &s [{event: a.b, then: *s}]\n"))
	f.Add([]byte("a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		glimpse := campaign.Look(src)
		size := 0
		for _, rule := range glimpse.Rules {
			size += len(rule.Match)
			for _, name := range rule.Events {
				size += len(name)
			}
		}
		require.LessOrEqual(t, size, 1<<20+64*len(src))
	})
}

// FuzzParseDuration: what is read is written so that it reads the same.
func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"1d12h", "-24h", "2w", "99999999999999999999d", "+"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := campaign.ParseDuration(s)
		if err != nil {
			return
		}
		require.LessOrEqual(t, d.Abs(), 10*366*24*time.Hour)
		again, err := campaign.ParseDuration(campaign.FormatDuration(d))
		require.NoError(t, err)
		require.Equal(t, d, again)
	})
}

// FuzzParseWindow: a window reads back as itself, holds half or less of what its
// complement leaves, and opens within a week of any moment.
func FuzzParseWindow(f *testing.F) {
	f.Add("21:00-08:00", int64(1e9))
	f.Add("00:00-23:59", int64(-1))
	f.Add("02:30-02:45", int64(1774742400)) // the night in which clocks change
	f.Add("9:00-19:00", int64(0))
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s string, seconds int64) {
		w, err := campaign.ParseWindow(s)
		if err != nil {
			return
		}
		require.Equal(t, s, w.String())
		now := time.Unix(seconds%(1<<33), 0).In(berlin)
		require.NotEqual(t, w.Contains(now), w.Complement().Contains(now))
		open, err := campaign.NextOpen(now, s, berlin)
		require.NoError(t, err)
		require.False(t, open.Before(now))
		require.LessOrEqual(t, open.Sub(now), 9*24*time.Hour)
	})
}

// FuzzParseDate: a date begins and ends on itself, in any zone.
func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2026-09-21", "2026-03-29 02:30", "2026-09-21T08:00", "0000-01-01", "9999-12-31 23:59", "2026-02-30"} {
		f.Add(s, "Europe/Berlin")
	}
	f.Add("2011-12-30", "Pacific/Apia") // a day that the clocks left out
	f.Fuzz(func(t *testing.T, s, name string) {
		d, err := campaign.ParseDate(s)
		if err != nil {
			return
		}
		z, err := campaign.Location(name)
		if err != nil {
			return
		}
		first, last := d.In(z), d.Last(z)
		require.False(t, last.Add(time.Second).Before(first), "%s to %s", first, last)
		if !d.HasTime {
			require.LessOrEqual(t, last.Sub(first), 49*time.Hour)
		}
	})
}

// FuzzEntryKey: the same event gives the same key, and a number is the same in every
// spelling of JSON.
func FuzzEntryKey(f *testing.F) {
	f.Add("event.order.id", "A-1", 1.0)
	f.Add("order..id.", "", 1e300)
	f.Add(strings.Repeat("a.", 1000), "x", -0.0)
	f.Fuzz(func(t *testing.T, path, value string, number float64) {
		fields := map[string]any{"order": map[string]any{"id": value, "number": number}, "a": map[string]any{}, "key": value}
		c := &campaign.Campaign{}
		c.Entry.Key = path
		key, ok := c.EntryKey("ev_1", fields)
		again, okAgain := c.EntryKey("ev_1", fields)
		require.Equal(t, key, again)
		require.Equal(t, ok, okAgain)
		require.LessOrEqual(t, len(campaign.Text(number)), 400)
		_, _ = campaign.Data{Event: fields, Contact: fields}.Time(path, time.UTC)
	})
}
