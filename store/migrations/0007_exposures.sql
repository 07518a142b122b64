-- +goose Up

-- How often a code was let out, without the attempts that a vendor certainly did
-- not take. Codes that were let out before this was counted have 0 and exposed_at.
ALTER TABLE assignment ADD COLUMN exposures int NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE assignment DROP COLUMN exposures;
