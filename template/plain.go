package template

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// plainText derives a text part from an HTML one: paragraphs apart, links with
// their address, nothing that isn't shown.
func plainText(source string) string {
	if source == "" {
		return ""
	}
	var b strings.Builder
	var links []string
	hidden := 0
	tokens := html.NewTokenizer(strings.NewReader(source))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return tidy(b.String())
		case html.TextToken:
			if hidden == 0 {
				b.WriteString(spaces.ReplaceAllString(string(tokens.Text()), " "))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			token := tokens.Token()
			if isHidden(token.DataAtom) {
				hidden++
			}
			if token.DataAtom == atom.A {
				links = append(links, attribute(token, "href"))
			}
			b.WriteString(breakBefore(token.DataAtom))
		case html.EndTagToken:
			token := tokens.Token()
			if isHidden(token.DataAtom) {
				hidden = max(0, hidden-1)
			}
			if n := len(links); token.DataAtom == atom.A && n > 0 {
				if links[n-1] != "" {
					b.WriteString(" (" + links[n-1] + ")")
				}
				links = links[:n-1]
			}
			b.WriteString(breakBefore(token.DataAtom))
		}
	}
}

var (
	spaces     = regexp.MustCompile(`[\s\x{a0}]+`)
	blankLines = regexp.MustCompile(`\n{3,}`)
)

// isHidden says whether what stands in the element isn't shown.
func isHidden(a atom.Atom) bool {
	return a == atom.Style || a == atom.Script || a == atom.Title || a == atom.Head
}

// breakBefore gives the line ends that an element makes in plain text.
func breakBefore(a atom.Atom) string {
	switch a {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.Ul, atom.Ol, atom.Table, atom.Blockquote:
		return "\n\n"
	case atom.Br, atom.Tr, atom.Li, atom.Div, atom.Hr:
		return "\n"
	case atom.Td, atom.Th:
		return " "
	}
	return ""
}

func attribute(token html.Token, name string) string {
	for _, a := range token.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// tidy removes what layout leaves behind: spaces at line ends, empty lines.
func tidy(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.TrimSpace(blankLines.ReplaceAllString(strings.Join(lines, "\n"), "\n\n"))
}
