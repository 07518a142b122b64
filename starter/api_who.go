package starter

import (
	"context"
	"errors"
	"time"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

// Who names a contact in a body: by Scrip's own id, or by an address or an id of
// the caller's.
type Who struct {
	Contact    string `json:"contact,omitempty" maxLength:"64" doc:"Scrip's id of the contact"`
	Email      string `json:"email,omitempty" maxLength:"320"`
	Phone      string `json:"phone,omitempty" maxLength:"40" doc:"in international form: +49…"`
	ExternalID string `json:"external_id,omitempty" maxLength:"200" doc:"the caller's id of the contact"`
}

func (w Who) person() event.Person {
	var p event.Person
	add := func(kind, realm, value string) {
		if value != "" {
			p.Identities = append(p.Identities, event.Identity{Kind: kind, Realm: realm, Value: value})
		}
	}
	add(event.External, store.ConnectionAPI, w.ExternalID)
	add(event.Email, "", w.Email)
	add(event.Phone, "", w.Phone)
	return p
}

// identify gives the contact that is meant, "" for nobody. create makes one of
// addresses that nobody has.
func (a *api) identify(ctx context.Context, who Who, create bool) (string, error) {
	if who.Contact != "" {
		contact, err := a.contactOf(ctx, who.Contact)
		if err != nil {
			return "", err
		}
		return contact.ID, nil
	}
	person := who.person()
	if len(person.Identities) == 0 {
		return "", nil
	}
	if create {
		return a.Store.ResolveContact(ctx, a.Store.Pool, store.ConnectionAPI, person, time.Now().UTC())
	}
	for _, id := range person.Identities {
		found, err := a.Store.FindContact(ctx, id)
		if err == nil || !errors.Is(err, store.ErrNotFound) {
			return found, err
		}
	}
	return "", nil
}
