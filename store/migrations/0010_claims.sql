-- +goose Up

-- Further keys of an assignment: a fallback coupon's code that belongs to the
-- contact is also what the journey has of the coupon that was empty.
CREATE TABLE claim_alias (
    claim_key     text PRIMARY KEY,
    assignment_id bigint NOT NULL REFERENCES assignment (id)
);

-- +goose Down
DROP TABLE claim_alias;
