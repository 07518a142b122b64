package template

import (
	"errors"
	"fmt"
	"html"
	"strings"
)

// Text is a short Liquid text outside of templates, such as what `notify`
// tells.
type Text struct{ text *text }

// ParseText reads a text; its output is not escaped.
func ParseText(source string) (*Text, error) {
	if len(source) > maxFile {
		return nil, fmt.Errorf("the text is too large: at most %d kB", maxFile>>10)
	}
	t, problem := compile(source, "the text", 1, false)
	if problem != nil {
		return nil, errors.New(problem.Message)
	}
	return &Text{t}, nil
}

// Variables lists the dotted paths that the text reads.
func (t *Text) Variables() []string { return t.text.variables }

// Render fills the text, with dates in the zone of the variable `now`.
func (t *Text) Render(vars map[string]any) (string, error) {
	return t.text.render(sealedVars(vars), zoneOf(nil, vars))
}

// RenderText reads and fills a text in one go.
func RenderText(source string, vars map[string]any) (string, error) {
	t, err := ParseText(source)
	if err != nil {
		return "", fmt.Errorf("reading a text: %w", err)
	}
	return t.Render(vars)
}

// TextAsHTML shows plain text as an HTML mail does: escaped, with its line ends.
func TextAsHTML(s string) string {
	return "<p>" + strings.ReplaceAll(html.EscapeString(s), "\n", "<br>\n") + "</p>"
}
