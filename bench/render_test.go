package bench

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/osteele/liquid"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/template"
)

// BenchmarkRender holds messages rendered on one core against the engine alone on
// the same texts.
func BenchmarkRender(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	files := map[string]string{}
	for name, path := range map[string]string{"email.html": "cart-reminder/email.html", "email.txt": "cart-reminder/email.txt",
		"layouts/default.html": "layouts/default.html", "layouts/default.txt": "layouts/default.txt"} {
		text, err := os.ReadFile(filepath.Join("..", "examples", "templates", path))
		require.NoError(b, err)
		files[name] = string(text)
	}
	mail, err := template.Parse("cart-reminder", files)
	require.NoError(b, err)
	vars := map[string]any{
		"contact": map[string]any{"first_name": "Anna"}, "trigger": map[string]any{"recovery_url": "https://shop.example.com/c/1"},
		"code": template.Code{Code: "CART-7K2M9QXA", ExpiresAt: time.Now().Add(7 * 24 * time.Hour)}, "unsubscribe_url": "https://scrip.example.com/u/1",
	}
	alone := newEngine(b, files)
	rendered, err := mail.Render(template.Email, vars)
	require.NoError(b, err)
	html, text, err := alone.render(vars)
	require.NoError(b, err)
	require.Equal(b, rendered.HTML, html, "both render the same mail")
	require.Equal(b, rendered.Text, text)
	turns := alternate(b, side{name: "messages", clients: 1, do: func(int, int) error {
		_, err := mail.Render(template.Email, vars)
		return err
	}}, side{name: "engine", clients: 1, do: func(int, int) error {
		_, _, err := alone.render(vars)
		return err
	}})
	write(b, against("render", "messages/s", turns[0], turns[1], "≥ 0.9 of the engine", atLeast(0.9),
		"the example's cart reminder, HTML, text and layouts, on one core; the engine alone on the same texts, without escaping, bounds and checks"))
}

// engine is Liquid alone: nothing is escaped, bounded or missed.
type engine struct{ subject, preheader, html, text, htmlLayout, textLayout *liquid.Template }

func newEngine(t testing.TB, files map[string]string) engine {
	t.Helper()
	alone := liquid.NewEngine()
	parse := func(text string) *liquid.Template {
		parsed, problem := alone.ParseString(text)
		require.NoError(t, problem)
		return parsed
	}
	head, body, found := strings.Cut(strings.TrimPrefix(files["email.html"], "---\n"), "\n---\n")
	require.True(t, found)
	var front struct{ Subject, Preheader string }
	require.NoError(t, yaml.Unmarshal([]byte(head), &front))
	return engine{parse(front.Subject), parse(front.Preheader), parse(body), parse(files["email.txt"]), parse(files["layouts/default.html"]), parse(files["layouts/default.txt"])}
}

func (e engine) render(vars map[string]any) (html, text string, err error) {
	around := maps.Clone(vars)
	for _, part := range []struct {
		name         string
		text, layout *liquid.Template
		to           *string
	}{{"subject", e.subject, nil, nil}, {"preheader", e.preheader, nil, nil}, {"", e.html, e.htmlLayout, &html}, {"", e.text, e.textLayout, &text}} {
		out, err := part.text.RenderString(vars)
		if err != nil {
			return "", "", err
		}
		if part.layout == nil {
			around[part.name] = out
			continue
		}
		around["content"] = strings.TrimSpace(out)
		if *part.to, err = part.layout.RenderString(around); err != nil {
			return "", "", err
		}
	}
	return html, text, nil
}
