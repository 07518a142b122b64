package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzParse: a settings file is read or its problems are told, each with a place, and
// no secret of the environment stands in one.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"project: shop\nteams: {growth: {email: team@example.com}}\nkeep_bodies: 30d\n",
		"connections:\n  shop:\n    kind: shopify\n    shop: a.myshopify.com\n    client_secret: ${SECRET}\n    only_to: [\"*@example.com\"]\n",
		"connections: {email: {kind: sendgrid, api_key: ${SECRET}, live: ${SECRET}}}\n",
		"quiet_hours: {sms: \"21:00-${SECRET}\"}\nclock: {hour: 1s}\n", "database: {url: ${NO_SUCH:-postgres://a}, max_connections: ${SECRET}}\n", "a: &a [*a]\n", "? [a]\n: b\n",
		"timezone: ${SECRET}\nlisten: ${SECRET}\npublic_url: ${SECRET}\n",
	} {
		f.Add([]byte(s))
	}
	const secret = "s3cr3t-of-the-environment"
	env := func(name string) string {
		if name == "SECRET" {
			return secret
		}
		return ""
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		c := defaults()
		problems := append(c.parse(source, env), c.Validate()...)
		for _, p := range problems {
			require.NotEmpty(t, p.Message)
			if !strings.Contains(string(source), secret) && secretive(p.Key) {
				require.NotContains(t, p.Message, secret)
			}
		}
	})
}

// secretive says whether a key holds what must not be repeated: settings of
// connections and of the database.
func secretive(key string) bool {
	return strings.HasPrefix(key, "connections.") || strings.HasPrefix(key, "database")
}

// FuzzExpand: what has no variable stays as it is, and what is put in is not
// expanded again.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"${A}", "a ${B:-x}", "${C:-${A}}", "$${A}", "${", "${A}${A}"} {
		f.Add(s, "${A}")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		env := func(name string) string {
			if name == "A" {
				return value
			}
			return ""
		}
		out, err := expand(text, env)
		if err != nil {
			return
		}
		if !strings.Contains(text, "${") {
			require.Equal(t, text, out)
		}
		require.LessOrEqual(t, len(out), len(text)+len(value)*(len(text)/4+1))
	})
}

// FuzzCompose: the files of a folder, as the API gets them, give a folder or
// problems that name one of them.
func FuzzCompose(f *testing.F) {
	f.Add("campaigns/a.yaml", "campaign: a\ntrigger: manual\nsteps: [{send: {email: x}}]\n", "templates/x/email.html", "---\nsubject: a\n---\n{{ contact.name }}", "{{ content }}")
	f.Add("../../etc/passwd", "x", "templates/../x/sms.txt", "y", "")
	f.Add("coupons/a.yml", "coupon: a\n", "templates/x/sms.txt", "{{ code }}", "")
	c := defaults()
	f.Fuzz(func(t *testing.T, name, text, template, body, layout string) {
		folder, problems := c.Compose(map[string]string{name: text, template: body, "templates/layouts/default.html": layout})
		for _, p := range problems {
			require.NotEmpty(t, p.Message)
			require.NotEmpty(t, p.Pos.File)
		}
		for name, parsed := range folder.Templates {
			require.Equal(t, name, parsed.Name())
			require.NotContains(t, name, "/")
		}
	})
}

// FuzzSetDuration: a duration of the settings is read as campaigns read it, or is
// shorter than a second.
func FuzzSetDuration(f *testing.F) {
	for _, s := range []string{"30d", "100ms", "1s", "-1h", "1.5s", "1e9ns", "1us1ns"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := defaults()
		before := c.ClockHour
		if err := setDuration(&c.ClockHour, text); err != nil {
			require.Equal(t, before, c.ClockHour)
			return
		}
		require.LessOrEqual(t, c.ClockHour.Hours(), 10*366*24.0)
	})
}
