package template

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// Render fills the texts of a channel. vars are the variables by name: maps and
// lists of JSON types, times, and Code for `code` and inside `codes`. A variable
// that is printed and has no value is ErrUndefined. Dates are rendered in the
// zone of In, else in that of the variable `now`, else in UTC.
//
// A template that is kept at the vendor gives its id and the data to fill it:
// vars, with `code` as a text and the rest of it as `code_details`.
func (t *Template) Render(channel string, vars map[string]any) (Rendered, error) {
	zone := zoneOf(t.zone, vars)
	switch channel {
	case SMS:
		if t.sms == nil {
			return Rendered{}, fmt.Errorf("rendering templates/%s: it has no %s", t.name, fileSMS)
		}
		body, err := t.sms.render(sealedVars(vars), zone)
		return Rendered{Text: strings.TrimSpace(body)}, err
	case Email:
		if t.front.TemplateID != "" {
			return Rendered{TemplateID: t.front.TemplateID, Data: vendorData(vars, zone)}, nil
		}
		if t.html != nil || t.plain != nil {
			return t.email(sealedVars(vars), zone)
		}
	}
	return Rendered{}, fmt.Errorf("rendering templates/%s: it has no text for %s", t.name, channel)
}

func (t *Template) email(vars map[string]any, zone *time.Location) (Rendered, error) {
	subject, err := t.subject.render(vars, zone)
	if err != nil {
		return Rendered{}, err
	}
	preheader, err := t.preheader.render(vars, zone)
	if err != nil {
		return Rendered{}, err
	}
	// A line end in a subject would begin a new header.
	out := Rendered{Subject: strings.Join(strings.Fields(subject), " ")}
	around := maps.Clone(vars)
	around["subject"], around["preheader"] = out.Subject, strings.Join(strings.Fields(preheader), " ")
	if out.HTML, err = within(t.html, t.htmlLayout, vars, around, zone, func(s string) any { return safeHTML{html: s} }); err != nil {
		return Rendered{}, err
	}
	if t.plain == nil {
		out.Text = plainText(out.HTML)
		return out, nil
	}
	out.Text, err = within(t.plain, t.txLayout, vars, around, zone, func(s string) any { return s })
	return out, err
}

// within renders a part and the layout around it.
func within(part, layout *text, vars, around map[string]any, zone *time.Location, content func(string) any) (string, error) {
	if part == nil {
		return "", nil
	}
	body, err := part.render(vars, zone)
	if err != nil || layout == nil {
		return body, err
	}
	around["content"] = content(strings.TrimSpace(body))
	return layout.render(around, zone)
}

// vendorData gives the variables as JSON types.
func vendorData(vars map[string]any, zone *time.Location) map[string]any {
	data := make(map[string]any, len(vars)+1)
	for name, value := range vars {
		switch value := value.(type) {
		case Code:
			data[name], data[name+"_details"] = value.Code, value.data(zone)
		case time.Time:
			data[name] = value.In(zone).Format(time.RFC3339)
		case map[string]any:
			data[name] = vendorData(value, zone)
		default:
			data[name] = value
		}
	}
	return data
}

// zoneOf picks the zone of a rendering.
func zoneOf(zone *time.Location, vars map[string]any) *time.Location {
	if zone != nil {
		return zone
	}
	if now, ok := vars["now"].(time.Time); ok {
		return now.Location()
	}
	return time.UTC
}
