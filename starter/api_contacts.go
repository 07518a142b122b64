package starter

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

// ContactID is a path with a contact in it.
type ContactID struct {
	ID string `path:"id" maxLength:"64" doc:"Scrip's id of the contact"`
}

type contact struct {
	ID         string           `json:"id"`
	FirstName  string           `json:"first_name,omitempty"`
	LastName   string           `json:"last_name,omitempty"`
	Locale     string           `json:"locale,omitempty"`
	TimeZone   string           `json:"time_zone,omitempty"`
	Country    string           `json:"country,omitempty"`
	Tags       []string         `json:"tags"`
	Attributes map[string]any   `json:"attributes"`
	Emails     []string         `json:"emails"`
	Phones     []string         `json:"phones"`
	Externals  []event.Identity `json:"external_ids"`
	Consents   []event.Consent  `json:"consents"`
	CreatedAt  time.Time        `json:"created_at"`
	Erased     bool             `json:"erased,omitempty"`
}

type found struct {
	Contact string `json:"contact"`
}

type consented struct {
	Contact string `json:"contact"`
	Channel string `json:"channel"`
	State   string `json:"state"`
}

type erased struct {
	Contact string `json:"contact"`
	Erased  bool   `json:"erased"`
}

// contactFormats tells by the Content-Type how contacts are written.
var contactFormats = map[string]string{
	"text/csv": store.ContactsCSV, "application/json": store.ContactsJSON, "application/x-ndjson": store.ContactsJSON,
}

func (a *api) contactRoutes() {
	const tag = "Contacts"
	handle(a, store.ScopeRead, describe(op(http.MethodGet, "/v1/contacts", "find-contact", tag, "Find a contact"),
		"By what a person types: Scrip's id, an e-mail address, a phone number in international form, or an outside id."),
		func(ctx context.Context, in *struct {
			Query string `query:"q" required:"true" minLength:"1" maxLength:"320"`
		}) (*answer[found], error) {
			id, err := a.Store.FindContactByText(ctx, in.Query)
			if err != nil {
				return nil, err
			}
			return reply(found{id})
		})
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/contacts/{id}", "show-contact", tag, "Show a contact"), a.showContact)
	handle(a, store.ScopeAdmin, op(http.MethodGet, "/v1/contacts/{id}/export", "export-contact", tag, "Export everything that is stored about a contact"),
		func(ctx context.Context, in *ContactID) (*answer[map[string]json.RawMessage], error) {
			sections, err := a.Store.ExportContact(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			if err := store.Audit(ctx, a.Store.Pool, actor(ctx), "contact.export", in.ID, nil); err != nil {
				return nil, err
			}
			return reply(sections)
		})
	handle(a, store.ScopeAdmin, describe(op(http.MethodPost, "/v1/contacts/{id}/erase", "erase-contact", tag, "Forget a contact"),
		"Addresses, profile and payloads go, journeys end. Suppressions stay as keyed hashes. It can't be undone."),
		func(ctx context.Context, in *ContactID) (*answer[erased], error) {
			if err := a.Store.EraseContact(ctx, a.Store.Pool, in.ID, actor(ctx)); err != nil {
				return nil, err
			}
			return reply(erased{in.ID, true})
		})
	handle(a, store.ScopeWrite, creates(op(http.MethodPost, "/v1/contacts/{id}/consent", "set-consent", tag, "Record what a contact allows on a channel"), http.StatusOK), a.postConsent)
	bring := creates(describe(op(http.MethodPost, "/v1/contacts/import", "import-contacts", tag, "Import contacts, with consents, history and suppressions"),
		"CSV with a header line, or JSON objects. What an import brings counts in conditions and starts nothing; the same file again changes nothing."), http.StatusOK)
	handleUpload(a, store.ScopeWrite, bring, []string{"text/csv", "application/json", "application/x-ndjson"}, func(ctx context.Context, in *struct {
		Upload
		Source string `query:"source" maxLength:"40" default:"import" pattern:"^[a-z][a-z0-9_-]*$" doc:"where the data is from; the realm of outside ids"`
	}) (*answer[store.ContactImportReport], error) {
		format := contactFormats[in.kind]
		if format == "" {
			return nil, problem(http.StatusUnsupportedMediaType, "unsupported_media_type", "send text/csv, application/json or application/x-ndjson as the Content-Type")
		}
		report, err := a.Store.ImportContacts(ctx, store.ContactImport{Format: format, Source: in.Source, Actor: actor(ctx)}, in.reader, nil)
		if err != nil {
			return nil, importProblem(err)
		}
		return reply(report)
	})
}

func (a *api) showContact(ctx context.Context, in *ContactID) (*answer[contact], error) {
	c, err := a.Store.Contact(ctx, a.Store.Pool, in.ID)
	if err != nil {
		return nil, err
	}
	out := contact{ID: c.ID, FirstName: c.FirstName, LastName: c.LastName, Locale: c.Locale, TimeZone: c.TimeZone, Country: c.Country,
		Tags: present(c.Tags), Attributes: c.Attributes, Emails: present(c.Emails), Phones: present(c.Phones), Externals: present(c.Externals),
		Consents: []event.Consent{}, CreatedAt: c.CreatedAt, Erased: c.Erased}
	for _, consent := range c.Consents {
		out.Consents = append(out.Consents, consent)
	}
	return reply(out)
}

// present makes an empty list of none, as JSON tells the two apart.
func present[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

type consentInput struct {
	ContactID
	Body struct {
		Channel string `json:"channel" enum:"email,sms"`
		State   string `json:"state" enum:"granted,denied,pending"`
		Source  string `json:"source,omitempty" maxLength:"200" doc:"where it was given, for the record"`
	}
}

func (a *api) postConsent(ctx context.Context, in *consentInput) (*answer[consented], error) {
	c, err := a.Store.Contact(ctx, a.Store.Pool, in.ID)
	if err != nil {
		return nil, err
	}
	if c.Erased {
		return nil, problem(http.StatusConflict, "contact_erased", "the contact was erased; send an event with the person's address to begin anew")
	}
	consent := event.Consent{Channel: in.Body.Channel, State: in.Body.State, Source: in.Body.Source, At: time.Now().UTC()}
	if err := a.setConsent(ctx, c.ID, consent, actor(ctx)); err != nil {
		return nil, err
	}
	return reply(consented{c.ID, consent.Channel, consent.State})
}
