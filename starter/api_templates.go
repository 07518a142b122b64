package starter

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/template"
)

type templateSummary struct {
	Name     string   `json:"name"`
	Version  int      `json:"version"`
	Channels []string `json:"channels"`
}

// PreviewBody is exported because the framework reads embedded fields only of what is.
type PreviewBody struct {
	Channel   string            `json:"channel,omitempty" enum:"email,sms" doc:"default: the first that the template has a text for"`
	Contact   string            `json:"contact,omitempty" maxLength:"64" doc:"whose name and attributes are printed; default: samples"`
	Variables map[string]any    `json:"variables,omitempty" doc:"in place of samples: {\"trigger\": {\"total\": 80}}"`
	Files     map[string]string `json:"files,omitempty" doc:"texts to try in place of the applied ones: email.html, layouts/default.html …"`
}

type preview struct {
	Channel    string         `json:"channel"`
	Subject    string         `json:"subject,omitempty"`
	HTML       string         `json:"html,omitempty"`
	Text       string         `json:"text,omitempty"`
	TemplateID string         `json:"template_id,omitempty" doc:"a template kept at the vendor"`
	Data       map[string]any `json:"data,omitempty" doc:"what the vendor fills it with"`
}

type testSent struct {
	Message    string `json:"message"`
	Connection string `json:"connection"`
	State      string `json:"state"`
}

func (a *api) templateRoutes() {
	const tag = "Templates"
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/templates", "list-templates", tag, "List templates"),
		func(ctx context.Context, in *PageQuery) (*answer[pageOf[templateSummary]], error) {
			page, err := in.page()
			if err != nil {
				return nil, err
			}
			found, err := a.Store.Templates(ctx, page)
			if err != nil {
				return nil, err
			}
			cut := paged(*in, found, func(t store.TemplateSummary) string { return t.Name })
			out := pageOf[templateSummary]{Items: make([]templateSummary, len(cut.Items)), Next: cut.Next}
			for i, t := range cut.Items {
				out.Items[i] = templateSummary{t.Name, t.Version, []string{}}
				if parsed, err := template.Parse(t.Name, t.Files); err == nil {
					out.Items[i].Channels = parsed.Channels()
				}
			}
			return reply(out)
		})
	look := describe(op(http.MethodPost, "/v1/templates/{name}/preview", "preview-template", tag, "Render a template without sending it"),
		"Variables that aren't given are filled with samples.")
	look.MaxBodyBytes = 4 << 20
	handle(a, store.ScopeRead, look, func(ctx context.Context, in *struct {
		Name string `path:"name" maxLength:"64"`
		Body PreviewBody
	}) (*answer[preview], error) {
		out, err := a.preview(ctx, in.Name, in.Body)
		if err != nil {
			return nil, err
		}
		return reply(out)
	})
	send := creates(describe(op(http.MethodPost, "/v1/send-test", "send-test", tag, "Send a rendered template to an address of yours"),
		"Through a real connection, and under its guard: one that isn't live writes to its only_to addresses alone."), http.StatusAccepted)
	send.MaxBodyBytes = 4 << 20
	handle(a, store.ScopeWrite, send, a.sendTest)
}

func (a *api) preview(ctx context.Context, name string, body PreviewBody) (preview, error) {
	files := body.Files
	if len(files) == 0 {
		stored, err := a.Store.TemplateSummary(ctx, name)
		if err != nil {
			return preview{}, err
		}
		files = stored.Files
	}
	parsed, err := template.Parse(name, files)
	var wrong template.Problems
	if errors.As(err, &wrong) {
		p := problem(http.StatusUnprocessableEntity, "invalid_template", "the template has mistakes; errors names file and line of each")
		for _, w := range wrong {
			p.Errors = append(p.Errors, FieldProblem{w.File, w.Message})
		}
		return preview{}, p
	}
	if err != nil {
		return preview{}, err
	}
	if body.Channel == "" && len(parsed.Channels()) > 0 {
		body.Channel = parsed.Channels()[0]
	}
	vars, err := a.sampleVariables(ctx, parsed, body)
	if err != nil {
		return preview{}, err
	}
	rendered, err := parsed.Render(body.Channel, vars)
	if err != nil {
		return preview{}, problem(http.StatusUnprocessableEntity, "render_error", "%s", err)
	}
	return preview{body.Channel, rendered.Subject, rendered.HTML, rendered.Text, rendered.TemplateID, rendered.Data}, nil
}

