package starter

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// happening is one stored event on its way to the journeys it concerns.
type happening struct {
	event *store.StoredEvent
	// code says that the event is about a code; then only the journeys that hold
	// it listen, not all of the contact's.
	code    bool
	holders []string // the journeys that hold the code
	matched []int64  // debounced entries of other people that share a value
}

// said is what one event tells of its person.
type said struct {
	person event.Person
	token  string
	at     time.Time
}

// known is whose a delivery's last event was: most often its next one tells of the
// same person, who then needn't be looked up again.
type known struct {
	said
	contactID string
	adopted   string // whose the token's earlier events have become
}

// storeEvents gives each event its contact and writes it. Events about codes that
// aren't ours, and redemptions that are on record, are left out. Earlier events of
// a visitor who turns out to be somebody come before the event that told it.
func (b *batch) storeEvents(ctx context.Context, d store.Delivery, events []event.Event) ([]*happening, error) {
	var happened []*happening
	var last known
	for i, e := range events {
		if e.Type == "" {
			return nil, &eventError{reason: "an event has no type", final: true}
		}
		if e.OccurredAt.IsZero() {
			e.OccurredAt = moment(d)
		}
		if e.OccurredAt.After(d.ReceivedAt) { // a clock that is ahead: nothing came in before it happened
			e.OccurredAt = d.ReceivedAt
		}
		if handled, err := b.privacy(ctx, d, e); err != nil || handled {
			if err != nil {
				return nil, err
			}
			last = known{} // who it was may be gone
			continue
		}
		if told := (said{e.Person, e.Token, e.OccurredAt}); !reflect.DeepEqual(told, last.said) {
			contactID, err := b.person(ctx, d, e)
			if err != nil {
				return nil, err
			}
			last = known{said: told, contactID: contactID}
		}
		contactID := last.contactID
		h := &happening{code: strings.HasPrefix(e.Type, "code.")}
		if h.code {
			about, err := b.code(ctx, d, &e, contactID)
			if err != nil {
				return nil, err
			}
			if about == nil {
				continue
			}
			h.holders = about.journeys
			if contactID == "" && about.contact != "" {
				contactID = about.contact
				last = known{} // its token tells of somebody from now on
			}
		}
		h.event = &store.StoredEvent{
			ID: store.NewID(store.EventID), DeliveryID: d.ID, ReceivedAt: d.ReceivedAt, Ordinal: i, Connection: d.Connection, Type: e.Type,
			ContactID: contactID, Token: e.Token, OccurredAt: e.OccurredAt, Fields: e.Fields,
		}
		if last.adopted != h.event.ContactID {
			adopted, err := b.adopt(ctx, h.event)
			if err != nil {
				return nil, err
			}
			happened, last.adopted = append(happened, adopted...), h.event.ContactID
		}
		if err := b.Store.InsertEvent(ctx, b.tx, h.event); err != nil {
			return nil, err
		}
		happened = append(happened, h)
	}
	return happened, nil
}

// person finds whose event it is: by what it says of the person, else by an
// earlier event with the same token.
func (b *batch) person(ctx context.Context, d store.Delivery, e event.Event) (string, error) {
	contactID, err := b.Store.ResolveContact(ctx, b.tx, d.Connection, e.Person, e.OccurredAt)
	if err != nil || contactID != "" || e.Token == "" {
		return contactID, err
	}
	return b.Store.TokenContact(ctx, b.tx, d.Connection, e.Token)
}

// adopt gives a contact the events that came in under its token while nobody
// knew whose it was.
func (b *batch) adopt(ctx context.Context, e *store.StoredEvent) ([]*happening, error) {
	if e.ContactID == "" || e.Token == "" {
		return nil, nil
	}
	events, err := b.Store.AdoptEvents(ctx, b.tx, e.Connection, e.Token, e.ContactID)
	if err != nil {
		return nil, err
	}
	adopted := make([]*happening, 0, len(events))
	for _, earlier := range events {
		if !strings.HasPrefix(earlier.Type, "code.") { // those went to the holders at once
			adopted = append(adopted, &happening{event: earlier})
		}
	}
	return adopted, nil
}

// privacy answers a person's or a shop's privacy request as far as that can be
// done without a person.
func (b *batch) privacy(ctx context.Context, d store.Delivery, e event.Event) (handled bool, err error) {
	switch e.Type {
	case integrations.PrivacyRedact:
		for _, id := range e.Person.Identities {
			contactID, err := b.Store.ContactByIdentity(ctx, b.tx, d.Connection, id)
			if err != nil {
				return true, err
			}
			if contactID == "" {
				continue
			}
			if err := b.Store.EraseContact(ctx, b.tx, contactID, d.Connection); err != nil {
				return true, err
			}
		}
		return true, nil
	case integrations.PrivacyDataRequested, integrations.PrivacyShopRedact:
		return true, b.listPrivacy(ctx, d, e)
	}
	return false, nil
}

// listPrivacy lists a request that a person has to answer in the audit trail,
// with the ids of the contacts that it is about: none where nobody is known.
func (b *batch) listPrivacy(ctx context.Context, d store.Delivery, e event.Event) error {
	contacts := []string{}
	for _, id := range e.Person.Identities {
		contactID, err := b.Store.ContactByIdentity(ctx, b.tx, d.Connection, id)
		if err != nil {
			return err
		}
		if contactID != "" && !slices.Contains(contacts, contactID) {
			contacts = append(contacts, contactID)
		}
	}
	detail := map[string]any{"delivery": d.ID, "contacts": contacts}
	if request := campaign.Text(e.Fields["request_id"]); request != "" {
		detail["request"] = request
	}
	return store.Audit(ctx, b.tx, d.Connection, e.Type, d.Connection, detail)
}
