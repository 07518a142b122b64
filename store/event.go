package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"scrip.dev/scrip/event"
)

// Connections that are Scrip itself: what its API is sent, and what it raises.
const (
	ConnectionAPI   = "api"
	ConnectionScrip = "scrip"
)

// ContactIdentity names a contact by our own id in an event's Person.
func ContactIdentity(contactID string) event.Identity {
	return event.Identity{Kind: event.External, Realm: ConnectionScrip, Value: contactID}
}

// RaiseEvent puts an event of our own before the dispatcher, in the transaction
// of its cause. The same key never raises twice. The person may be empty; our own
// people are named with ContactIdentity.
func RaiseEvent(ctx context.Context, q Querier, e event.Event, key string) error {
	if e.OccurredAt.IsZero() {
		e.OccurredAt = time.Now().UTC()
	}
	if err := acceptEvent(ctx, q, ConnectionScrip, e, key); err != nil {
		return fmt.Errorf("raising %s: %w", e.Type, err)
	}
	return nil
}

func acceptEvent(ctx context.Context, q Querier, connection string, e event.Event, key string) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding the event: %w", err)
	}
	_, err = accept(ctx, q, []Incoming{{Connection: connection, Topic: e.Type, Key: key, SentAt: e.OccurredAt, Body: body}})
	return err
}

// ManualStart is the type of the event with which a person starts a journey of a
// campaign whose trigger is `manual`. Its fields hold the campaign's name under
// "campaign", an entry key under "key" where one was given, and what the person
// added.
const ManualStart = "campaign.start"

// RaiseManualStart asks for a journey of a contact in a campaign with a manual
// trigger. The same key never starts twice; an empty one makes a new key.
func (s *Store) RaiseManualStart(ctx context.Context, q Querier, campaign, contactID, key string, fields map[string]any) error {
	all := map[string]any{}
	for name, value := range fields {
		all[name] = value
	}
	all["campaign"] = campaign
	if key == "" {
		key = NewID(EventID)
	} else {
		all["key"] = key
	}
	e := event.Event{Type: ManualStart, Person: event.Person{Identities: []event.Identity{ContactIdentity(contactID)}}, Fields: all}
	return RaiseEvent(ctx, q, e, "start:"+campaign+":"+contactID+":"+key)
}

// StoredEvent is one row of the event table.
type StoredEvent struct {
	ID         string
	DeliveryID int64 // 0 for imported history
	ReceivedAt time.Time
	Ordinal    int
	Connection string
	Type       string
	ContactID  string // "" while nobody is known
	Token      string
	OccurredAt time.Time
	Fields     map[string]any
}

// CEL is the event as conditions see it: its fields, its id, type and time.
func (e *StoredEvent) CEL() map[string]any {
	vars := make(map[string]any, len(e.Fields)+3)
	for name, value := range e.Fields {
		vars[name] = value
	}
	vars["id"], vars["type"], vars["at"] = e.ID, e.Type, e.OccurredAt
	return vars
}

// InsertEvent stores an event that the dispatcher has given a contact.
func (s *Store) InsertEvent(ctx context.Context, q Querier, e *StoredEvent) error {
	if e.Fields == nil {
		e.Fields = map[string]any{}
	}
	return laterOne(ctx, q, "storing event "+e.Type, `INSERT INTO event (id, delivery_id, received_at, ordinal, connection, type, contact_id, token, occurred_at, fields)
		VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''), $8, $9, $10)`,
		e.ID, e.DeliveryID, e.ReceivedAt, e.Ordinal, e.Connection, e.Type, e.ContactID, e.Token, e.OccurredAt, e.Fields)
}

const eventColumns = `id, delivery_id, received_at, ordinal, connection, type, coalesce(contact_id, ''), token, occurred_at, fields`

func (e *StoredEvent) targets() []any {
	return []any{&e.ID, &e.DeliveryID, &e.ReceivedAt, &e.Ordinal, &e.Connection, &e.Type, &e.ContactID, &e.Token, &e.OccurredAt, &e.Fields}
}