// sampleVariables gives every variable that the template reads a value: the
// caller's, the contact's, or a sample that shows its name.
func (a *api) sampleVariables(ctx context.Context, parsed *template.Template, body PreviewBody) (map[string]any, error) {
	now := a.Clock.Virtual(time.Now()).In(a.Config.Zone())
	code := template.Code{Code: "SAMPLE-2345", Coupon: "sample", Discount: "10 %", ExpiresAt: sampleExpiry(a.Clock)}
	vars := map[string]any{
		"contact": map[string]any{"first_name": "Anna", "last_name": "Example", "name": "Anna Example", "email": "anna@example.com"},
		"now":     now, "code": code, "unsubscribe_url": a.Config.PublicURL + "/u/sample",
		"entry":   map[string]any{"at": now, "number": 1},
		"project": map[string]any{"currency": a.Config.Currency, "url": a.Config.PublicURL},
	}
	if body.Contact != "" {
		contact, err := a.contactOf(ctx, body.Contact)
		if err != nil {
			return nil, err
		}
		vars["contact"] = contact.CEL()
	}
	for name, value := range body.Variables {
		vars[name] = value
	}
	for _, path := range parsed.Variables(body.Channel) {
		fillSample(vars, strings.Split(path, "."), path, code)
	}
	return vars, nil
}

// fillSample sets a dotted path unless something stands there.
func fillSample(vars map[string]any, steps []string, path string, code template.Code) {
	for i, step := range steps {
		existing, has := vars[step]
		switch {
		case i == len(steps)-1 && !has:
			vars[step] = "[" + path + "]"
			return
		case !has && steps[0] == "codes":
			vars[step] = code
			return
		case !has:
			existing = map[string]any{}
			vars[step] = existing
		}
		inner, ok := existing.(map[string]any)
		if !ok {
			return
		}
		vars = inner
	}
}

type sendTestInput struct {
	Body struct {
		PreviewBody
		Template   string `json:"template" maxLength:"64"`
		To         string `json:"to" minLength:"3" maxLength:"320" doc:"an address of yours"`
		Connection string `json:"connection,omitempty" maxLength:"40" doc:"default: the channel's"`
	}
}

// testTimeout ends the vendor's call of a test.
const testTimeout = 20 * time.Second

func (a *api) sendTest(ctx context.Context, in *sendTestInput) (*answer[testSent], error) {
	rendered, err := a.preview(ctx, in.Body.Template, in.Body.PreviewBody)
	if err != nil {
		return nil, err
	}
	name := in.Body.Connection
	if name == "" {
		if name, err = a.Connections.DefaultChannel(rendered.Channel); err != nil {
			return nil, err
		}
	}
	connection, err := a.Connections.Get(name)
	if err != nil {
		return nil, err
	}
	channel, err := a.Connections.Channel(name)
	if err != nil {
		return nil, err
	}
	if channel.Channel() != rendered.Channel {
		return nil, problem(http.StatusUnprocessableEntity, "wrong_channel", "the connection %s sends %s, not %s", name, channel.Channel(), rendered.Channel)
	}
	if held := connection.Guard(in.Body.To); held != "" {
		return nil, problem(http.StatusConflict, held, "the connection %s doesn't write to this address; add it to only_to in scrip.yaml, or set live: true when real people may be reached", name)
	}
	message, err := a.Store.BeginCall(ctx, store.Message{SendKey: "test:" + store.NewID(store.MessageID), Step: "test", Channel: rendered.Channel,
		Kind: "internal", Connection: name, Template: in.Body.Template, Address: in.Body.To}, testTimeout, func(*store.Tx) (bool, error) { return true, nil })
	if err != nil {
		return nil, err
	}
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), testTimeout)
	defer cancel()
	sent, err := channel.Send(call, integrations.Message{ID: message.ID, To: in.Body.To, Subject: rendered.Subject, HTML: rendered.HTML, Text: rendered.Text,
		TemplateID: rendered.TemplateID, Data: rendered.Data, Deadline: time.Now().Add(testTimeout)})
	outcome := store.Outcome{State: store.MessageAccepted, VendorID: sent.VendorID}
	if err != nil {
		outcome = store.Outcome{State: store.MessageRefused, Reason: "vendor_refused"}
		if integrations.ClassOf(err) == integrations.Unknown {
			outcome = store.Outcome{State: store.MessageUnknown, Reason: "unknown_outcome"}
		}
	}
	if _, recordErr := a.Store.EndCall(call, message, outcome); recordErr != nil {
		return nil, recordErr
	}
	if err != nil {
		return nil, vendorProblem(err)
	}
	a.Metrics.Sent(rendered.Channel, name, outcome.State)
	return reply(testSent{message.ID, name, outcome.State})
}
