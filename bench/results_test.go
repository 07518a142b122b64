package bench

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Result is one figure.
type Result struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Limit float64 `json:"limit"` // in the same unit; 0: there is none
	Ratio float64 `json:"ratio"` // the median of the rounds' ratios of value to limit
	Goal  string  `json:"goal"`
	Met   bool    `json:"met"`

	Least float64 `json:"least,omitempty"` // of the rounds' ratios
	Most  float64 `json:"most,omitempty"`
	Note  string  `json:"note,omitempty"` // what it was held against, and how
}

const (
	resultsFile = "results.json"
	readme      = "../README.md"
	tableBegins = "<!-- bench: `make bench` writes this table -->\n"
	tableEnds   = "<!-- end of bench -->\n"
)

// write puts results into the place of earlier ones of their names.
func write(t testing.TB, results ...Result) {
	t.Helper()
	var all []Result
	old, err := os.ReadFile(resultsFile)
	if err == nil {
		err = json.Unmarshal(old, &all)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	for _, r := range results {
		tell("%s: %.4g %s; limit %.4g; ratio %.3f (%.3f to %.3f); goal %s: %v; %s", r.Name, r.Value, r.Unit, r.Limit, r.Ratio, r.Least, r.Most, r.Goal, r.Met, r.Note)
		all = slices.DeleteFunc(all, func(o Result) bool { return o.Name == r.Name })
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Result) int { return cmp.Compare(a.Name, b.Name) })
	text, err := json.MarshalIndent(all, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(resultsFile, append(text, '\n'), 0o644))
	page, err := os.ReadFile(readme)
	require.NoError(t, err)
	before, rest, begun := strings.Cut(string(page), tableBegins)
	_, after, ended := strings.Cut(rest, tableEnds)
	require.True(t, begun && ended, "the README has a place for the table, between %q and %q", tableBegins, tableEnds)
	require.NoError(t, os.WriteFile(readme, []byte(before+tableBegins+table(all)+tableEnds+after), 0o644))
}

func table(results []Result) string {
	var b strings.Builder
	b.WriteString("\n| | measured | limit | ratio | goal |\n|---|---|---|---|---|\n")
	for _, r := range results {
		limit, ratio := "", ""
		if r.Limit != 0 {
			limit, ratio = figure(r.Limit), fmt.Sprintf("%.2f", r.Ratio)
		}
		goal := r.Goal
		if !r.Met {
			goal += " (missed)"
		}
		fmt.Fprintf(&b, "| `%s` | %s %s | %s | %s | %s |\n", r.Name, figure(r.Value), r.Unit, limit, ratio, goal)
	}
	b.WriteString("\n")
	return b.String()
}

// figure writes three digits that count.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// median and the ends of what is sorted here.
func median(values []float64) (middle, least, most float64) {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2], sorted[0], sorted[len(sorted)-1]
}

// tell says what was measured as soon as it was: a benchmark's own log keeps ten
// lines.
func tell(format string, args ...any) { fmt.Printf(format+"\n", args...) }
