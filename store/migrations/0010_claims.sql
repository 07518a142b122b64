-- +goose Up

-- Journeys and contacts are never deleted. A claim keeps its journey open itself, and
-- its contact has just been read: asking for both again would lock, and so write, a
-- row of each.
ALTER TABLE assignment DROP CONSTRAINT assignment_journey_id_fkey;
ALTER TABLE assignment DROP CONSTRAINT assignment_contact_id_fkey;

-- +goose Down
ALTER TABLE assignment ADD CONSTRAINT assignment_journey_id_fkey FOREIGN KEY (journey_id) REFERENCES journey (id);
ALTER TABLE assignment ADD CONSTRAINT assignment_contact_id_fkey FOREIGN KEY (contact_id) REFERENCES contact (id);
