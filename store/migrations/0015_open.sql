-- +goose NO TRANSACTION
-- +goose Up

-- The upkeep goes through the open journeys page by page, and reads no more than a page.
-- Built without keeping writers from the journeys.
DROP INDEX CONCURRENTLY IF EXISTS journey_open_paged; -- one whose building broke off
CREATE INDEX CONCURRENTLY journey_open_paged ON journey (campaign_id, version_no, id) WHERE state <> 'ended';
DROP INDEX CONCURRENTLY IF EXISTS journey_open;

-- +goose Down
CREATE INDEX CONCURRENTLY IF NOT EXISTS journey_open ON journey (campaign_id, version_no) WHERE state <> 'ended';
DROP INDEX CONCURRENTLY journey_open_paged;
