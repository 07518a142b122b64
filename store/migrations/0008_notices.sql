-- +goose NO TRANSACTION
-- +goose Up

-- Notices to teams that a person wants sent again: their step is done, so the upkeep
-- looks for them. Built without keeping writers from the ledger.
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_notice_again ON message (updated_at)
    WHERE kind = 'internal' AND resent > 0 AND state = 'reserved';

-- +goose Down
DROP INDEX CONCURRENTLY message_notice_again;
