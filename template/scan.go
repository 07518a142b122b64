package template

import (
	"regexp"
	"strings"
)

// lexeme finds the pieces of a Liquid expression: texts, numbers, names (with a
// colon, names of arguments), selections and single signs.
var lexeme = regexp.MustCompile(`"[^"]*"|'[^']*'|\.\.|-?[0-9]+(?:\.[0-9]+)?|[A-Za-z_][A-Za-z0-9_-]*\??:?|\.[A-Za-z_][A-Za-z0-9_-]*\??|[^\s]`)

var keywords = map[string]bool{"true": true, "false": true, "nil": true, "and": true, "or": true, "contains": true, "in": true, "empty": true, "blank": true}

// scanned is what an expression mentions.
type scanned struct {
	paths   []string // dotted: contact.first_name, codes.cart-10
	filters []string
	ranges  bool // it has a range: (1..5)
}

// scan reads an expression without evaluating it.
func scan(expression string) scanned {
	var out scanned
	pieces := lexeme.FindAllString(expression, -1)
	for i := 0; i < len(pieces); i++ {
		piece := pieces[i]
		switch {
		case piece == "..":
			out.ranges = true
		case piece == "|" && i+1 < len(pieces):
			i++
			out.filters = append(out.filters, strings.TrimSuffix(pieces[i], ":"))
		case isName(piece) && !strings.HasSuffix(piece, ":") && !keywords[piece]:
			path, next := selection(pieces, i)
			out.paths = append(out.paths, path)
			i = next - 1
		}
	}
	return out
}

func isName(piece string) bool {
	c := piece[0]
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// selection follows a.b["c"] from the name at i; next is the piece after it. An
// index that isn't a text ends the path.
func selection(pieces []string, i int) (path string, next int) {
	path = pieces[i]
	for i++; i < len(pieces); {
		switch {
		case len(pieces[i]) > 1 && pieces[i][0] == '.' && pieces[i] != "..":
			path += pieces[i]
			i++
		case pieces[i] == "[" && i+2 < len(pieces) && pieces[i+2] == "]" && (pieces[i+1][0] == '"' || pieces[i+1][0] == '\''):
			path += "." + strings.Trim(pieces[i+1], `"'`)
			i += 3
		default:
			return path, i
		}
	}
	return path, i
}
