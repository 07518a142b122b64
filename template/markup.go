package template

import (
	"slices"
	"strings"

	"github.com/osteele/liquid/parser"
)

// Escaping makes a value harmless between tags and inside quotes. Elsewhere in HTML
// it doesn't: an attribute without quotes ends at a space, a script is a program,
// and an address may be one. markup follows a text to find those places.
type markup struct {
	place    place
	branches []place // where the branches around the place began
}

// place is where in HTML a text has come to.
type place struct {
	inside    inside
	element   string // the tag that was opened last
	attribute string // whose value it is
	quote     byte   // that ends the value
	settled   bool   // the value has come past where a scheme could stand
}

type inside int

const (
	content inside = iota
	tagName
	tag
	attributeName
	beforeValue
	value
	comment
	program // the text of a script
)

// follow goes on over what the text itself says.
func (m *markup) follow(text string) {
	for i := 0; i < len(text); i++ {
		i += m.place.step(text[i:])
	}
}

// step takes the first byte of what follows, and says how many more it took.
func (p *place) step(rest string) int {
	c := rest[0]
	switch p.inside {
	case content:
		switch {
		case strings.HasPrefix(rest, "<!--"):
			p.inside = comment
			return 3
		case c == '<' && len(rest) > 1 && (isLetter(rest[1]) || rest[1] == '/' || rest[1] == '!' || rest[1] == '?'):
			*p = place{inside: tagName}
		}
	case comment:
		if strings.HasPrefix(rest, "-->") {
			*p = place{}
			return 2
		}
	case program:
		if end := "</" + p.element; len(rest) >= len(end) && strings.EqualFold(rest[:len(end)], end) {
			*p = place{inside: tagName}
		}
	case tagName:
		switch {
		case c == '>':
			p.close()
		case isSpace(c) || c == '/' && p.element != "":
			p.inside = tag
		default:
			p.element += strings.ToLower(rest[:1])
		}
	case tag, attributeName:
		switch {
		case c == '>':
			p.close()
		case c == '=':
			p.inside = beforeValue
		case isSpace(c) || c == '/':
			if p.inside == attributeName {
				p.inside = tag
			}
		case p.inside == tag:
			p.inside, p.attribute = attributeName, strings.ToLower(rest[:1])
		default:
			p.attribute += strings.ToLower(rest[:1])
		}
	case beforeValue:
		switch {
		case c == '>':
			p.close()
		case c == '"' || c == '\'':
			p.inside, p.quote, p.settled = value, c, false
		case !isSpace(c):
			p.inside, p.quote, p.settled = value, 0, false
		}
	case value:
		switch {
		case p.quote != 0 && c == p.quote, p.quote == 0 && isSpace(c):
			p.inside, p.attribute = tag, ""
		case p.quote == 0 && c == '>':
			p.close()
		case strings.IndexByte(":/?#", c) >= 0:
			p.settled = true
		}
	}
	return 0
}

// close is the end of a tag.
func (p *place) close() {
	next := place{}
	if p.element == "script" {
		next = place{inside: program, element: p.element}
	}
	*p = next
}

// branch follows the tags of Liquid that choose one of several texts: each begins
// where the first of them did.
func (m *markup) branch(name string) {
	last := len(m.branches) - 1
	switch name {
	case "if", "unless", "case", "for", "tablerow":
		m.branches = append(m.branches, m.place)
	case "else", "elsif", "when":
		if last >= 0 {
			m.place = m.branches[last]
		}
	case "endif", "endunless", "endcase", "endfor", "endtablerow":
		if last >= 0 {
			m.place.settled = m.place.settled && m.branches[last].settled
			m.branches = m.branches[:last]
		}
	}
}

// addresses are the attributes that hold one.
var addresses = []string{"href", "src", "action", "formaction", "background", "poster", "cite", "data", "longdesc", "xlink:href"}

// inMarkup picks the tag of a print, and refuses places in which escaping does
// not suffice.
func (p *preparer) inMarkup(token parser.Token) string {
	at := p.markup.place
	switch at.inside {
	case program:
		p.fail(token, "nothing is printed into a script")
	case tagName, tag, attributeName, beforeValue:
		p.fail(token, "inside a tag a value is printed in quotes: href=\"{{ … }}\"")
	case value:
		switch {
		case at.quote == 0:
			p.fail(token, "inside a tag a value is printed in quotes: %s=\"{{ … }}\"", at.attribute)
		case strings.HasPrefix(at.attribute, "on"), at.attribute == "srcdoc":
			p.fail(token, "nothing is printed into `%s`, which is a program", at.attribute)
		case slices.Contains(addresses, at.attribute) && !at.settled:
			return tagLink
		}
	}
	return tagPrint
}

// schemes are those with which an address of a message may begin.
var schemes = []string{"https", "http", "mailto", "tel", "sms", "cid"}

// linkable says whether an address leads somewhere and does nothing else. Readers
// pass over spaces and control characters in front of an address and inside it.
func linkable(address string) bool {
	address = strings.Map(func(c rune) rune {
		if c <= ' ' || c == 0x7f {
			return -1
		}
		return c
	}, address)
	end := strings.IndexAny(address, ":/?#")
	return end < 0 || address[end] != ':' || slices.Contains(schemes, strings.ToLower(address[:end]))
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }
