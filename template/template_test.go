package template_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/template"
)

const front = "---\nsubject: Hello\nlayout: none\n---\n"

func parse(t *testing.T, files map[string]string) *template.Template {
	t.Helper()
	parsed, err := template.Parse("cart-reminder", files)
	require.NoError(t, err)
	return parsed
}

func renderHTML(t *testing.T, body string, vars map[string]any) (string, error) {
	t.Helper()
	out, err := parse(t, map[string]string{"email.html": front + body}).Render(template.Email, vars)
	return out.HTML, err
}

func TestRender_EscapesHTMLPartsOnly(t *testing.T) {
	t.Parallel()
	name := map[string]any{"contact": map[string]any{"first_name": "<b>A & B</b>"}}
	out, err := parse(t, map[string]string{
		"email.html": "---\nsubject: For {{ contact.first_name }}\nlayout: none\n---\n<p>{{ contact.first_name }}</p>",
		"email.txt":  "{{ contact.first_name }}",
		"sms.txt":    "{{ contact.first_name }}",
	}).Render(template.Email, name)
	require.NoError(t, err)
	require.Equal(t, "For <b>A & B</b>", out.Subject)
	require.Equal(t, "<p>&lt;b&gt;A &amp; B&lt;/b&gt;</p>", out.HTML)
	require.Equal(t, "<b>A & B</b>", out.Text)
}

func TestRender_EscapesWhateverWayTheValueTakes(t *testing.T) {
	t.Parallel()
	vars := map[string]any{"x": "<i>", "list": []any{"<i>", "<i>"}, "m": map[string]any{"<i>": "<i>"}}
	for _, body := range []string{
		`{{ x }}`, `{{ x | upcase | downcase }}`, `{{ list }}`, `{{ list | join: x }}`, `{{ list | first }}`,
		`{% assign y = x %}{{ y }}`, `{% capture y %}{{ x }}{% endcapture %}{{ y }}`,
		`{% for i in list %}{{ i }}{% endfor %}`, `{{ m }}`, `{{ x | append: x }}`, `{{ nope | default: x }}`,
		`{% for p in m %}{{ p[0] }}{{ p[1] }}{% endfor %}`, `{{- x -}}`, `{{x|strip}}`, `{% case x %}{% when "<i>" %}{{ x }}{% endcase %}`,
	} {
		out, err := renderHTML(t, body, vars)
		require.NoError(t, err, body)
		require.NotContains(t, out, "<", body)
		require.Contains(t, out, "&lt;", body)
	}
}

