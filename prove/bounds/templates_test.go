package bounds

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/template"
)

const head = "---\nsubject: s\nlayout: none\n---\n"

// text64k is the longest value that a field of an event has; lists and maps are as
// large as a webhook's body lets them be.
var text64k = strings.Repeat("<&\" a\n", 64<<10/6)

func hostileVars() map[string]any {
	list := make([]any, 5000)
	for i := range list {
		list[i] = map[string]any{"title": strings.Repeat("x", 100), "tags": []any{"a", "b"}, "n": float64(i)}
	}
	deep := any("end")
	for range 2000 {
		deep = map[string]any{"in": deep}
	}
	return map[string]any{
		"now":     time.Date(2026, 9, 21, 3, 0, 0, 0, time.UTC),
		"contact": map[string]any{"name": "Anna", "n": 2_000_000_000},
		"event":   map[string]any{"text": text64k, "list": list, "raw": map[string]any{"list": list, "deep": deep}},
	}
}

// attack is a template that wants too much, and the error that it ends with. nil is
// for one that turns out to be harmless.
type attack struct {
	text string
	ends error
	says string // where the error has no name
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// attacks are tried as the HTML part of a mail.
var attacks = map[string]attack{
	"a range of a thousand million":           {text: `{% for i in (1..1000000000) %}{% endfor %}`, ends: template.ErrTooLong},
	"a range as long as a contact says":       {text: `{% for i in (1..contact.n) %}{% endfor %}`, ends: template.ErrTooLong},
	"a range that only continues":             {text: `{% for i in (1..1000000000) limit: 900000000 %}{% continue %}{% endfor %}`, ends: template.ErrTooLong},
	"a range, backwards":                      {text: `{% for i in (1..1000000000) reversed %}{% endfor %}`, ends: template.ErrTooLong},
	"a table of a thousand million":           {text: `{% tablerow i in (1..1000000000) cols: 2 %}{% endtablerow %}`, ends: template.ErrTooLong},
	"loops in loops":                          {text: `{% for a in event.list %}{% for b in event.list %}{% for c in event.list %}{% endfor %}{% endfor %}{% endfor %}`, ends: template.ErrTooLong},
	"a turn that takes long":                  {text: `{% for i in (1..19999) %}` + repeat(`{% if event.text contains "zz" %}{% endif %}`, 4000) + `{% endfor %}`, ends: template.ErrTooLong},
	"a loop that prints much":                 {text: `{% for i in (1..19999) %}{{ event.text }}{% endfor %}`, ends: template.ErrTooLarge},
	"a loop of text":                          {text: `{% for i in (1..19999) %}` + repeat("y", 50_000) + `{% endfor %}`, ends: template.ErrTooLarge},
	"a captured loop of text":                 {text: `{% capture c %}{% for i in (1..19999) %}` + repeat("y", 50_000) + `{% endfor %}{% endcapture %}{{ 1 }}`, ends: template.ErrTooLarge},
	"captures that double":                    {text: `{% assign s = event.text %}` + repeat(`{% capture s %}{{ s }}{{ s }}{% endcapture %}`, 40) + `{{ s }}`, ends: template.ErrTooLarge},
	"a billion laughs of captures":            {text: `{% capture a %}lol{% endcapture %}` + repeat(`{% capture a %}`+repeat(`{{ a }}`, 10)+`{% endcapture %}`, 12) + `{{ a }}`, ends: template.ErrTooLarge},
	"a capture that prints often":             {text: `{% capture c %}` + repeat(`{{ event.text }}`, 10_000) + `{% endcapture %}{{ 1 }}`, ends: template.ErrTooLarge},
	"append that doubles":                     {text: `{% assign s = "ab" %}{% for i in (1..1000) %}{% assign s = s | append: s %}{% endfor %}`, ends: template.ErrTooLarge},
	"append in one expression":                {text: `{{ event.text` + repeat(` | append: event.text`, 100) + ` | size }}`},
	"append without end":                      {text: `{{ event.text` + repeat(` | upcase`, 150) + ` }}`, says: "more than 100 filters"},
	"prepend that doubles":                    {text: `{% assign s = event.text %}{% for i in (1..1000) %}{% assign s = s | prepend: s %}{% endfor %}`, ends: template.ErrTooLarge},
	"concat that doubles":                     {text: `{% assign l = event.list %}{% for i in (1..1000) %}{% assign l = l | concat: l %}{% endfor %}`, ends: template.ErrTooLarge},
	"replace by much":                         {text: `{{ event.text | replace: "a", event.text }}`, ends: template.ErrTooLarge},
	"replace of nothing by much":              {text: `{{ event.text | replace: "", event.text }}`, ends: template.ErrTooLarge},
	"replace_first, again and again":          {text: `{% assign s = event.text %}{% for i in (1..1000) %}{% assign s = s | replace_first: "", s %}{% endfor %}`, ends: template.ErrTooLarge},
	"join by much":                            {text: `{{ event.text | split: "" | join: event.text }}`, ends: template.ErrTooLarge},
	"join of lists in lists":                  {text: `{{ event.list | map: "tags" | concat: event.list | join: event.text }}`, ends: template.ErrTooLarge},
	"split of what split made":                {text: `{% for i in (1..19999) %}{% assign l = event.text | split: "" %}{% endfor %}`, ends: template.ErrTooLarge},
	"uniq of many":                            {text: `{% assign l = event.list | concat: event.list | concat: event.list %}{{ l | uniq | size }}`},
	"uniq of many texts":                      {text: `{% assign l = event.text | split: "" | uniq | size %}{{ l }}`},
	"truncatewords of one long word":          {text: `{{ event.text | replace: " ", "" | truncatewords: 999 | size }}`},
	"truncate to much":                        {text: `{{ event.text | truncate: 1000000000 | size }}`},
	"truncate by much":                        {text: `{{ event.text | truncate: 5, event.text | size }}`},
	"escape of escapes":                       {text: `{{ event.text` + repeat(` | escape`, 99) + ` | size }}`, ends: template.ErrTooLarge},
	"url_encode of what it made":              {text: `{{ event.text` + repeat(` | url_encode`, 99) + ` | size }}`, ends: template.ErrTooLarge},
	"json of much, often":                     {text: `{% for i in (1..1000) %}{% assign j = event.raw | json %}{% endfor %}`, ends: template.ErrTooLarge},
	"sort of much, often":                     {text: `{% for i in (1..19999) %}{% assign l = event.list | sort: "title" %}{% endfor %}`, ends: template.ErrTooLarge},
	"strip_html of brackets":                  {text: `{% assign s = event.text | replace: " ", "<" %}{% for i in (1..100) %}{% assign t = s | strip_html %}{% endfor %}{{ 1 }}`},
	"slice to far":                            {text: `{{ event.text | slice: 0, 1000000000 | size }}`},
	"a wide date":                             {text: `{{ now | date: "` + repeat("%999999d", 20) + `" }}`, says: "more than two digits"},
	"a long format of a date":                 {text: `{{ now | date: event.text }}`, says: "too long"},
	"many small widths":                       {text: `{{ now | date: "` + repeat("%99d", 120) + `" | size }}`},
	"money of a thousand million digits":      {text: `{{ "1e999999999" | money }}`, says: "not a number"},
	"numbers past their ends":                 {text: `{% assign x = 9 %}{% for i in (1..1000) %}{% assign x = x | times: 1000000000 %}{% endfor %}{{ x }}`, says: "rendering"},
	"a division by nothing":                   {text: `{{ 1 | divided_by: 0 }}`, says: "division by zero"},
	"round to many places":                    {text: `{{ 1.5 | round: 1000000000 }}`, says: "rendering"},
	"a deep value":                            {text: `{{ event.raw.deep }}`},
	"a deep value as JSON":                    {text: `{{ event.raw.deep | json | size }}`},
	"include":                                 {text: `{% include "a" %}`, says: "`include` is not supported"},
	"render":                                  {text: `{% render "email" %}`, says: "undefined tag"},
	"layout":                                  {text: `{% layout "email" %}`, says: "undefined tag"},
	"blocks nested without end":               {text: repeat(`{% if now %}`, 6000) + repeat(`{% endif %}`, 6000), says: "nested more than 100 deep"},
	"loops nested without end":                {text: repeat(`{% for i in event.list %}`, 5000) + repeat(`{% endfor %}`, 5000), says: "nested more than 100 deep"},
	"parentheses nested without end":          {text: `{{ ` + repeat("(", 100_000) + `now` + repeat(")", 100_000) + ` }}`, says: "is longer than 2000 bytes"},
	"parentheses nested deep":                 {text: `{{ ` + repeat("(", 900) + `contact.name` + repeat(")", 900) + ` }}`},
	"as many conditions as fit":               {text: `{% if now` + repeat(` and now`, 240) + ` %}a{% endif %}`},
	"as many properties as fit":               {text: `{% if now` + repeat(`.a`, 900) + ` %}a{% endif %}a`},
	"as many words as fit in a cycle":         {text: `{% for i in (1..19999) %}{% cycle ` + repeat(`"x", `, 380) + `"y" %}{% endfor %}`},
	"as many values as fit in a when":         {text: `{% case 5 %}` + repeat(`{% when `+repeat(`1,`, 950)+`1 %}a`, 130) + `{% endcase %}a`},
	"a hundred thousand conditions":           {text: `{% if now` + repeat(` and now`, 25_000) + ` %}a{% endif %}`, says: "is longer than 2000 bytes"},
	"a hundred thousand properties":           {text: `{% if now` + repeat(`.a`, 100_000) + ` %}a{% endif %}a`, says: "is longer than 2000 bytes"},
	"forty thousand variables":                {text: `{% if false %}` + manyVariables(24_000) + `{% endif %}a`},
	"indexes in indexes":                      {text: `{% if event` + repeat(`[event`, 25_000) + repeat(`]`, 25_000) + ` %}a{% endif %}a`, says: "is longer than 2000 bytes"},
	"a huge text in quotes":                   {text: `{{ "` + repeat("x", 250_000) + `" | size }}`, says: "is longer than 2000 bytes"},
	"a huge number":                           {text: `{{ ` + repeat("9", 200_000) + ` }}`, says: "is longer than 2000 bytes"},
	"braces without end":                      {text: repeat("{{", 100_000), says: "not closed"},
	"dashes without end":                      {text: repeat("{%-", 80_000), says: "not closed"},
	"a cycle of many":                         {text: `{% for i in (1..19999) %}{% cycle ` + repeat(`"x", `, 20_000) + `"y" %}{% endfor %}`, says: "is longer than 2000 bytes"},
	"a file that is too large":                {text: repeat("x", 300_000), says: "too large"},
	"a case of many":                          {text: `{% case now %}` + repeat(`{% when 1, 2, 3 %}a`, 10_000) + `{% endcase %}a`},
	"much output":                             {text: repeat(`{{ event.text }}`, 30), ends: template.ErrTooLarge},
	"what a loop's variable says of a layout": {text: `{% for content in (1..30000) %}{% endfor %}`, ends: template.ErrTooLong},
}

func manyVariables(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("{{a")
		for ; i > 0; i /= 26 {
			b.WriteByte(byte('a' + i%26))
		}
		b.WriteString("}}")
	}
	return b.String()
}

