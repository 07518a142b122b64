-- +goose NO TRANSACTION
-- +goose Up

-- Every minute the upkeep looks for entries that were never started, among all that are
-- open. Built without keeping writers from the journeys.
DROP INDEX CONCURRENTLY IF EXISTS journey_pending; -- one whose building broke off
CREATE INDEX CONCURRENTLY journey_pending ON journey (created_at) WHERE state = 'pending';

-- +goose Down
DROP INDEX CONCURRENTLY journey_pending;
