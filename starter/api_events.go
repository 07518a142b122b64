package starter

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

// maxEventsBody is how much a batch of events may be, in bytes.
const maxEventsBody = 5 << 20

type accepted struct {
	Accepted   int `json:"accepted" doc:"how many are stored and will be dispatched"`
	Duplicates int `json:"duplicates,omitempty" doc:"how many came before under the same id"`
}

func (a *api) eventRoutes() {
	send := creates(describe(op(http.MethodPost, "/v1/events", "send-events", "Events", "Send one event, or an array of them"),
		"Answered once they are stored; what follows from them happens after that. An event that carries an `id` is taken once, however often it is sent. An array is taken as a whole or not at all."), http.StatusAccepted)
	send.MaxBodyBytes = maxEventsBody
	send.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
		Schema: &huma.Schema{OneOf: []*huma.Schema{eventSchema(), {Type: "array", Items: eventSchema(), MinItems: ptr(1), MaxItems: ptr(1000)}}},
		Example: map[string]any{"type": "order.paid", "id": "A-1001", "contact": map[string]any{"email": "anna@example.com", "consent": map[string]any{"email": true}},
			"order": map[string]any{"id": "A-1001", "total": "49.90", "currency": "EUR"}, "fields": map[string]any{"coffee": true}},
	}}}
	send.SkipValidateBody = true // event.DecodeJSON says more exactly what is wrong
	handle(a, store.ScopeEvents, send, func(ctx context.Context, in *struct{ RawBody []byte }) (*answer[accepted], error) {
		events, err := event.DecodeJSON(in.RawBody)
		if err != nil {
			return nil, problem(http.StatusUnprocessableEntity, "invalid_event", "%s", err)
		}
		return a.acceptEvents(ctx, events)
	})
}

func (a *api) acceptEvents(ctx context.Context, events []event.Event) (*answer[accepted], error) {
	incoming := make([]store.Incoming, len(events))
	for i, e := range events {
		for n := range e.Person.Identities {
			if id := &e.Person.Identities[n]; id.Kind == event.External && id.Realm == "" {
				id.Realm = store.ConnectionAPI
			}
		}
		if len(e.Person.Identities) > 0 && !store.Identifies(e.Person) {
			return nil, problem(http.StatusUnprocessableEntity, "invalid_event",
				"event %d: contact names nobody: email is no e-mail address, or phone no number in international form (+49…); leave contact out where it is nobody's event", i+1)
		}
		body, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("encoding an event: %w", err)
		}
		key := store.NewID(store.EventID)
		if id, ok := e.Fields["id"].(string); ok && id != "" {
			key = e.Type + ":" + id
		}
		incoming[i] = store.Incoming{Connection: store.ConnectionAPI, Topic: e.Type, Key: boundedKey(key), SentAt: e.OccurredAt, Body: body, Trace: Traceparent(ctx)}
	}
	stored, err := a.accept(ctx, incoming)
	if err != nil {
		return nil, err
	}
	var out accepted
	for _, s := range stored {
		if s.Duplicate {
			out.Duplicates++
		} else {
			out.Accepted++
		}
	}
	return reply(out)
}

// accept stores one event together with the webhooks that come in at the same
// time, and an array of them in a transaction of its own.
func (a *api) accept(ctx context.Context, incoming []store.Incoming) ([]store.Accepted, error) {
	if len(incoming) == 1 {
		one, err := a.Inbox.Accept(ctx, incoming[0])
		return []store.Accepted{one}, err
	}
	stored, err := a.Store.Accept(ctx, incoming)
	if err == nil {
		a.Inbox.wake()
	}
	return stored, err
}

func eventSchema() *huma.Schema {
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: "string", Description: doc} }
	object := func(doc string, properties map[string]*huma.Schema, required ...string) *huma.Schema {
		return &huma.Schema{Type: "object", Description: doc, Properties: properties, Required: required, AdditionalProperties: false}
	}
	free := func(doc string) *huma.Schema {
		return &huma.Schema{Type: "object", Description: doc, AdditionalProperties: true}
	}
	amount := func(doc string) *huma.Schema {
		return &huma.Schema{Description: doc, OneOf: []*huma.Schema{{Type: "string"}, {Type: "number"}}}
	}
	return object("Something that happened.", map[string]*huma.Schema{
		"id":          text("the sender's; the same event sent again has the same"),
		"type":        text("dotted: order.paid; a campaign can react to any"),
		"occurred_at": {Type: "string", Format: "date-time", Description: "default: now"},
		"contact": object("whose event it is", map[string]*huma.Schema{
			"id": text("Scrip's own id of the contact"), "external_id": text("the sender's id of the contact"),
			"email": text("an e-mail address"), "phone": text("in international form: +49…"),
			"first_name": text("given name"), "last_name": text("family name"),
			"locale": text("BCP 47: de-DE"), "time_zone": text("IANA: Europe/Berlin"), "country": text("ISO 3166-1: DE"),
			"tags":       {Type: "array", Items: &huma.Schema{Type: "string"}, Description: "added, never removed"},
			"attributes": free("what campaigns read as contact.NAME"),
			"consent":    free("by channel: true, false, a state, or {state, at, source}"),
		}),
		"token": text("a cart or checkout that may be linked to a contact later"),
		"code":  text("for code.* events: the code"),
		"order": object("for order.* and code.* events", map[string]*huma.Schema{
			"id": text("the order's id"), "total": amount("what was paid"), "discount": amount("what the code took off"), "currency": text("ISO 4217")}),
		"fields": free("what campaigns read as event.NAME"),
	}, "type")
}
