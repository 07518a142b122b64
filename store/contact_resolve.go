package store

import (
	"context"
	"strings"
	"time"

	"scrip.dev/scrip/event"
)

// ResolveContact finds the person whom an event of a realm (a connection) tells
// of, or makes a new contact, and brings the profile and the consents up to date
// with what was said at a moment. Identities of several contacts make them one.
// It returns "" where the event names nobody.
func (s *Store) ResolveContact(ctx context.Context, q Querier, realm string, p event.Person, at time.Time) (contactID string, err error) {
	ids := normaliseIdentities(realm, p)
	if len(ids) == 0 {
		return "", nil
	}
	err = s.inTx(ctx, q, func(tx *Tx) (err error) {
		contactID, err = s.resolve(ctx, tx, ids, p, at)
		return err
	})
	return contactID, err
}

func (s *Store) resolve(ctx context.Context, q Querier, ids []identity, p event.Person, at time.Time) (string, error) {
	owners, free, err := s.owners(ctx, q, ids)
	if err != nil {
		return "", err
	}
	if len(owners) == 0 {
		if len(free) == 0 {
			return "", nil // our own id of somebody who was erased or never existed
		}
		id, err := s.createContact(ctx, q)
		if err != nil {
			return "", err
		}
		owners = []string{id}
	}
	faster, err := s.link(ctx, q, owners[0], free)
	if err != nil {
		return "", err
	}
	contactID := owners[0]
	for _, other := range append(owners[1:], faster...) {
		if contactID, err = s.mergeContacts(ctx, q, contactID, other); err != nil {
			return "", err
		}
	}
	if err := s.updateProfile(ctx, q, contactID, p, at); err != nil {
		return "", err
	}
	return contactID, s.ApplyConsents(ctx, q, contactID, p.Consents, at)
}

func (s *Store) createContact(ctx context.Context, q Querier) (string, error) {
	id := NewID(ContactID)
	return id, laterOne(ctx, q, "creating a contact", `INSERT INTO contact (id) VALUES ($1)`, id)
}

// updateProfile overwrites what the person says anew. An older word only fills
// what is empty; tags are added, never removed.
func (s *Store) updateProfile(ctx context.Context, q Querier, contactID string, p event.Person, at time.Time) error {
	if locate(p.TimeZone) == nil {
		p.TimeZone = ""
	}
	if p.FirstName+p.LastName+p.Locale+p.TimeZone+p.Country == "" && len(p.Tags) == 0 && len(p.Attributes) == 0 {
		return nil
	}
	attributes := p.Attributes
	if attributes == nil {
		attributes = map[string]any{}
	}
	tags := p.Tags
	if tags == nil {
		tags = []string{}
	}
	return laterOne(ctx, q, "updating a profile", `UPDATE contact c SET (first_name, last_name, locale, time_zone, country, tags, attributes, profile_at, updated_at) =
			(n.first_name, n.last_name, n.locale, n.time_zone, n.country, n.tags, n.attributes, greatest(c.profile_at, $9), now())
		FROM (SELECT id,
			CASE WHEN $2 <> '' AND ($9 >= profile_at OR first_name = '') THEN $2 ELSE first_name END AS first_name,
			CASE WHEN $3 <> '' AND ($9 >= profile_at OR last_name = '') THEN $3 ELSE last_name END AS last_name,
			CASE WHEN $4 <> '' AND ($9 >= profile_at OR locale = '') THEN $4 ELSE locale END AS locale,
			CASE WHEN $5 <> '' AND ($9 >= profile_at OR time_zone = '') THEN $5 ELSE time_zone END AS time_zone,
			CASE WHEN $6 <> '' AND ($9 >= profile_at OR country = '') THEN $6 ELSE country END AS country,
			CASE WHEN tags @> $7::text[] THEN tags ELSE ARRAY(SELECT DISTINCT t FROM unnest(tags || $7::text[]) t ORDER BY t) END AS tags,
			CASE WHEN $9 >= profile_at THEN attributes || $8::jsonb ELSE $8::jsonb || attributes END AS attributes
			FROM contact WHERE id = $1) n
		WHERE c.id = n.id AND (c.first_name, c.last_name, c.locale, c.time_zone, c.country, c.tags, c.attributes) IS DISTINCT FROM
			(n.first_name, n.last_name, n.locale, n.time_zone, n.country, n.tags, n.attributes)`,
		contactID, p.FirstName, p.LastName, p.Locale, p.TimeZone, strings.ToUpper(p.Country), tags, attributes, at)
}
