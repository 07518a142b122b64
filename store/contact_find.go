package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"scrip.dev/scrip/event"
)

// FindContact gives the id of the contact that has an address or outside id. The
// error wraps ErrNotFound where nobody has it.
func (s *Store) FindContact(ctx context.Context, id event.Identity) (string, error) {
	found, err := s.ContactByIdentity(ctx, s.Pool, id.Realm, id)
	if err == nil && found == "" {
		err = fmt.Errorf("finding a contact: %w", ErrNotFound)
	}
	return found, err
}

// ContactByIdentity gives the id of the contact that an identity belongs to, in a
// realm where it names none; "" for nobody.
func (s *Store) ContactByIdentity(ctx context.Context, q Querier, realm string, id event.Identity) (string, error) {
	ids := normaliseIdentities(realm, event.Person{Identities: []event.Identity{id}})
	if len(ids) == 0 {
		return "", nil
	}
	owners, _, err := s.owners(ctx, q, ids)
	if err != nil || len(owners) == 0 {
		return "", err
	}
	return owners[0], nil
}

// FindContactByText finds a contact by what a person types: our id, an e-mail
// address, a phone number in international form, or an outside id of any
// connection. The error wraps ErrNotFound where nothing or more than one fits.
func (s *Store) FindContactByText(ctx context.Context, text string) (string, error) {
	text = strings.TrimSpace(text)
	guesses := []event.Identity{ContactIdentity(text), {Kind: event.Email, Value: text}, {Kind: event.Phone, Value: text}}
	for _, guess := range guesses {
		id, err := s.FindContact(ctx, guess)
		if err == nil || !errors.Is(err, ErrNotFound) {
			return id, err
		}
	}
	rows, err := s.Pool.Query(ctx, `SELECT DISTINCT coalesce(c.merged_into, c.id) FROM identity i JOIN contact c ON c.id = i.contact_id
		WHERE i.kind = 'external' AND i.realm IN (SELECT name FROM connection UNION SELECT 'api') AND i.value_norm = $1 LIMIT 2`, text)
	if err != nil {
		return "", fmt.Errorf("finding a contact: %w", err)
	}
	found, err := collect[string](rows)
	if err != nil {
		return "", fmt.Errorf("finding a contact: %w", err)
	}
	if len(found) != 1 {
		return "", fmt.Errorf("finding a contact: %w", ErrNotFound)
	}
	return found[0], nil
}