// StoredEvent loads one event row.
func (s *Store) StoredEvent(ctx context.Context, q Querier, id string) (*StoredEvent, error) {
	e := &StoredEvent{}
	if err := q.QueryRow(ctx, `SELECT `+eventColumns+` FROM event WHERE id = $1`, id).Scan(e.targets()...); err != nil {
		return nil, fmt.Errorf("loading event %s: %w", id, notFound(err))
	}
	return e, nil
}

// TokenContact gives the contact that an earlier event with the token was of; ""
// where nobody is known.
func (s *Store) TokenContact(ctx context.Context, q Querier, connection, token string) (string, error) {
	var id string
	err := q.QueryRow(ctx, `SELECT coalesce(c.merged_into, c.id) FROM event e JOIN contact c ON c.id = e.contact_id
		WHERE e.connection = $1 AND e.token = $2 AND e.token <> '' ORDER BY e.received_at DESC LIMIT 1`, connection, token).Scan(&id)
	if errors.Is(notFound(err), ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("looking up a token: %w", err)
	}
	return id, nil
}

// adoptLimit bounds how many events of an unknown visitor are looked at again
// once the visitor is known.
const adoptLimit = 100

// AdoptEvents gives the stored events of a token that had nobody to a contact,
// and returns them, oldest first.
func (s *Store) AdoptEvents(ctx context.Context, q Querier, connection, token, contactID string) ([]*StoredEvent, error) {
	return s.events(ctx, q, `WITH adopted AS (
			UPDATE event SET contact_id = $3 WHERE id IN (SELECT id FROM event WHERE connection = $1 AND token = $2
				AND token <> '' AND contact_id IS NULL AND NOT imported ORDER BY occurred_at DESC LIMIT $4) RETURNING *)
		SELECT `+eventColumns+` FROM adopted ORDER BY occurred_at, delivery_id, ordinal`, connection, token, contactID, adoptLimit)
}

func (s *Store) events(ctx context.Context, q Querier, sql string, args ...any) ([]*StoredEvent, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("loading events: %w", err)
	}
	defer rows.Close()
	var found []*StoredEvent
	for rows.Next() {
		e := &StoredEvent{}
		if err := rows.Scan(e.targets()...); err != nil {
			return nil, fmt.Errorf("loading events: %w", err)
		}
		found = append(found, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("loading events: %w", err)
	}
	return found, nil
}

// EventsSince gives the events of some types that happened at or after a moment
// and are a contact's, or have a certain value in a field, whoever's they are.
type EventsSince struct {
	Types        []string
	At           time.Time
	ContactID    string // "" together with Field and Value
	Field, Value string // Field is a dotted path: order.id
}

// EventsSince loads at most a hundred events, oldest first; imported history is
// left out.
func (s *Store) EventsSince(ctx context.Context, q Querier, want EventsSince) ([]*StoredEvent, error) {
	const order = ` AND type = ANY ($1) AND occurred_at >= $2 AND NOT imported ORDER BY occurred_at, delivery_id, ordinal LIMIT 100`
	if want.Field != "" {
		return s.events(ctx, q, `SELECT `+eventColumns+` FROM event WHERE fields #>> $3 = $4`+order,
			want.Types, want.At, strings.Split(want.Field, "."), want.Value)
	}
	return s.events(ctx, q, `SELECT `+eventColumns+` FROM event WHERE contact_id = $3`+order, want.Types, want.At, want.ContactID)
}

// HeardOfOrder says whether an event of the contact about this code and this order
// is stored already: shops tell of one order several times.
func (s *Store) HeardOfOrder(ctx context.Context, q Querier, contactID, kind, code, orderID string) (heard bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM event WHERE contact_id = $1 AND type = $2
		AND fields->>'code' = $3 AND fields->>'order_id' = $4)`, contactID, kind, code, orderID).Scan(&heard)
	if err != nil {
		return false, fmt.Errorf("looking for an order's earlier event: %w", err)
	}
	return heard, nil
}
