package template

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// maxFile is the largest file of a template, in bytes.
const maxFile = 256 << 10

// front is the front matter of an e-mail. Subject and Preheader are Liquid.
type front struct {
	Subject    string `yaml:"subject"`
	Preheader  string `yaml:"preheader"`
	TemplateID string `yaml:"template_id"`
	Layout     string `yaml:"layout"` // "default" without it
}

// parsing collects what is wrong with one template.
type parsing struct {
	template *Template
	given    map[string]string
	problems Problems
}

// lineEnds leaves nothing that it would change again: what is stored is read as it
// was checked.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func (p *parsing) fail(file string, line int, format string, args ...any) {
	p.problems = append(p.problems, Problem{p.path(file), line, fmt.Sprintf(format, args...)})
}

func (p *parsing) path(file string) string {
	if file == "" {
		return "templates/" + p.template.name
	}
	if strings.HasPrefix(file, "layouts/") {
		return "templates/" + file
	}
	return "templates/" + p.template.name + "/" + file
}

func (p *parsing) run() {
	t := p.template
	if !namePattern.MatchString(t.name) || len(t.name) > 60 {
		p.fail("", 0, "a template is named in small letters, digits and single hyphens, such as cart-reminder")
	}
	for _, file := range slices.Sorted(maps.Keys(p.given)) {
		if !slices.Contains([]string{fileHTML, fileText, fileSMS}, file) && !strings.HasPrefix(file, "layouts/") {
			p.fail(file, 0, "a template has the files %s, %s and %s", fileHTML, fileText, fileSMS)
		}
	}
	html, hasHTML := p.take(fileHTML)
	plain, hasText := p.take(fileText)
	sms, hasSMS := p.take(fileSMS)
	if !hasHTML && !hasText && !hasSMS {
		p.fail("", 0, "the template has no text; write %s, %s or %s", fileHTML, fileText, fileSMS)
		return
	}
	if hasHTML {
		t.html = p.email(fileHTML, html, true)
	}
	if hasText {
		t.plain = p.email(fileText, plain, !hasHTML)
	}
	if hasHTML || hasText {
		p.layouts()
	}
	if hasSMS {
		if t.sms = p.compile(fileSMS, strings.TrimRight(sms, "\n"), 1, false); strings.TrimSpace(sms) == "" {
			p.fail(fileSMS, 1, "the text message is empty")
		}
	}
}

// take gives one of the files with unified line ends, and keeps it.
func (p *parsing) take(file string) (string, bool) {
	source, ok := p.given[file]
	if !ok {
		return "", false
	}
	if len(source) > maxFile {
		p.fail(file, 0, "the file is too large: at most %d kB", maxFile>>10)
		return "", true
	}
	source = lineEnds.Replace(strings.TrimLeft(source, "\ufeff"))
	p.template.files[file] = source
	return source, true
}

// email reads one part; withFront says that the front matter stands in it.
func (p *parsing) email(file, source string, withFront bool) *text {
	head, body, line, found := cutFront(source)
	if !withFront {
		if found {
			p.fail(file, 1, "the front matter stands in %s alone", fileHTML)
		}
		return p.body(file, body, line)
	}
	if !found {
		p.fail(file, 1, "the file begins with front matter: a line `---`, `subject: …`, and a line `---`")
		return nil
	}
	t := p.template
	t.front = p.front(file, head)
	if t.front.TemplateID != "" {
		if strings.TrimSpace(body) != "" {
			p.fail(file, line, "a template that the vendor keeps (`template_id`) has no text here")
		}
		return nil
	}
	t.subject = p.compile(file, t.front.Subject, lineOf(head, "subject"), false)
	t.preheader = p.compile(file, t.front.Preheader, lineOf(head, "preheader"), false)
	return p.body(file, body, line)
}

func (p *parsing) body(file, body string, line int) *text {
	if p.template.front.TemplateID != "" {
		p.fail(file, 1, "a template that the vendor keeps (`template_id`) has no text here")
		return nil
	}
	if strings.TrimSpace(body) == "" {
		p.fail(file, line, "the text is empty")
		return nil
	}
	return p.compile(file, body, line, file == fileHTML)
}

// front reads the front matter.
func (p *parsing) front(file, head string) front {
	f := front{Layout: "default"}
	err := decodeFront(head, &f)
	if err != nil {
		message, line := "not valid YAML", 1
		var located yaml.Error
		if errors.As(err, &located) {
			message = located.GetMessage()
			if t := located.GetToken(); t != nil && t.Position != nil {
				line += t.Position.Line
			}
		}
		p.fail(file, line, "front matter: %s; it has `subject`, `preheader`, `template_id` and `layout`, and a value that begins with {{ stands in quotes", message)
		return f
	}
	if f.Subject == "" && f.TemplateID == "" {
		p.fail(file, 1, "an e-mail has a `subject` in its front matter")
	}
	if f.Layout != noLayout && !namePattern.MatchString(f.Layout) {
		p.fail(file, lineOf(head, "layout"), "`layout` is %s, or the name of a file in templates/layouts", noLayout)
		f.Layout = noLayout
	}
	return f
}

// maxFront is the most that front matter has, in bytes.
const maxFront = 4 << 10

func decodeFront(head string, f *front) (err error) {
	// The YAML library panics on some malformed inputs.
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("not valid YAML")
		}
	}()
	if strings.TrimSpace(head) == "" {
		return nil
	}
	if len(head) > maxFront {
		return errors.New("front matter is too large") // for the library, which follows any nesting
	}
	if err := yaml.UnmarshalWithOptions([]byte(head), f, yaml.Strict()); err != nil {
		return fmt.Errorf("reading front matter: %w", err)
	}
	return nil
}

// cutFront divides a file into front matter and body; line is the body's first.
func cutFront(source string) (head, body string, line int, found bool) {
	rest, begins := strings.CutPrefix(source, "---\n")
	if !begins {
		return "", source, 1, false
	}
	if body, empty := strings.CutPrefix(rest, "---\n"); empty {
		return "", body, 3, true
	}
	head, body, found = strings.Cut(rest+"\n", "\n---\n")
	if !found {
		return "", source, 1, false
	}
	return head, strings.TrimSuffix(body, "\n"), strings.Count(head, "\n") + 4, true
}

// lineOf finds the line of a key of the front matter.
func lineOf(head, key string) int {
	for i, line := range strings.Split(head, "\n") {
		if strings.HasPrefix(line, key+":") {
			return i + 2
		}
	}
	return 1
}

// layouts reads those that the e-mail uses.
func (p *parsing) layouts() {
	t := p.template
	if t.front.Layout == noLayout || t.front.TemplateID != "" || t.front.Layout == "" {
		return
	}
	if t.html != nil {
		t.htmlLayout = p.layout(".html", true)
	}
	t.txLayout = p.layout(".txt", false)
}

func (p *parsing) layout(extension string, required bool) *text {
	file := "layouts/" + p.template.front.Layout + extension
	source, ok := p.take(file)
	if !ok {
		if required {
			p.fail(fileHTML, 1, "there is no templates/%s; write it, or say `layout: none`", file)
		}
		return nil
	}
	layout := p.compile(file, source, 1, extension == ".html")
	if layout != nil && !slices.Contains(layout.variables, "content") {
		p.fail(file, 1, "a layout prints the message with {{ content }}")
	}
	return layout
}

func (p *parsing) compile(file, source string, line int, escape bool) *text {
	t, problem := compile(source, p.path(file), line, escape)
	if problem != nil {
		p.problems = append(p.problems, *problem)
		return nil
	}
	return t
}
