-- +goose Up

-- A table of which the planner knows nothing is looked up by index. One that was
-- analysed while it held a few rows is cheaper to read whole, and the connections that
-- planned so do it for as long as they last, while it grows. So nothing is known of a
-- table that grows until it has grown.
-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['assignment', 'assignment_share', 'audit', 'campaign_entry', 'claim_alias', 'code', 'consent', 'contact',
        'coupon_contact_use', 'dead_letter', 'delivery_body', 'delivery_key', 'event', 'hold', 'idempotency_key', 'identity', 'import_problem',
        'journey', 'match_key', 'message', 'message_evidence', 'pending_entry', 'redemption', 'refusal', 'segment', 'step_result',
        'supply_waiter', 'suppression']
    LOOP
        EXECUTE format('ALTER TABLE %I SET (autovacuum_analyze_threshold = 10000, autovacuum_vacuum_threshold = 10000,
            autovacuum_vacuum_insert_threshold = 10000)', t);
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOR t IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
        AND array_to_string(reloptions, ',') LIKE '%autovacuum_analyze_threshold=10000%'
    LOOP
        EXECUTE format('ALTER TABLE %I RESET (autovacuum_analyze_threshold, autovacuum_vacuum_threshold, autovacuum_vacuum_insert_threshold)', t);
    END LOOP;
END $$;
-- +goose StatementEnd
