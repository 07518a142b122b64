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

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/prove/proof"
)

// hostileData is as much as a webhook's body lets through: a megabyte.
func hostileData() campaign.Data {
	numbers := make([]any, 20_000)
	for i := range numbers {
		numbers[i] = float64(i)
	}
	texts := make([]any, 2_000)
	for i := range texts {
		texts[i] = strings.Repeat("ab", 100)
	}
	deep := any("end")
	for range 5_000 {
		deep = map[string]any{"in": deep}
	}
	return campaign.Data{
		Contact: map[string]any{"name": "Anna", "tags": []string{"gold"}}, Now: time.Unix(1.7e9, 0),
		Event: map[string]any{"numbers": numbers, "texts": texts, "deep": deep, "other": deep, "text": strings.Repeat("a", 512<<10) + "b",
			"pattern": "(" + strings.Repeat("a?", 900) + strings.Repeat("a", 900) + ")*$", "broken": strings.Repeat("(", 1000), "wide": strings.Repeat("(a{1,9}", 100)},
		Trigger: map[string]any{}, Entry: map[string]any{}, Steps: map[string]any{},
	}
}

// wish is a condition that wants too much. It does not compile, for a reason, or its
// evaluation fails for one; without either it is one that turns out to be harmless.
type wish struct {
	text, compiles, fails string
	slow                  bool // ends by its deadline: tried at full size only
}

const tooMuch = "cost limit exceeded"

var wishes = map[string]wish{
	"all in all in all":                          {text: `event.numbers.all(x, event.numbers.all(y, event.numbers.all(z, x + y + z >= 0.0)))`, fails: tooMuch},
	"exists in exists":                           {text: `event.numbers.exists(x, event.numbers.exists(y, x + y < 0.0))`, fails: tooMuch},
	"exists_one over many":                       {text: `event.numbers.exists_one(x, event.numbers.exists_one(y, x == y))`, fails: tooMuch},
	"map of maps":                                {text: `event.numbers.map(x, event.numbers.map(y, event.numbers)).size() > 0`, fails: tooMuch},
	"filter of filters":                          {text: `event.numbers.filter(x, event.numbers.filter(y, y > x).size() > 1).size() > 0`, fails: tooMuch},
	"a list that doubles":                        {text: strings.ReplaceAll(doubling(40), "event.text", "event.numbers"), fails: "puts together"},
	"bytes that double":                          {text: strings.ReplaceAll(doubling(40), "event.text", "bytes(event.text)"), fails: "evaluating"},
	"a list that grows":                          {text: `[1].map(a, event.numbers + event.numbers + event.numbers + event.numbers)[0].map(b, event.numbers + event.numbers).size() > 0`, fails: tooMuch},
	"lists put together":                         {text: `(event.numbers` + repeat(` + event.numbers`, 50) + `).size() > 0`, fails: "puts together"},
	"texts put together":                         {text: `(event.text` + repeat(` + event.text`, 50) + `).size() > 0`, fails: "puts together"},
	"a text that doubles":                        {text: doubling(40), fails: "puts together"},
	"a text that doubles, typed":                 {text: strings.ReplaceAll(doubling(40), "event.text", `string(event.text)`), fails: "evaluating"},
	"matches a long text":                        {text: `event.text.matches("^(a|b)*$")`},
	"matches by a pattern of the data":           {text: `event.text.matches(event.pattern)`, fails: "pattern of `matches` is too large"},
	"matches a long text by a wide pattern":      {text: `event.text.matches("(a?){500}a{500}$")`, compiles: "pattern of `matches` is too large"},
	"matches a long text, written as a function": {text: `matches(event.text, "(a?){35}a{35}$")`, fails: "search too much"},
	"matches many times":                         {text: `event.texts.all(t, t.matches("^(ab)+$") && event.texts.all(u, u.matches("(a|b)*(b|a)*(ab)*")))`, fails: tooMuch},
	"a pattern with huge repeats":                {text: `"aaa".matches("((a{1000}){1000}){1000}")`, compiles: "not a regular expression"},
	"a pattern as long as a text":                {text: `"a".matches(event.text)`, fails: "pattern of `matches` is too large"},
	"a broken pattern of the data":               {text: `"a".matches(event.broken)`, fails: "not a regular expression"},
	"a wide pattern of the data":                 {text: `"a".matches(event.wide)`, fails: "not a regular expression"},
	"contains in all":                            {text: `event.numbers.all(x, !event.text.contains("zz"))`, fails: "evaluating"},
	"a comparison of deep values":                {text: `event.deep == event.other`},
	"deep values compared often":                 {text: `event.numbers.all(x, event.deep == event.other)`, fails: "evaluating", slow: true},
	"big lists compared often":                   {text: `event.numbers.all(x, event.texts == event.texts)`, fails: "evaluating", slow: true},
	"in a big list, often":                       {text: `event.numbers.all(x, !(-1.0 in event.numbers))`, fails: "evaluating"},
	"text of bytes, often":                       {text: `event.numbers.all(x, event.numbers.all(y, bytes(event.text).size() > 0))`, fails: "evaluating", slow: true},
	"text of everything":                         {text: `event.numbers.all(x, event.numbers.all(y, string(event.text).size() > 0))`, fails: "evaluating", slow: true},
	"steps nested in macros":                     {text: repeat(`[1, 2, 3, 4].all(a, `, 20) + `true` + repeat(`)`, 20), fails: tooMuch},
	"macros nested without end":                  {text: repeat(`[1].all(a, `, 300) + `true` + repeat(`)`, 300), compiles: "nested too deeply"},
	"parentheses without end":                    {text: repeat(`(`, 2000) + `true` + repeat(`)`, 2000), compiles: "nested too deeply"},
	"brackets without end":                       {text: repeat(`[`, 2000) + repeat(`]`, 2000) + ` == []`, compiles: "nested too deeply"},
	"braces without end":                         {text: repeat(`{1:`, 1000) + `1` + repeat(`}`, 1000) + ` == {}`, compiles: "nested too deeply"},
	"minuses without end":                        {text: repeat(`-`, 4000) + `1 < 0`, compiles: ""},
	"negations without end":                      {text: repeat(`!`, 4001) + `true`},
	"conditions without end":                     {text: `true` + repeat(` && true`, 500)},
	"choices without end":                        {text: repeat(`true ? true : `, 280) + `true`, compiles: "nested too deeply"},
	"properties without end":                     {text: `has(event.deep` + repeat(`.a`, 1300) + `)`, compiles: "nested too deeply"},
	"a huge number":                              {text: repeat("9", 4000) + ` > 1`, compiles: "int"},
	"a huge text":                                {text: `"` + repeat("x", 4000) + `" == "a"`},
	"a huge list":                                {text: `1 in [` + repeat(`1,`, 1900) + `1]`},
	"a huge expression":                          {text: repeat("a || ", 2000) + "a", compiles: "too long"},
	"many questions":                             {text: `contact.tagged("gold")` + repeat(` && contact.tagged("gold")`, 140)},
	"a number past its end":                      {text: `9223372036854775807 + 1 > 0`, fails: "overflow"},
	"a division by nothing":                      {text: `1 / 0 > 0`, fails: "division by zero"},
	"a time past its end":                        {text: `now + duration("9223372036s") * 1 > now`, compiles: "cannot be applied"},
	"a time far away":                            {text: `timestamp("9999-12-31T23:59:59Z") + duration("9000000000s") > now`, fails: "overflow"},
}

