package template

import (
	"fmt"
	"html"
	"io"

	"github.com/osteele/liquid/expressions"
	"github.com/osteele/liquid/render"
	"github.com/osteele/liquid/tags"
)

// runName is where the tags of a text find its run among the variables. No template
// can write it.
const runName = "\x00run"

// grammar reads the text, with the tags that were written into it.
func (p prepared) grammar(html bool) render.Config {
	c := render.NewConfig()
	tags.AddStandardTags(c)
	p.add(&c, tagPrint, func(r *rendering, value any, source string) (string, error) { return r.print(value, source, html) })
	p.add(&c, tagPlain, func(r *rendering, value any, source string) (string, error) { return r.print(value, source, false) })
	p.add(&c, tagLink, (*rendering).link)
	c.AddTag(tagCount, func(args string) (func(io.Writer, render.Context) error, error) {
		var pieces, bytes int
		_, err := fmt.Sscan(args, &pieces, &bytes)
		return func(_ io.Writer, ctx render.Context) error { return ctx.Get(runName).(*rendering).turn(pieces, bytes) }, err
	})
	return c
}

func (p prepared) add(c *render.Config, name string, printed func(*rendering, any, string) (string, error)) {
	c.AddTag(name, func(args string) (func(io.Writer, render.Context) error, error) {
		var number int
		if _, err := fmt.Sscan(args, &number); err != nil {
			return nil, err
		}
		source := p.expressions[number]
		expression, err := expressions.Parse(source)
		return func(w io.Writer, ctx render.Context) error {
			value, err := ctx.Evaluate(expression)
			if err != nil {
				return err
			}
			out, err := printed(ctx.Get(runName).(*rendering), value, source)
			if err != nil {
				return err
			}
			_, err = io.WriteString(w, out)
			return err
		}, err
	})
}

// print checks what {{ }} prints, and escapes it in HTML.
func (r *rendering) print(value any, source string, escape bool) (string, error) {
	if value == nil {
		return "", r.fail(fmt.Errorf("{{ %s }} %w", source, ErrUndefined))
	}
	if safe, ok := value.(safeHTML); ok {
		return safe.html, nil
	}
	out := r.display(value)
	if escape {
		out = html.EscapeString(out)
	}
	return out, r.spend(1, len(out))
}

// link is print for where an address of the message begins: one that runs a script
// in its reader is refused.
func (r *rendering) link(value any, source string) (string, error) {
	if value != nil && !linkable(r.display(value)) {
		return "", r.fail(fmt.Errorf("{{ %s }} %w", source, ErrNotLinkable))
	}
	return r.print(value, source, true)
}
