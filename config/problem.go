package config

import (
	"fmt"
	"strings"

	"scrip.dev/scrip/campaign"
)

// Problem is one thing that is wrong with the settings.
type Problem struct {
	Pos     campaign.Pos // where it stands; Line 0 if it isn't in the file
	Key     string       // dotted: connections.email.kind; "" for the file as a whole
	Message string       // what is wrong, and what was expected
}

// String gives "scrip.yaml:7:5: connections.email.kind: …".
func (p Problem) String() string {
	where := p.Pos.File
	if p.Pos.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", p.Pos.File, p.Pos.Line, max(p.Pos.Column, 1))
	}
	text := p.Message
	for _, before := range []string{p.Key, where} {
		if before != "" {
			text = before + ": " + text
		}
	}
	return text
}

// Problems is all that is wrong.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// err is nil if there are none.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
