package bounds

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/template"
)

// spy is what nobody means to hand to a template: a Go value with methods and fields.
type spy struct {
	Field string
	Func  func() string
	calls *int
}

func (s spy) Method() string           { *s.calls++; return "reached" }
func (s *spy) Pointer() string         { *s.calls++; return "reached" }
func (s spy) Fails() (string, error)   { *s.calls++; return "reached", nil }
func (s spy) ToString() map[string]any { *s.calls++; return map[string]any{"a": "reached"} }

// A template reaches the data that it is given, and of that no Go method and no
// field, however it asks.
func TestTemplates_ReachNoMethodsAndNoFields(t *testing.T) {
	calls, times := 0, 0
	s := spy{Field: "reached", Func: func() string { calls++; return "reached" }, calls: &calls}
	vars := map[string]any{
		"now": time.Date(2026, 9, 21, 3, 0, 0, 0, time.Local), "code": template.Code{Code: "A", URL: "u"}, "spy": s, "pointer": &s,
		"codes": map[string]any{"a": template.Code{Code: "A"}}, "list": []any{s, &s, time.Now(), []any{&s}}, "typed": []spy{s}, "map": map[string]spy{"a": s}, "deep": map[string]any{"a": []any{map[string]any{"b": &s}}},
	}
	names := []string{"Field", "Func", "calls", "toString", "html", "Code", "closed", "Time", "wall", "loc", "ExpiresAt"}
	for _, of := range []any{s, &s, time.Time{}, &time.Time{}, template.Code{}, time.UTC, reflect.ValueOf(0)} {
		for method := range reflect.TypeOf(of).Methods() {
			names = append(names, method.Name)
		}
	}
	values := []string{"now", "code", "spy", "pointer", `codes["a"]`, "list[0]", "list[1]", "list[2]", "list.first", "list.last[0]", "typed[0]", "map.a", "deep.a[0].b"}
	for _, value := range values {
		for i, name := range names {
			if i%proof.Size(5, 1) != 0 {
				continue
			}
			for _, body := range []string{
				"{{ " + value + "." + name + " }}", "{{ " + value + `["` + name + `"] }}`, `{% assign n = "` + name + `" %}{{ ` + value + `[n] }}`,
				"{% assign v = " + value + " %}{{ v." + name + " }}", "{% assign l = list | reverse | first %}{{ l." + name + " }}", `{{ list | map: "` + name + `" | join: "" }}`,
				"{% for v in list %}{{ v." + name + ` | default: "" }}{% endfor %}`,
			} {
				parsed, err := template.Parse("a", map[string]string{"sms.txt": body})
				require.NoError(t, err, body)
				out, err := parsed.Render(template.SMS, vars)
				if err != nil {
					require.ErrorIs(t, err, template.ErrUndefined, body)
				}
				require.Empty(t, out.Text, "%s reaches something", body)
				times++
			}
			held, err := template.RenderText("{% if "+value+` contains "`+name+`" %}reached{% endif %}`, vars)
			require.NoError(t, err)
			require.Empty(t, strings.TrimSpace(held), "%s contains %s", value, name)
		}
	}
	require.Zero(t, calls, "a method was called")
	proof.Found(t, proof.Finding{Tried: "methods and fields of Go values, asked for by templates", Times: times, Found: "none reached"})
}

// There is no word for a file, the environment or the network in a template.
func TestTemplates_ReachNothingOutside(t *testing.T) {
	t.Setenv("SCRIP_BOUNDS_PROBE", "reached")
	times := 0
	for _, body := range []string{
		`{% include "/etc/hostname" %}`, `{% render "/etc/hostname" %}`, `{% layout "/etc/hostname" %}`, `{% include_relative "a" %}`, `{% extends "a" %}`, `{% import "a" %}`, `{% liquid %}`,
		`{{ "/etc/hostname" | file }}`, `{{ "/etc/hostname" | read }}`, `{{ "https://example.com" | fetch }}`, `{{ "SCRIP_BOUNDS_PROBE" | env }}`, `{{ 1 | type }}`, `{{ now | inspect }}`, `{{ 1 | eval }}`, `{{ 1 | exec }}`, `{{ "a" | asset_url }}`,
		`{{ x | scrip_print: 0 }}`, `{{ x }}{% scrip_plain 0 %}`, `{{ x }}{%- scrip_print 0 -%}`, `{% scrip_count -1 -1 %}`, `{% scrip_link 0 %}`,
	} {
		_, err := template.Parse("a", map[string]string{"email.html": head + body})
		require.Error(t, err, body)
		times++
	}
	for _, body := range []string{`{{ env.SCRIP_BOUNDS_PROBE }}`, `{{ ENV["SCRIP_BOUNDS_PROBE"] }}`, `{{ os.environ }}`, `{{ self }}`, `{{ this }}`, `{{ global }}`, `{{ __proto__ }}`, `{{ scrip }}`, `{{ config }}`} {
		_, err := template.RenderText(body, map[string]any{"now": time.Now()})
		require.ErrorIs(t, err, template.ErrUndefined, body)
		times++
	}
	proof.Found(t, proof.Finding{Tried: "words for files, environment and network in templates", Times: times, Found: "none is known"})
}
