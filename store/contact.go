package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"scrip.dev/scrip/event"
)

// Contact is one person.
type Contact struct {
	ID         string
	FirstName  string
	LastName   string
	Locale     string // BCP 47
	TimeZone   string // IANA
	Country    string // ISO 3166-1 alpha-2
	Tags       []string
	Attributes map[string]any
	Emails     []string // normalised, the newest first
	Phones     []string // E.164, the newest first
	Externals  []event.Identity
	Consents   map[string]event.Consent // by channel
	CreatedAt  time.Time
	Erased     bool
	// FirstOrderAt and LastOrderAt are zero where no order is known.
	FirstOrderAt, LastOrderAt time.Time
	// Merged are the ids of the contacts that turned out to be this person; rows
	// written before that keep them.
	Merged []string
}

// contactQuery ends with which contact.
const contactQuery = `
SELECT p.id, p.first_name, p.last_name, p.locale, p.time_zone, p.country, p.tags, p.attributes, p.created_at, p.erased_at IS NOT NULL,
	orders.first, orders.last,
	coalesce(ids.emails, '{}'), coalesce(ids.phones, '{}'), coalesce(ids.externals, '[]'),
	coalesce((SELECT jsonb_object_agg(channel, jsonb_build_object('channel', channel, 'state', state, 'source', source, 'at', at))
		FROM consent WHERE contact_id = p.id), '{}'),
	ARRAY(SELECT id FROM contact WHERE merged_into = p.id)
FROM contact c JOIN contact p ON p.id = coalesce(c.merged_into, c.id),
	LATERAL (SELECT min(occurred_at) AS first, max(occurred_at) AS last FROM event
		WHERE contact_id = p.id AND type || '' = 'order.created') orders, -- by the contact, never by the type: everybody has orders
	LATERAL (SELECT array_agg(value_norm ORDER BY created_at DESC, value_norm) FILTER (WHERE kind = 'email') AS emails,
		array_agg(value_norm ORDER BY created_at DESC, value_norm) FILTER (WHERE kind = 'phone') AS phones,
		jsonb_agg(jsonb_build_object('kind', kind, 'realm', realm, 'value', value) ORDER BY realm, value) FILTER (WHERE kind = 'external') AS externals
		FROM identity WHERE contact_id = p.id) ids
WHERE c.id = `

// Contact loads a person; a merged contact's id gives the one it was merged into.
// The error wraps ErrNotFound where there is none.
func (s *Store) Contact(ctx context.Context, q Querier, id string) (*Contact, error) {
	c := &Contact{}
	if err := c.scan(q.QueryRow(ctx, contactQuery+`$1`, id)); err != nil {
		return nil, fmt.Errorf("loading contact %s: %w", id, err)
	}
	return c, nil
}

func (c *Contact) scan(row pgx.Row) error {
	var first, last *time.Time
	err := row.Scan(&c.ID, &c.FirstName, &c.LastName, &c.Locale, &c.TimeZone, &c.Country, &c.Tags, &c.Attributes,
		&c.CreatedAt, &c.Erased, &first, &last, &c.Emails, &c.Phones, &c.Externals, &c.Consents, &c.Merged)
	if first != nil {
		c.FirstOrderAt, c.LastOrderAt = *first, *last
	}
	return notFound(err)
}

// IDs are all ids under which rows of this person may stand.
func (c *Contact) IDs() []string { return append([]string{c.ID}, c.Merged...) }

// CEL is the contact as conditions and templates see it. Attributes stand beside
// the fields that every contact has, which they don't replace. What is not known
// is an empty text, or absent for times.
func (c *Contact) CEL() map[string]any {
	vars := make(map[string]any, len(c.Attributes)+16)
	for name, value := range c.Attributes {
		vars[name] = value
	}
	name := c.FirstName
	if name != "" && c.LastName != "" {
		name += " "
	}
	consent := map[string]any{event.ChannelEmail: false, event.ChannelSMS: false}
	for channel, given := range c.Consents {
		consent[channel] = given.State == event.Granted
	}
	tags := make([]any, len(c.Tags))
	for i, t := range c.Tags {
		tags[i] = t
	}
	vars["id"], vars["name"], vars["first_name"], vars["last_name"] = c.ID, name+c.LastName, c.FirstName, c.LastName
	vars["locale"], vars["time_zone"], vars["country"] = c.Locale, c.TimeZone, c.Country
	vars["tags"], vars["consent"] = tags, consent
	vars["email"], vars["phone"] = first(c.Emails), first(c.Phones)
	vars["created_at"] = c.CreatedAt
	if !c.FirstOrderAt.IsZero() {
		vars["first_order_at"], vars["last_order_at"] = c.FirstOrderAt, c.LastOrderAt
	}
	return vars
}

// Address gives where the contact is written to on a channel; "" for nowhere.
func (c *Contact) Address(channel string) string {
	switch channel {
	case event.ChannelEmail:
		return first(c.Emails)
	case event.ChannelSMS:
		return first(c.Phones)
	}
	return ""
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