// templateMemory bounds what a process holds while it renders any one of them: the
// test binary itself, the data, and what a rendering may make.
const templateMemory = 192 << 20

// Whatever a template wants, rendering it ends, with an error that says what was too
// much, in bounded memory, and the process lives on.
func TestTemplates_EndWithinTheirBounds(t *testing.T) {
	if name := os.Getenv(childVariable); name != "" {
		a, known := attacks[name]
		require.True(t, known)
		confined(t)
		began := time.Now()
		err := a.run(t)
		t.Logf("lived on after %s: %v", time.Since(began).Round(time.Millisecond), err)
		return
	}
	most, names := peak(0), slices.Sorted(maps.Keys(attacks))
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			used := alone(t, name)
			require.Less(t, used, peak(templateMemory), "memory grows: %d MB", used>>20)
			most = max(most, used)
		})
	}
	if !t.Failed() {
		proof.Found(t, proof.Finding{Tried: "hostile templates, each in a process of its own", Times: len(names),
			Found: fmt.Sprintf("all ended within their bounds; at most %d MB in a process", most>>20)})
	}
}

// run renders the attack and checks how it ends.
func (a attack) run(t *testing.T) error {
	parsed, err := template.Parse("a", map[string]string{"email.html": head + a.text})
	var out template.Rendered
	if err == nil {
		out, err = parsed.Render(template.Email, hostileVars())
	}
	require.LessOrEqual(t, len(out.HTML), 1<<20)
	switch {
	case a.ends != nil:
		require.ErrorIs(t, err, a.ends)
		require.ErrorContains(t, err, "email.html", "the error says where")
	case a.says != "":
		require.ErrorContains(t, err, a.says)
	}
	if err != nil {
		require.Empty(t, out)
		require.Less(t, len(err.Error()), 1000, "an error repeats no data: %.200s", err)
	}
	return err
}
