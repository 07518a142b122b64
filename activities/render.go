package activities

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/template"
)

// renderError is a template's fault, not the database's: it can be mended, and
// the message sent then.
type renderError struct{ error }

// templates caches parsed template versions, which never change.
type templates struct {
	sync.RWMutex
	byVersion map[templateKey]*template.Template
}

type templateKey struct {
	name string
	no   int
}

// render makes the message: from the version of its template that it was made from
// before, else from the newest.
func (a *Activities) render(ctx context.Context, s *scene, m store.Message) (integrations.Message, int, error) {
	t, version, err := a.template(ctx, m.Template, m.TemplateVersion)
	if err != nil {
		return integrations.Message{}, 0, err
	}
	vars, err := a.variables(ctx, s, readBy(t, m.Channel))
	if err != nil {
		return integrations.Message{}, 0, err
	}
	vars["unsubscribe_url"] = a.unsubscribeURL(ctx, m.ContactID, m.Channel)
	for name, value := range s.doc.Send.With {
		vars[name] = value
	}
	rendered, err := t.Render(m.Channel, vars)
	if err != nil {
		return integrations.Message{}, 0, &renderError{err}
	}
	return integrations.Message{Subject: rendered.Subject, HTML: rendered.HTML, Text: rendered.Text,
		TemplateID: rendered.TemplateID, Data: rendered.Data}, version, nil
}

func (a *Activities) template(ctx context.Context, name string, no int) (*template.Template, int, error) {
	if no == 0 {
		var err error
		no, err = a.Store.TemplateNo(ctx, a.Store.Pool, name)
		if errors.Is(err, store.ErrNotFound) {
			return nil, 0, &renderError{err}
		}
		if err != nil {
			return nil, 0, err
		}
	}
	key := templateKey{name, no}
	a.templates.RLock()
	t := a.templates.byVersion[key]
	a.templates.RUnlock()
	if t != nil {
		return t, no, nil
	}
	files, err := a.Store.TemplateFiles(ctx, a.Store.Pool, name, no)
	if err != nil {
		return nil, 0, err
	}
	if t, err = template.Parse(name, files); err != nil {
		return nil, 0, &renderError{err}
	}
	a.templates.Lock()
	defer a.templates.Unlock()
	if a.templates.byVersion == nil {
		a.templates.byVersion = map[templateKey]*template.Template{}
	}
	a.templates.byVersion[key] = t
	return t, no, nil
}

// reads are the dotted paths of the variables that a text reads; nil: any.
type reads []string

// readBy gives what the texts of a channel read. A template that is kept at the vendor
// is given everything.
func readBy(t *template.Template, channel string) reads {
	if t.KeptAtVendor() {
		return nil
	}
	return append(reads{}, t.Variables(channel)...)
}

// of says whether anything of a variable is read.
func (r reads) of(name string) bool {
	return r == nil || slices.ContainsFunc(r, func(path string) bool { return path == name || strings.HasPrefix(path, name+".") })
}

// raw says whether an event's payload may be read.
func (r reads) raw(event string) bool { return r.of(event+".raw") || slices.Contains(r, event) }

// variables is what templates see: the person as of now, the event that started
// the journey, its codes. What isn't read is not loaded.
func (a *Activities) variables(ctx context.Context, s *scene, read reads) (vars map[string]any, err error) {
	zone := a.zone(s)
	vars = map[string]any{
		"contact": s.contact.CEL(), "now": s.Clock.Virtual(time.Now()).In(zone),
		"project": map[string]any{"currency": a.Project.Currency, "url": a.Project.PublicURL},
	}
	if read.of("trigger") || read.of("event") {
		if vars["trigger"], vars["event"], err = a.events(ctx, s, read.raw("trigger") || read.raw("event")); err != nil {
			return nil, err
		}
	}
	if read.of("steps") {
		if vars["steps"], err = a.steps(ctx, s); err != nil {
			return nil, err
		}
	}
	if read.of("entry") {
		entry, err := a.entry(ctx, s)
		if err != nil {
			return nil, err
		}
		entry["at"] = s.journey.CreatedAt.In(zone)
		vars["entry"] = entry
	}
	codes, err := a.codes(ctx, s)
	if err != nil {
		return nil, err
	}
	all := map[string]any{}
	for i := range codes {
		all[codes[i].Coupon] = printable(&codes[i], s, zone)
	}
	vars["codes"] = all
	if len(codes) > 0 {
		vars["code"] = all[codes[len(codes)-1].Coupon]
		if read.of("coupon") {
			if vars["coupon"], err = a.couponOf(ctx, codes); err != nil {
				return nil, err
			}
		}
	}
	return vars, nil
}

// printable is a code as a template prints it; its expiry is the one that the
// person's calendar will show, also under a development clock.
func printable(code *store.Assignment, s *scene, zone *time.Location) template.Code {
	c := template.Code{Code: code.Code, Coupon: code.Coupon}
	if !code.ExpiresAt.IsZero() {
		c.ExpiresAt = s.Clock.Virtual(code.ExpiresAt).In(zone)
	}
	return c
}

// couponOf is the coupon of the newest code; nil without one.
func (a *Activities) couponOf(ctx context.Context, codes []store.Assignment) (map[string]any, error) {
	if len(codes) == 0 {
		return nil, nil
	}
	c, err := a.Store.Coupon(ctx, a.Store.Pool, codes[len(codes)-1].Coupon)
	if err != nil {
		return nil, err
	}
	d := c.Doc.Discount
	return map[string]any{
		"name": c.Doc.Name, "percentage": d.Percentage.InexactFloat64(), "amount": d.Amount.InexactFloat64(),
		"currency": d.Currency, "free_shipping": d.FreeShipping, "text": d.Text, "min_order": c.Doc.Limits.MinOrder.InexactFloat64(),
	}, nil
}

// unsubscribeURL is the one-click address of one person on one channel.
func (a *Activities) unsubscribeURL(ctx context.Context, contactID, channel string) string {
	token, err := a.Store.UnsubscribeToken(ctx, contactID, channel)
	if err != nil {
		a.Log.ErrorContext(ctx, "making an unsubscribe address failed", "error", err)
		return ""
	}
	return a.Project.PublicURL + "/u/" + token
}
