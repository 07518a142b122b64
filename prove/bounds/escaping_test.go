package bounds

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/sendgrid"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/template"
)

// hostileTexts stand in a contact's name, an attribute and a vendor's payload.
var hostileTexts = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `" style="x:expression(1)`, `</p></main></body>`, `<!--`, `--><b>`,
	`&lt;script&gt;`, `{{ code }}{% include "x" %}`, "\x00<b>", "<b\n>", `]]><b>`, "\u2028<svg/onload=alert(1)>", `<a href="javascript:alert(1)">`, "a\r\nBcc: b@example.com\r\n\r\n<b>", "`${1}`", `\"><b>`,
}

// hostileAddresses would run a script where somebody follows them.
var hostileAddresses = []string{
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "java\tscript:alert(1)", "\x01javascript:alert(1)",
	"vbscript:x", "data:text/html,<script>alert(1)</script>", "javascript\r:x", "file:///etc/passwd", ":alert(1)", "blob:x", "javascript\u0000:x",
}

// places are where a template may print. X is what is printed.
var places = []string{
	`<p>X</p>`, `<td title="X">a</td>`, `<td title='X'>a</td>`, `<a href="https://example.com/?q=X">a</a>`, `<a href='/p/X'>a</a>`, `<h1>X</h1><style>p { color: red }</style>`, `<title>X</title>`, `<textarea>X</textarea>`,
	`<a href="X">a</a>`, `<a HREF = 'X'>a</a>`, `<img alt="a" src="X">`, `<form action="X"></form>`, `<td background="X">a</td>`,
	`<a href="{% if true %}X{% else %}/a{% endif %}">a</a>`, `<a href="{% if false %}https://example.com/{% else %}X{% endif %}">a</a>`, `<!-- X --><p>a</p>`,
	`{% capture c %}X{% endcapture %}<p>{{ c }}</p><a href="{{ c }}">a</a>`, `{% assign a = "" | append: v %}<a title="{{ a }}">a</a><p>{{ a | upcase }}</p>`,
	`<p>{% for i in (1..2) %}X{% endfor %}</p>`, `<p>{{ v | replace: "a", v }}{{ v | split: "<" }}{{ v | json }}</p>`, `<p>{{ all }}</p>`,
}

// skeleton is what a reader's program makes of HTML, without texts and values: tags
// and the names of their attributes.
func skeleton(t *testing.T, source string) (tags []string, addresses []string) {
	tokens := html.NewTokenizer(strings.NewReader(source))
	for tokens.Next() != html.ErrorToken {
		token := tokens.Token()
		switch token.Type {
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			names := token.Data
			for _, a := range token.Attr {
				names += " " + a.Key
				if a.Key != "title" && a.Key != "alt" {
					addresses = append(addresses, a.Val)
				}
			}
			tags = append(tags, names)
		}
	}
	require.ErrorIs(t, tokens.Err(), io.EOF)
	return tags, addresses
}

// sources are how a value comes into a template.
func sourcesOf(value string) map[string]map[string]any {
	return map[string]map[string]any{
		"contact.name":            {"contact": map[string]any{"name": value}},
		"contact.shoe":            {"contact": map[string]any{"shoe": value}},
		"event.raw.customer.note": {"event": map[string]any{"raw": map[string]any{"customer": map[string]any{"note": value}}}},
	}
}

// Whatever a person or a vendor writes, an HTML mail has the tags that its template
// has, and its addresses run nothing.
func TestHTML_HasOnlyTheTagsOfItsTemplate(t *testing.T) {
	times, refused := 0, 0
	layouts := "<html><head><title>{{ subject }}</title></head><body><main>{{ content }}</main><i title=\"{{ subject }}\">{{ preheader }}</i></body></html>"
	for _, place := range places {
		for _, value := range append(append([]string{}, hostileTexts...), hostileAddresses...) {
			for path, vars := range sourcesOf(value) {
				if path != "contact.name" && !proof.Full() {
					continue
				}
				body := strings.NewReplacer("X", "{{ "+path+" }}", "all }}", path+" }}").Replace(place)
				body = `{% assign v = ` + path + ` %}` + body
				parsed, err := template.Parse("a", map[string]string{"layouts/default.html": layouts, "sms.txt": "{{ " + path + " }}",
					"email.html": "---\nsubject: 'About {{ " + path + " }}'\npreheader: '{{ " + path + " }}'\n---\n" + body})
				require.NoError(t, err, body)
				harmless, err := parsed.Render(template.Email, sourcesOf("x")[path])
				require.NoError(t, err, body)
				out, err := parsed.Render(template.Email, vars)
				times++
				if err != nil {
					require.ErrorIs(t, err, template.ErrNotLinkable, "%s with %q", body, value)
					refused++
				} else {
					want, _ := skeleton(t, harmless.HTML)
					got, addresses := skeleton(t, out.HTML)
					require.Equal(t, want, got, "%s with %q gives other tags:\n%s", body, value, out.HTML)
					for _, address := range addresses {
						require.True(t, leads(address), "%s with %q leads to %q", body, value, address)
					}
					require.NotContains(t, out.Subject, "\r")
					require.NotContains(t, out.Subject, "\n")
				}
				text, err := parsed.Render(template.SMS, vars)
				require.NoError(t, err)
				require.Equal(t, strings.TrimSpace(value), text.Text, "a text message is as it was written")
			}
		}
	}
	require.Positive(t, refused)
	proof.Found(t, proof.Finding{Tried: "hostile values in mails: places, values, sources", Times: times,
		Found: "no tag and no attribute that the template doesn't have; every address that runs something refused"})
}

