-- +goose NO TRANSACTION
-- +goose Up

-- What is on record for a claim is found by the claim. Built without keeping writers
-- from the table.
CREATE INDEX CONCURRENTLY IF NOT EXISTS redemption_assignment ON redemption (assignment_id) WHERE assignment_id IS NOT NULL;

-- +goose Down
DROP INDEX CONCURRENTLY redemption_assignment;
