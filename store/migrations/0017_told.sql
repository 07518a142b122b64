-- +goose NO TRANSACTION
-- +goose Up

-- Messages of which a vendor told, in the order in which they were called: whether later
-- ones than one of unknown outcome were told of. Built without keeping writers from the
-- ledger.
DROP INDEX CONCURRENTLY IF EXISTS message_told; -- one whose building broke off
CREATE INDEX CONCURRENTLY message_told ON message (connection, called_at) WHERE delivery <> '';

-- +goose Down
DROP INDEX CONCURRENTLY message_told;