// leads is a reader's view of an address: what it would do with it.
func leads(address string) bool {
	for _, c := range []string{"\t", "\n", "\r", "\x00", " ", "\x01"} {
		address = strings.ReplaceAll(address, c, "")
	}
	scheme, _, found := strings.Cut(strings.ToLower(address), ":")
	return !found || strings.ContainsAny(scheme, "/?#") || scheme == "https" || scheme == "http" || scheme == "mailto" || scheme == "tel"
}

// Places in which escaping doesn't suffice are refused when a template is read.
func TestHTML_PrintsOnlyWhereEscapingSuffices(t *testing.T) {
	for body, says := range map[string]string{
		`<a href={{ x }}>a</a>`:                             "in quotes",
		`<a title=a{{ x }}>a</a>`:                           "in quotes",
		`<a title = {{ x }}>a</a>`:                          "in quotes",
		`<p {{ x }}>a</p>`:                                  "in quotes",
		`<{{ x }}>`:                                         "", // not a tag: a `<` in front of a value is text
		`<p{{ x }}>a</p>`:                                   "in quotes",
		`<a {% if y %}{{ x }}{% endif %}>`:                  "in quotes",
		`<script>var a = "{{ x }}"</script>`:                "into a script",
		`<SCRIPT type="a">{{ x }}</SCRIPT>`:                 "into a script",
		`<p onclick="f('{{ x }}')">a</p>`:                   "which is a program",
		`<iframe srcdoc="{{ x }}"></iframe>`:                "which is a program",
		`<p title="a">{{ x }}</p><script>1</script>{{ x }}`: "",
		`<!-- <a href= -->{{ x }}`:                          "",
		`a < b {{ x }}`:                                     "",
	} {
		_, err := template.Parse("a", map[string]string{"email.html": head + body})
		if says == "" {
			require.NoError(t, err, body)
			continue
		}
		require.ErrorContains(t, err, says, body)
	}
}

// No text of a person or a vendor begins a header: not from a template, and not where
// a channel is handed one that has a line end.
func TestHeaders_CannotBeWrittenByValues(t *testing.T) {
	times := 0
	for _, end := range []string{"\r\n", "\n", "\r", "\u2028", "\u2029", "\u0085", "\v", "\f", "\n\n"} {
		value := "x" + end + "Bcc: b@example.com" + end
		parsed, err := template.Parse("a", map[string]string{"email.txt": "---\nsubject: '{{ v }}'\nlayout: none\n---\n{{ v }}"})
		require.NoError(t, err)
		out, err := parsed.Render(template.Email, map[string]any{"v": value})
		require.NoError(t, err)
		require.Equal(t, "x Bcc: b@example.com", out.Subject)
		times++
	}
	called := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { called++; w.WriteHeader(http.StatusAccepted) }))
	t.Cleanup(server.Close)
	settings := "api_key: k\nfrom: a@example.com\nbase_url: " + server.URL + "\n"
	made, err := sendgrid.New(conformance.Settings("email", settings, nil))
	require.NoError(t, err)
	for _, subject := range []string{"a\r\nBcc: b@example.com", "a\nb", "a\r"} {
		_, err := made.(integrations.Channel).Send(t.Context(), integrations.Message{ID: "m", To: "a@example.com", Subject: subject, Text: "t", Deadline: time.Now().Add(time.Minute)})
		require.Equal(t, integrations.Invalid, integrations.ClassOf(err))
		times++
	}
	require.Zero(t, called)
	for _, more := range []string{"from_name: \"a\\r\\nBcc: b@example.com\"", "from: \"a@example.com\\r\\nBcc: b@example.com\"", "reply_to: \"a@example.com\\nBcc: b\""} {
		_, err := sendgrid.New(conformance.Settings("email", strings.Replace(settings, "from: a@example.com\n", "", strings.Count(more, "from: "))+more, nil))
		require.Error(t, err, more)
		times++
	}
	proof.Found(t, proof.Finding{Tried: "line ends in subjects, senders and names", Times: times, Found: "none begins a header"})
}
