package store

import (
	"context"
	"encoding/json"
	"fmt"
)

// exportSections say what is known about a person; each takes all of the person's
// ids as $1 and gives one JSON array.
var exportSections = map[string]string{
	"contact": `SELECT first_name, last_name, locale, time_zone, country, tags, attributes, created_at FROM contact
		WHERE id = ANY ($1) AND merged_into IS NULL`,
	"identities": `SELECT kind, realm, value, created_at FROM identity WHERE contact_id = ANY ($1) ORDER BY created_at`,
	"consents":   `SELECT channel, state, source, at FROM consent WHERE contact_id = ANY ($1) ORDER BY channel`,
	"events":     `SELECT id, connection, type, occurred_at, token, fields, imported FROM event WHERE contact_id = ANY ($1) ORDER BY occurred_at`,
	"journeys": `SELECT j.id, c.name AS campaign, j.version_no AS version, j.state, j.outcome, j.created_at, j.ended_at FROM journey j
		JOIN campaign c ON c.id = j.campaign_id WHERE j.contact_id = ANY ($1) ORDER BY j.created_at`,
	"messages": `SELECT id, channel, kind, template, address, state, reason, delivery, created_at, accepted_at FROM message
		WHERE contact_id = ANY ($1) ORDER BY created_at`,
	"codes": `SELECT p.name AS coupon, c.code, a.state, a.created_at, a.expires_at FROM assignment a JOIN coupon p ON p.id = a.coupon_id
		JOIN code c ON c.batch_id = a.batch_id AND c.pos = a.pos WHERE a.contact_id = ANY ($1) ORDER BY a.created_at`,
	"redemptions": `SELECT r.id, p.name AS coupon, r.order_key AS order, r.total, r.discount, r.currency, r.state, r.at FROM redemption r
		JOIN coupon p ON p.id = r.coupon_id WHERE r.contact_id = ANY ($1) ORDER BY r.at`,
}

// ExportContact gives everything that is stored about a person, by section, each
// an array of JSON objects. The error wraps ErrNotFound.
func (s *Store) ExportContact(ctx context.Context, contactID string) (map[string]json.RawMessage, error) {
	c, err := s.Contact(ctx, s.Pool, contactID)
	if err != nil {
		return nil, fmt.Errorf("exporting a contact: %w", err)
	}
	export := make(map[string]json.RawMessage, len(exportSections))
	for section, query := range exportSections {
		var rows []byte
		err := s.Pool.QueryRow(ctx, `SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]')::text FROM (`+query+`) t`, c.IDs()).Scan(&rows)
		if err != nil {
			return nil, fmt.Errorf("exporting a contact's %s: %w", section, err)
		}
		export[section] = rows
	}
	return export, nil
}