// doubling is a text that is put together with itself, n times over.
func doubling(n int) string {
	inner := `[event.text]`
	for range n {
		inner += `.map(s, s + s)`
	}
	return inner + `[0].size() > 0`
}

const conditionMemory = 192 << 20

// Whatever a condition wants, it ends, false and with an error that says why, in
// bounded memory, and the process lives on.
func TestConditions_EndWithinTheirBounds(t *testing.T) {
	if name := os.Getenv(childVariable); name != "" {
		w, known := wishes[name]
		require.True(t, known)
		confined(t)
		began := time.Now()
		err := w.run(t)
		t.Logf("lived on after %s: %.200v", time.Since(began).Round(time.Millisecond), err)
		return
	}
	most, names := peak(0), slices.Sorted(maps.Keys(wishes))
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if wishes[name].slow && !proof.Full() {
				t.Skip("tried at full size only")
			}
			used := alone(t, name)
			require.Less(t, used, peak(conditionMemory), "memory grows: %d MB", used>>20)
			most = max(most, used)
		})
	}
	if !t.Failed() {
		proof.Found(t, proof.Finding{Tried: "hostile conditions, each in a process of its own", Times: len(names),
			Found: fmt.Sprintf("all ended within their bounds; at most %d MB in a process", most>>20)})
	}
}

func (w wish) run(t *testing.T) error {
	condition, problems := campaign.CompileCondition(w.text, campaign.InStep, campaign.Pos{File: "f", Line: 1, Column: 1})
	if w.compiles != "" {
		require.ErrorContains(t, problems.Err(), w.compiles)
		return problems.Err()
	}
	require.Empty(t, problems)
	holds, err := condition.Eval(hostileData())
	if w.fails != "" {
		require.ErrorContains(t, err, w.fails)
	}
	require.False(t, err != nil && holds)
	return err
}

// A condition has no word for a file, the environment, the network or Go.
func TestConditions_ReachNothingOutside(t *testing.T) {
	texts := []string{`env("PATH") != ""`, `os.Getenv("PATH") != ""`, `readFile("/etc/hostname") != ""`, `http.get("https://example.com") == 1`, `exec("true")`, `type(now).String() == ""`,
		`now.Local() == now`, `now.Location() == ""`, `event.text.ToUpper() == ""`, `contact.GoString() == ""`, `@truth["a"]`, `eval("true")`, `google.protobuf.Any{} == null`, `cel.bind(a, 1, a > 0)`, `optional.none() == 1`}
	for _, text := range texts {
		condition, problems := campaign.CompileCondition(text, campaign.InStep, campaign.Pos{File: "f", Line: 1, Column: 1})
		if problems.Err() != nil {
			continue
		}
		_, err := condition.Eval(hostileData())
		require.Error(t, err, "%s is understood", text)
	}
	proof.Found(t, proof.Finding{Tried: "words for files, environment, network and Go in conditions", Times: len(texts), Found: "none is known"})
}
