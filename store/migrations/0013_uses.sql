-- +goose Up

-- The uses of a coupon without caps, counted in many rows, so that its redemptions
-- needn't wait for each other's commits. Where it gets caps they are added to
-- coupon_use; what was under way meanwhile stays here and counts.
CREATE TABLE coupon_use_part (
    coupon_id bigint NOT NULL REFERENCES coupon (id),
    part      smallint NOT NULL,
    uses      bigint NOT NULL,
    spent     numeric NOT NULL,
    PRIMARY KEY (coupon_id, part)
) WITH (fillfactor = 50);

-- +goose Down
UPDATE coupon_use u SET uses = u.uses + p.uses, spent = u.spent + p.spent
FROM (SELECT coupon_id, sum(uses)::bigint AS uses, sum(spent) AS spent FROM coupon_use_part GROUP BY 1) p WHERE p.coupon_id = u.coupon_id;
DROP TABLE coupon_use_part;
