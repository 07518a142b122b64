package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
)

// EraseContact forgets a person: addresses, profile and consents go, payloads and
// texts of events are blanked (numbers stay, they are in sums), addresses of
// messages too, and the journeys end. What stays says nothing about who it was:
// opaque ids, redemptions as they are in the books, and suppressions, which are
// kept as keyed hashes so that the address stays closed. Asked again it does
// nothing. The error wraps ErrNotFound where there is no such contact.
func (s *Store) EraseContact(ctx context.Context, q Querier, contactID, actor string) error {
	err := s.inTx(ctx, q, func(tx *Tx) error { return s.erase(ctx, tx, contactID, actor) })
	if err != nil {
		return fmt.Errorf("erasing a contact: %w", err)
	}
	return nil
}

func (s *Store) erase(ctx context.Context, tx *Tx, contactID, actor string) error {
	c, err := s.Contact(ctx, tx, contactID)
	if err != nil || c.Erased {
		return err
	}
	open, err := s.OpenJourneys(ctx, tx, c.IDs(), nil)
	if err != nil {
		return err
	}
	for _, j := range open {
		if err := s.EnqueueSignal(ctx, tx, j.ID, "exit", map[string]string{"outcome": campaign.OutcomeErased}); err != nil {
			return err
		}
	}
	batch := &pgx.Batch{}
	s.refuseWaiting(batch, RefusedErased, `INSERT INTO refusal (campaign_id, contact_id, event_id, reason) SELECT campaign_id, contact_id, event_id, $2
		FROM pending_entry WHERE contact_id = ANY ($1) RETURNING campaign_id`, c.IDs(), RefusedErased)
	for _, statement := range eraseStatements {
		batch.Queue(statement, c.IDs())
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	return Audit(ctx, tx, actor, "contact.erase", c.ID, nil)
}

// eraseStatements take all ids of the person as $1.
var eraseStatements = []string{
	`DELETE FROM pending_entry WHERE contact_id = ANY ($1)`,
	`UPDATE delivery d SET body = NULL, meta = NULL FROM event e
		WHERE e.contact_id = ANY ($1) AND NOT e.imported AND d.id = e.delivery_id AND d.received_at = e.received_at`,
	`UPDATE event SET token = '', fields = coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(fields)
		WHERE jsonb_typeof(value) IN ('number', 'boolean')), '{}') WHERE contact_id = ANY ($1)`,
	`DELETE FROM match_key WHERE journey_id IN (SELECT id FROM journey WHERE contact_id = ANY ($1))`,
	// Payloads that could not be dispatched have no events that lead to them.
	`UPDATE delivery d SET body = NULL, meta = NULL FROM dead_letter l, identity i
		WHERE i.contact_id = ANY ($1) AND d.id = l.delivery_id AND d.received_at = l.received_at
		AND position(convert_to(i.value, 'UTF8') IN d.body) > 0`,
	`UPDATE message SET address = '', detail = '', updated_at = now() WHERE contact_id = ANY ($1)`,
	// A vendor's words about what a team was told of the person.
	`UPDATE message SET detail = '', updated_at = now() WHERE contact_id IS NULL AND detail <> ''
		AND journey_id IN (SELECT id FROM journey WHERE contact_id = ANY ($1))`,
	// Tests that somebody sent to the person's address belong to no contact.
	`UPDATE message m SET address = '', detail = '', updated_at = now() FROM identity i
		WHERE i.contact_id = ANY ($1) AND i.kind IN ('email', 'phone') AND m.contact_id IS NULL AND m.address <> '' AND lower(m.address) = lower(i.value)`,
	`UPDATE step_result SET json = NULL WHERE journey_id IN (SELECT id FROM journey WHERE contact_id = ANY ($1))`,
	`DELETE FROM identity WHERE contact_id = ANY ($1)`,
	`DELETE FROM consent WHERE contact_id = ANY ($1)`,
	`UPDATE contact SET first_name = '', last_name = '', locale = '', time_zone = '', country = '', tags = '{}', attributes = '{}',
		updated_at = now(), erased_at = now() WHERE id = ANY ($1)`,
}
