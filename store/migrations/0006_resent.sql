-- +goose Up

-- How often a message was sent although nobody knew what became of the attempt
-- before: a policy or a person wanted it so.
ALTER TABLE message ADD COLUMN resent int NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE message DROP COLUMN resent;
