package template_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"scrip.dev/scrip/template"
)

// FuzzParse: a template is read or its problems are told; read, it gives its files
// back and is read from them as the same; rendered, it is bounded and leaves the
// variables as they were.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"{{ a | b: c }}", "{% for i in (1..9) %}{{ i }}{% endfor %}", "{% capture a %}{{ b }}{% endcapture %}", "{{ a[\"b\"].c }}", "{%- if a contains 'x' -%}{%- endif -%}", "{{ 99999999999999999999 }}", "{% case a %}{% when 1, 2 %}{% endcase %}",
		"<a href=\"{{ a }}\" title='{{ a }}'>{{ code.expires_at | date: '%-d' }}</a>", "{% tablerow i in b cols: 2 %}{{ i | join: a | split: '' | uniq }}{% endtablerow %}", "{% raw %}{{ x }}{% endraw %}{% comment %}{% if %}{% endcomment %}", "<script>{{ a }}</script><!-- {{ a }} -->",
	} {
		f.Add(seed, "<b>")
	}
	f.Fuzz(func(t *testing.T, body, value string) {
		parsed, err := template.Parse("a", map[string]string{"email.html": front + body, "sms.txt": body})
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		list := []any{1, "x"}
		vars := map[string]any{"a": value, "b": list, "now": time.Unix(0, 0).UTC(), "code": template.Code{Code: "A"}}
		out, err := parsed.Render(template.Email, vars)
		if err != nil {
			require.Empty(t, out)
		}
		require.LessOrEqual(t, len(out.HTML), 1<<20)
		require.Equal(t, map[string]any{"a": value, "b": []any{1, "x"}, "now": time.Unix(0, 0).UTC(), "code": template.Code{Code: "A"}}, vars)
		again, err := template.Parse("a", parsed.Files())
		require.NoError(t, err)
		require.Equal(t, parsed.Files(), again.Files())
	})
}

// FuzzEscape: whatever a value is, wherever it stands, the mail has the tags of its
// template.
func FuzzEscape(f *testing.F) {
	parsed, err := template.Parse("a", map[string]string{"email.html": front + `<p>{{ v }}</p><a title="{{ v }}" href='https://example.com/?q={{ v }}'>{{ v | upcase }}</a>`, "sms.txt": "{{ v }}"})
	require.NoError(f, err)
	for _, seed := range []string{"<b>", `"><script>`, "' onload='x", "\x00", "&lt;", "]]>", "\xff<"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		out, err := parsed.Render(template.Email, map[string]any{"v": value})
		require.NoError(t, err)
		var tags []string
		tokens := html.NewTokenizer(strings.NewReader(out.HTML))
		for tokens.Next() != html.ErrorToken {
			token := tokens.Token()
			if token.Type != html.TextToken {
				tags = append(tags, token.Data)
				require.LessOrEqual(t, len(token.Attr), 2)
			}
		}
		require.Equal(t, []string{"p", "p", "a", "a"}, tags, "%q", value)
		text, err := parsed.Render(template.SMS, map[string]any{"v": value})
		require.NoError(t, err)
		require.Equal(t, strings.TrimSpace(value), text.Text)
	})
}

// FuzzText: a text outside of templates is read or refused, and rendered within its
// bounds.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"/orders/{{ event.id }}?q={{ event.q | url_encode }}", "{{ event.list | sort: 'a' | map: 'b' | first }}", "{{ event.q | slice: 1, 2 | truncatewords: 2 | truncate: 3 }}", "{{ now | date: '%s %10N' }}", "{{ event.q | replace: 'a', event.q | money }}"} {
		f.Add(seed, "a b")
	}
	f.Fuzz(func(t *testing.T, source, value string) {
		text, err := template.ParseText(source)
		if err != nil {
			return
		}
		vars := map[string]any{"now": time.Unix(1e9, 0), "event": map[string]any{"id": 7.0, "q": value, "list": []any{map[string]any{"a": 1.0, "b": value}, map[string]any{}}}}
		out, err := text.Render(vars)
		require.LessOrEqual(t, len(out), 1<<20)
		if err != nil {
			require.Empty(t, out)
		}
	})
}

// FuzzPlain: the plain part that is made of HTML is no longer than it by much, and
// has nothing of its scripts.
func FuzzPlain(f *testing.F) {
	for _, seed := range []string{"<p>a</p><br><a href=x>b</a>", "<style>a</style><script>b</script>c", "<a><a href='y'></a>", "<table><tr><td>a<td>b</table>", "&amp;&nbsp;<title>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "{{") || strings.Contains(body, "{%") {
			return
		}
		parsed, err := template.Parse("a", map[string]string{"email.html": front + body})
		if err != nil {
			return
		}
		out, err := parsed.Render(template.Email, nil)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(out.Text), 4*len(body)+100)
		require.NotContains(t, out.Text, "\n\n\n")
	})
}
