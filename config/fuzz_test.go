package config

import (
	"net/netip"
	"slices"
	"strconv"
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

// FuzzPayloadKeys: keys of the environment are pairs whose ids may stand beside
// payloads, as many as there are words, or an error that repeats nothing.
func FuzzPayloadKeys(f *testing.F) {
	for _, s := range []string{"2026:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "2026:a-secret-that-is-not-base64", "a:b,c:d", "a:b\nc:d", ":secretsecret", "secretsecretsecret", "a:", "a:b:c", ",,", "\u2028a:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := payloadKeys(text)
		if err != nil {
			require.Empty(t, keys)
			if len(text) > 20 && !strings.Contains(err.Error(), text) {
				for _, word := range strings.Fields(text) {
					require.False(t, len(word) > 20 && strings.Contains(err.Error(), word), "a secret is repeated")
				}
			}
			return
		}
		var written []string
		for _, key := range keys {
			require.Regexp(t, `^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`, key.ID)
			written = append(written, key.ID+":"+key.Secret.Reveal())
		}
		again, err := payloadKeys(strings.Join(written, " "))
		require.NoError(t, err)
		require.Equal(t, keys, again)
		c := defaults()
		c.PayloadKeys = keys
		if _, err := c.PayloadCodec(); err != nil {
			said := err.Error() // with ids, which may look like their secrets
			for _, key := range keys {
				said = strings.ReplaceAll(said, key.ID, "·")
			}
			for _, key := range keys {
				require.False(t, len(key.Secret.Reveal()) > 20 && strings.Contains(said, key.Secret.Reveal()), "a secret is repeated")
			}
		}
	})
}

// FuzzProxies: each proxy that is named is trusted in whatever way its address is
// written, and no list trusts everybody.
func FuzzProxies(f *testing.F) {
	for _, s := range []string{"10.0.0.7", "10.0.0.0/8,192.168.1.1", "::1", "::ffff:10.0.0.7", "::ffff:10.0.0.0/104", "::ffff:0.0.0.0/96", "0.0.0.0/0", "::/0", "fe80::1%eth0", "10.0.0.7/33", "10.0.0.07", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		c := defaults()
		if err := setProxies(c, list); err != nil {
			require.Empty(t, c.TrustedProxies)
			return
		}
		require.Len(t, c.TrustedProxies, len(list))
		trusts := func(address netip.Addr) bool {
			address = address.Unmap().WithZone("") // as the starter compares them
			return slices.ContainsFunc(c.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(address) })
		}
		for _, one := range list {
			if address, err := netip.ParseAddr(one); err == nil {
				require.True(t, trusts(address), "%s is configured and not trusted", one)
			}
			if network, err := netip.ParsePrefix(one); err == nil && (network.Addr().Is4() || network.Addr().Is6() && network.Bits() >= 96) {
				require.True(t, trusts(network.Addr()), "%s is configured and not trusted", one)
			}
		}
		for _, p := range c.TrustedProxies {
			require.Positive(t, p.Bits(), "%s trusts everybody", p)
			require.Equal(t, p.Masked(), p)
		}
	})
}

// FuzzOverride: a variable of the environment sets its own key and no other, or is a
// problem that names the variable; a number that makes no sense is one.
func FuzzOverride(f *testing.F) {
	for i := range overrides {
		for _, value := range []string{"5", "-1", "99999999999999999999", "1e3", "10.0.0.7", "15m", "-15m", "Europe/Berlin", "\xff", "a:b"} {
			f.Add(i, value)
		}
	}
	f.Fuzz(func(t *testing.T, which int, value string) {
		o := overrides[((which%len(overrides))+len(overrides))%len(overrides)]
		c, before := defaults(), defaults()
		problems := c.override(func(name string) string {
			if name == o.name {
				return value
			}
			return ""
		})
		for _, p := range problems {
			require.Equal(t, o.key, p.Key)
			require.Contains(t, p.Pos.File, o.name)
		}
		if len(problems) > 0 || value == "" {
			require.LessOrEqual(t, len(problems), 1)
			return
		}
		require.Contains(t, c.positions, o.key)
		wrong := c.Validate()
		told := func(key string) bool {
			return slices.ContainsFunc(wrong, func(p Problem) bool { return strings.HasPrefix(p.Key, key) })
		}
		switch o.key {
		case "max_connections", "database.max_connections":
			n, err := strconv.Atoi(value)
			require.NoError(t, err)
			require.True(t, n >= 0 || told(o.key), "%s = %d is taken", o.key, n)
		default:
			if strings.HasPrefix(o.key, "worker.") && o.key != "worker.listen" {
				require.True(t, value[0] != '-' || told(o.key), "%s = %s is taken", o.key, value)
			}
		}
		// Nothing else was changed: setting it back gives what was.
		for _, other := range overrides {
			if other.key != o.key {
				require.NotContains(t, c.positions, other.key)
			}
		}
		require.Equal(t, before.Connections, c.Connections)
	})
}
