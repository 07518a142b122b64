// Package template renders messages: Liquid texts in a folder per template.
//
//	templates/cart-reminder/email.html   the HTML part, with front matter
//	templates/cart-reminder/email.txt    the text part
//	templates/cart-reminder/sms.txt      the text message
//	templates/layouts/default.html       what stands around every HTML part
//	templates/layouts/default.txt        what stands around every text part
//
// Everything printed into an HTML part is escaped; loops, output and run time
// are bounded; a variable that has no value is an error that names it. The
// package knows nobody else in this project.
package template

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Channels that a template can have a text for.
const (
	Email = "email"
	SMS   = "sms"
)

// Files of a template.
const (
	fileHTML = "email.html"
	fileText = "email.txt"
	fileSMS  = "sms.txt"
)

// noLayout is the layout of a template that stands alone.
const noLayout = "none"

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Template is a parsed template. It is safe for concurrent use.
type Template struct {
	name  string
	files map[string]string
	zone  *time.Location // nil: that of the variable `now`

	front                front
	subject, preheader   *text
	html, plain, sms     *text
	htmlLayout, txLayout *text
}

// Rendered is one message, ready to be handed to a channel.
type Rendered struct {
	Subject    string
	HTML       string
	Text       string         // the text part of an e-mail, or the whole SMS
	TemplateID string         // a template kept at the vendor, instead of the three above
	Data       map[string]any // what the vendor fills TemplateID with
}

// Parse reads one template. files holds its texts by file name (email.html,
// email.txt, sms.txt) and the layouts by theirs (layouts/default.html); a layout
// that isn't used is ignored. Errors are Problems that name file and line.
func Parse(name string, files map[string]string) (*Template, error) {
	t := &Template{name: name, files: map[string]string{}}
	p := &parsing{template: t, given: files}
	p.run()
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return t, nil
}

// Name is the name of the template's folder.
func (t *Template) Name() string { return t.name }

// Files gives the texts from which Parse makes the same template: its own and
// the layouts that it uses, with unified line ends.
func (t *Template) Files() map[string]string { return maps.Clone(t.files) }

// KeptAtVendor says whether the vendor has the texts: all variables are data there.
func (t *Template) KeptAtVendor() bool { return t.front.TemplateID != "" }

// In gives the template with dates rendered in a time zone.
func (t *Template) In(zone *time.Location) *Template {
	copied := *t
	copied.zone = zone
	return &copied
}

// Channels names those that the template has a text for.
func (t *Template) Channels() []string {
	var channels []string
	if t.html != nil || t.plain != nil || t.front.TemplateID != "" {
		channels = append(channels, Email)
	}
	if t.sms != nil {
		channels = append(channels, SMS)
	}
	return channels
}

// TemplateID is the id of the template at the vendor, if it is kept there.
func (t *Template) TemplateID() string { return t.front.TemplateID }

// layoutVariables are those that Render itself gives to layouts.
var layoutVariables = []string{"content", "subject", "preheader"}

// Variables lists the dotted paths that the texts of a channel read, sorted,
// without those that they set themselves.
func (t *Template) Variables(channel string) []string {
	var variables []string
	for _, part := range t.parts(channel) {
		if part != nil {
			variables = append(variables, part.variables...)
		}
	}
	for _, layout := range t.layouts(channel) {
		if layout != nil {
			variables = append(variables, slices.DeleteFunc(slices.Clone(layout.variables), func(v string) bool { return slices.Contains(layoutVariables, v) })...)
		}
	}
	slices.Sort(variables)
	return slices.Compact(variables)
}

func (t *Template) parts(channel string) []*text {
	if channel == SMS {
		return []*text{t.sms}
	}
	return []*text{t.subject, t.preheader, t.html, t.plain}
}

func (t *Template) layouts(channel string) []*text {
	if channel == SMS {
		return nil
	}
	return []*text{t.htmlLayout, t.txLayout}
}

// Problem is one thing that is wrong in a template.
type Problem struct {
	File    string // templates/cart-reminder/email.html
	Line    int    // from 1; 0 where the file as a whole is meant
	Message string
}

// String gives "file:line: message".
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Problems is all that is wrong with templates.
type Problems []Problem

// Error gives one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
