-- +goose NO TRANSACTION
-- +goose Up

-- Every minute the upkeep looks for entries that were never started, among all that are
-- open. Built without keeping writers from the journeys.
CREATE INDEX CONCURRENTLY IF NOT EXISTS journey_pending ON journey (created_at) WHERE state = 'pending';

-- +goose Down
DROP INDEX CONCURRENTLY journey_pending;
