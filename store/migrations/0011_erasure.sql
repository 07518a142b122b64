-- +goose Up

-- Tests and notices belong to no contact; erasing a person finds those that went to
-- the person's address.
CREATE INDEX message_nobody ON message (lower(address)) WHERE contact_id IS NULL AND address <> '';

-- +goose Down
DROP INDEX message_nobody;