func TestParse_KnowsNoWayAroundEscaping(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{{ x | raw }}`, `{{ x | safe }}`, `{{ x | html_safe }}`} {
		_, err := template.Parse("a", map[string]string{"email.html": front + body})
		require.ErrorContains(t, err, "there is no filter", body)
	}
}

func TestRender_NamesTheVariableThatHasNoValue(t *testing.T) {
	t.Parallel()
	_, err := renderHTML(t, "<p>{{ contact.first_nam }}</p>", map[string]any{"contact": map[string]any{"first_name": "Anna"}})
	require.ErrorIs(t, err, template.ErrUndefined)
	require.ErrorContains(t, err, "contact.first_nam")
	out, err := renderHTML(t, `Hello {{ contact.first_name | default: "there" }}`, map[string]any{"contact": map[string]any{}})
	require.NoError(t, err)
	require.Equal(t, "Hello there", out)
}

func TestRender_PrintsCodesAndTheirDatesInTheContactsZone(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	require.NoError(t, err)
	code := template.Code{Code: "CART-ABC", ExpiresAt: time.Date(2026, 9, 21, 3, 0, 0, 0, time.UTC)}
	parsed := parse(t, map[string]string{"sms.txt": `{{ code }} until {{ code.expires_at | date: "%-d %B %H:%M" }}, {{ codes["cart-10"] }}, {{ code | downcase }}, {{ trigger.at | date }}, {{ trigger.day | date: "%d" }}`})
	out, err := parsed.In(zone).Render(template.SMS, map[string]any{
		"code": code, "codes": map[string]any{"cart-10": code},
		"trigger": map[string]any{"at": "2026-09-21T03:00:00Z", "day": "2026-09-21"},
	})
	require.NoError(t, err)
	require.Equal(t, "CART-ABC until 20 September 23:00, CART-ABC, cart-abc, 20 September 2026, 21", out.Text)
}

func TestRender_TakesTheZoneOfNow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 21, 3, 0, 0, 0, time.UTC).In(time.FixedZone("", -3600*5))
	out, err := parse(t, map[string]string{"sms.txt": `{{ at | date: "%d %H:%M" }} {{ at }}`}).Render(template.SMS, map[string]any{"now": now, "at": now.UTC()})
	require.NoError(t, err)
	require.Equal(t, "20 22:00 2026-09-20 22:00", out.Text)
}

func TestVariables_LeavesOutWhatTheTextSetsItself(t *testing.T) {
	t.Parallel()
	parsed := parse(t, map[string]string{
		"email.html": "---\nsubject: '{{ contact.first_name }}'\n---\n" + `{% assign a = trigger.total | times: rate %}{{ a }}
{% for item in trigger.items limit: most %}{{ item.title }}{{ forloop.index }}{% endfor %}{{ item.outside }}
{% if code.expires_at > now and trigger.tags contains "x.y" %}{{ codes["cart-10"].url }}{% endif %}{% comment %}{{ ignored }}{% endcomment %}{{ "a.b | c" }}`,
		"layouts/default.html": "{{ preheader }}{{ content }}{{ unsubscribe_url }}",
		"sms.txt":              "{{ code }}",
	})
	require.Equal(t, []string{"code.expires_at", "codes.cart-10.url", "contact.first_name", "item.outside", "most", "now", "rate", "trigger.items", "trigger.tags", "trigger.total", "unsubscribe_url"}, parsed.Variables(template.Email))
	require.Equal(t, []string{"code"}, parsed.Variables(template.SMS))
}

func TestRender_PutsTheLayoutAroundTheMessage(t *testing.T) {
	t.Parallel()
	parsed := parse(t, map[string]string{
		"email.html":           "---\nsubject: A & B\npreheader: Soon\n---\n<p>{{ x }}</p>\n",
		"layouts/default.html": "<title>{{ subject }}</title>{{ preheader }}<main>{{ content }}</main><a href=\"{{ unsubscribe_url }}\">off</a>",
	})
	out, err := parsed.Render(template.Email, map[string]any{"x": "<", "unsubscribe_url": "https://example.com/u?a=1&b=2"})
	require.NoError(t, err)
	require.Equal(t, `<title>A &amp; B</title>Soon<main><p>&lt;</p></main><a href="https://example.com/u?a=1&amp;b=2">off</a>`, out.HTML)
	require.Equal(t, "Soon\n\n<\n\noff (https://example.com/u?a=1&b=2)", out.Text)
}

func TestRender_IsBounded(t *testing.T) {
	t.Parallel()
	list := make([]any, 200)
	for i := range list {
		list[i] = strings.Repeat("x", 100)
	}
	vars := map[string]any{"n": 2_000_000_000, "list": list, "s": "ab"}
	for body, want := range map[string]error{
		`{% for i in (1..n) %}{% endfor %}`:                                                                              template.ErrTooLong,
		`{% for i in (1..n) limit: 1000000000 %}{% continue %}{% endfor %}`:                                              template.ErrTooLong,
		`{% for a in list %}{% for b in list %}{% endfor %}{% endfor %}`:                                                 template.ErrTooLong,
		`{% tablerow i in (1..n) %}{% endtablerow %}`:                                                                    template.ErrTooLong,
		`{% for i in (1..1000) %}{{ list }}{% endfor %}`:                                                                 template.ErrTooLarge,
		`{% for i in (1..1000) %}{% assign s = s | append: s %}{% endfor %}`:                                             template.ErrTooLarge,
		`{% for i in (1..1000) %}{% capture s %}{{ s }}{{ s }}{% endcapture %}{% endfor %}`:                              template.ErrTooLarge,
		`{% for i in (1..1000) %}{% assign list = list | concat: list %}{% endfor %}`:                                    template.ErrTooLarge,
		`{% assign a = list | join %}{{ a | replace: "x", a }}`:                                                          template.ErrTooLarge,
		`{% capture c %}{% for i in (1..19999) %}` + strings.Repeat("y", 50_000) + `{% endfor %}{% endcapture %}{{ 1 }}`: template.ErrTooLarge,
	} {
		out, err := renderHTML(t, body, vars)
		require.ErrorIs(t, err, want, "%.80s", body)
		require.Empty(t, out)
	}
}

func TestParse_SaysWhereAndWhat(t *testing.T) {
	t.Parallel()
	layouts := map[string]string{"layouts/default.html": "{{ content }}"}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no file":           {map[string]string{}, "templates/a: the template has no text"},
		"no front matter":   {map[string]string{"email.html": "<p>"}, "templates/a/email.html:1: the file begins with front matter"},
		"no subject":        {map[string]string{"email.html": "---\npreheader: x\n---\n<p>"}, "an e-mail has a `subject`"},
		"unknown key":       {map[string]string{"email.html": "---\nsubjekt: x\n---\n<p>"}, "templates/a/email.html:2: front matter"},
		"unquoted Liquid":   {map[string]string{"email.html": "---\nsubject: {{ code }} for you\n---\n<p>"}, "stands in quotes"},
		"unknown tag":       {map[string]string{"email.html": "---\nsubject: x\n---\n<p>\n{% frob %}"}, "email.html:5: not valid Liquid: undefined tag"},
		"unclosed":          {map[string]string{"email.html": "---\nsubject: x\n---\n<p>\n\n{{ code"}, "email.html:6: `{{` is not closed"},
		"unterminated":      {map[string]string{"email.html": "---\nsubject: x\n---\n{% if x %}"}, "email.html:4: not valid Liquid: unterminated"},
		"subject's Liquid":  {map[string]string{"email.html": "---\npreheader: y\nsubject: '{{ a | b }}'\n---\n<p>"}, "email.html:3: there is no filter `b`"},
		"include":           {map[string]string{"sms.txt": `{% include "../../secret" %}`}, "sms.txt:1: `include` is not supported"},
		"missing layout":    {map[string]string{"email.html": "---\nsubject: x\nlayout: other\n---\n<p>"}, "there is no templates/layouts/other.html"},
		"layout's mistake":  {map[string]string{"email.html": "---\nsubject: x\nlayout: bad\n---\n<p>", "layouts/bad.html": "\n{{ x | y }}"}, "templates/layouts/bad.html:2: there is no filter"},
		"vendor's template": {map[string]string{"email.html": "---\ntemplate_id: d-1\n---\n<p>"}, "has no text here"},
		"foreign file":      {map[string]string{"sms.txt": "x", "push.txt": "x"}, "templates/a/push.txt: a template has the files"},
		"range":             {map[string]string{"sms.txt": "{{ (1..9) | join }}"}, "a range"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for k, v := range layouts {
				if _, ok := c.files[k]; !ok {
					c.files[k] = v
				}
			}
			_, err := template.Parse("a", c.files)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestFiles_ParseToTheSameTemplate(t *testing.T) {
	t.Parallel()
	parsed := parse(t, map[string]string{
		"email.html": "---\r\nsubject: Hi\r\n---\r\n<p>{{ code }}</p>\r\n", "email.txt": "{{ code }}",
		"layouts/default.html": "{{ content }}", "layouts/other.html": "{{ content }}",
	})
	files := parsed.Files()
	require.NotContains(t, files, "layouts/other.html")
	again := parse(t, files)
	require.Equal(t, files, again.Files())
	vars := map[string]any{"code": template.Code{Code: "A"}}
	first, err := parsed.Render(template.Email, vars)
	require.NoError(t, err)
	second, err := again.Render(template.Email, vars)
	require.NoError(t, err)
	require.Equal(t, first, second)
}

func TestRender_HandsAVendorsTemplateItsData(t *testing.T) {
	t.Parallel()
	parsed := parse(t, map[string]string{"email.html": "---\ntemplate_id: d-123\n---\n"})
	require.Equal(t, []string{template.Email}, parsed.Channels())
	out, err := parsed.Render(template.Email, map[string]any{"code": template.Code{Code: "A"}, "contact": map[string]any{"first_name": "Anna"}})
	require.NoError(t, err)
	require.Equal(t, "d-123", out.TemplateID)
	require.Equal(t, "A", out.Data["code"])
	require.Equal(t, map[string]any{"first_name": "Anna"}, out.Data["contact"])
}

func TestRender_LeavesTheVariablesAlone(t *testing.T) {
	t.Parallel()
	vars := map[string]any{"x": "1"}
	_, err := renderHTML(t, `{% assign x = "2" %}{% assign y = 3 %}{{ x }}`, vars)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"x": "1"}, vars)
}

func TestRender_KeepsSubjectsOnOneLine(t *testing.T) {
	t.Parallel()
	out, err := parse(t, map[string]string{"email.txt": "---\nsubject: 'Hi {{ x }}'\nlayout: none\n---\nbody"}).Render(template.Email, map[string]any{"x": "a\r\nBcc: b@example.com"})
	require.NoError(t, err)
	require.Equal(t, "Hi a Bcc: b@example.com", out.Subject)
	require.Equal(t, "body", strings.TrimSpace(out.Text))
}

func TestText_RendersOutsideOfTemplates(t *testing.T) {
	t.Parallel()
	text, err := template.ParseText("{{ contact.name }} spent {{ trigger.total | money }}")
	require.NoError(t, err)
	require.Equal(t, []string{"contact.name", "trigger.total"}, text.Variables())
	out, err := text.Render(map[string]any{"contact": map[string]any{"name": "A & B"}, "trigger": map[string]any{"total": 79.9}})
	require.NoError(t, err)
	require.Equal(t, "A & B spent 79.90", out)
	require.Equal(t, "<p>a &lt;b&gt;<br>\nc</p>", template.TextAsHTML("a <b>\nc"))
	_, err = template.RenderText("{{ contact.name }}", nil)
	require.ErrorIs(t, err, template.ErrUndefined)
	_, err = template.ParseText("{{ contact.name")
	require.ErrorContains(t, err, "not closed")
}
