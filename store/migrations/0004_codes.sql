-- +goose Up

CREATE TABLE coupon (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    source      text NOT NULL,                  -- the YAML document, as applied last
    sha256      bytea NOT NULL,
    pool        text NOT NULL CHECK (pool IN ('shared', 'list', 'generate', 'shop')),
    realm       text NOT NULL DEFAULT '',       -- the shop connection whose codes these are; '' any
    state       text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'inactive')),
    external_id text NOT NULL DEFAULT '',       -- the discount's id in the shop
    waiters     int NOT NULL DEFAULT 0,         -- > 0: claims queue behind them
    assigned    bigint NOT NULL DEFAULT 0,      -- only counted where limits.total bounds it
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    expired_at  timestamptz                     -- when coupon.expired was raised
);

-- Redemptions under a cap: conditional updates of one row decide.
CREATE TABLE coupon_use (
    coupon_id bigint PRIMARY KEY REFERENCES coupon (id),
    uses      bigint NOT NULL DEFAULT 0,
    spent     numeric NOT NULL DEFAULT 0,       -- discounts given, for limits.budget
    limit_reached_at timestamptz
);
CREATE TABLE coupon_contact_use (
    coupon_id  bigint NOT NULL REFERENCES coupon (id),
    contact_id text NOT NULL REFERENCES contact (id),
    uses       int NOT NULL,
    PRIMARY KEY (coupon_id, contact_id)
);

-- One import x attributes x expiry. Codes are given by position: head moves up to
-- tail. The counter row is updated in place (HOT), so its cost does not grow.
CREATE TABLE batch (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    coupon_id   bigint NOT NULL REFERENCES coupon (id),
    child_set   text NOT NULL DEFAULT '',
    kind        text NOT NULL CHECK (kind IN ('import', 'made', 'returned')),
    import_id   text,
    valid_until timestamptz,                    -- per-code expiry of the import
    random      boolean NOT NULL DEFAULT false,
    seed        bigint NOT NULL DEFAULT 0,
    head        bigint NOT NULL DEFAULT 0,      -- codes given: positions [0, head)
    tail        bigint NOT NULL DEFAULT 0,      -- codes published: positions [0, tail)
    next_pos    bigint NOT NULL DEFAULT 0,      -- codes written, published or not
    holes       bigint NOT NULL DEFAULT 0,      -- codes between head and tail that must not be given
    closed      boolean NOT NULL DEFAULT false,
    CHECK (head <= tail AND tail <= next_pos)
) WITH (fillfactor = 50);
CREATE INDEX batch_coupon ON batch (coupon_id, child_set) WHERE NOT closed;
-- Codes that come back are given again in order: one batch a set and expiry.
CREATE UNIQUE INDEX batch_returned ON batch (coupon_id, child_set, valid_until) NULLS NOT DISTINCT WHERE kind = 'returned';
CREATE UNIQUE INDEX batch_made ON batch (coupon_id) WHERE kind = 'made';
CREATE UNIQUE INDEX batch_import ON batch (import_id, child_set, valid_until) NULLS NOT DISTINCT WHERE kind = 'import';

-- How far down a pool's alarms have been raised, so that each crossing is told
-- once. low is the lowest threshold told of; a refill takes it back.
CREATE TABLE supply_level (
    coupon_id bigint NOT NULL REFERENCES coupon (id),
    child_set text NOT NULL,
    low       int,
    empty     boolean NOT NULL DEFAULT false,
    crossings bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (coupon_id, child_set)
);

-- A claim reads this row and never writes it: who holds a code stands in
-- assignment alone, so a list of millions is not rewritten as it is given away.
CREATE TABLE code (
    batch_id      bigint NOT NULL REFERENCES batch (id),
    pos           bigint NOT NULL,
    realm         text NOT NULL DEFAULT '',
    code          text NOT NULL,
    code_norm     text NOT NULL,
    -- issuing: not yet made in the shop; used: redeemed before anybody held it.
    state         text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'issuing', 'withdrawn', 'used')),
    external_id   text NOT NULL DEFAULT '',     -- the code's id in the shop
    in_shop       boolean NOT NULL DEFAULT false, -- made in the shop, or about to be, and not deactivated there
    PRIMARY KEY (batch_id, pos),
    UNIQUE (code_norm, realm)
);
-- What a shop still has to be told to deactivate; mostly empty.
CREATE INDEX code_left_in_shop ON code (batch_id, pos) WHERE in_shop AND state = 'withdrawn';
CREATE SEQUENCE code_pos;                       -- positions of codes made on demand; gaps are harmless

-- Who holds which code. claim_key is what makes asking again harmless:
-- <journey>/<coupon>/<ordinal>, contact:<contact>/<coupon>, or api:<key id>/<key>.
CREATE TABLE assignment (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    claim_key  text NOT NULL UNIQUE,
    coupon_id  bigint NOT NULL,                 -- its batch's; see below for batch_id and pos
    child_set  text NOT NULL DEFAULT '',
    journey_id text REFERENCES journey (id),
    contact_id text REFERENCES contact (id),
    batch_id   bigint NOT NULL,
    pos        bigint NOT NULL,
    single_use boolean NOT NULL DEFAULT true,
    state      text NOT NULL DEFAULT 'held'
        CHECK (state IN ('held', 'exposed', 'applied', 'redeemed', 'expired', 'returned', 'withdrawn')),
    exposed_at timestamptz,                     -- somebody may have seen it: it does not go back
    exposures  int NOT NULL DEFAULT 0,          -- times it was let out, without what a vendor certainly did not take
    applied_at timestamptz,
    returned_at timestamptz,                    -- apart from state, so that its other changes touch no index
    expires_at timestamptz,                     -- null: no end
    expiry_raised_at timestamptz,               -- when code.expired was raised
    created_at timestamptz NOT NULL DEFAULT now(),
    -- No foreign key to code or coupon: each would lock, and so write, a row a
    -- claim. Neither is ever deleted, and a claim has just read the code.
    CHECK ((state = 'returned') = (returned_at IS NOT NULL))
) WITH (fillfactor = 70);
-- A single-use code has one holder.
CREATE UNIQUE INDEX assignment_one_holder ON assignment (batch_id, pos) WHERE single_use AND returned_at IS NULL;
CREATE INDEX assignment_returned ON assignment (batch_id, pos) WHERE returned_at IS NOT NULL;
CREATE INDEX assignment_code ON assignment (batch_id, pos) WHERE NOT single_use;
CREATE INDEX assignment_journey ON assignment (journey_id) WHERE journey_id IS NOT NULL;
CREATE INDEX assignment_contact ON assignment (contact_id, coupon_id);
CREATE INDEX assignment_expiry ON assignment (expires_at) WHERE expiry_raised_at IS NULL AND expires_at IS NOT NULL;

-- Further journeys that were given a code which belongs to the contact
-- (one_per: contact).
CREATE TABLE assignment_share (
    assignment_id bigint NOT NULL REFERENCES assignment (id),
    journey_id    text NOT NULL REFERENCES journey (id),
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (assignment_id, journey_id)
);
CREATE INDEX assignment_share_journey ON assignment_share (journey_id);

-- Who waits for a refill, in order.
CREATE TABLE supply_waiter (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    claim_key  text NOT NULL,
    coupon_id  bigint NOT NULL REFERENCES coupon (id),
    child_set  text NOT NULL DEFAULT '',
    journey_id text NOT NULL REFERENCES journey (id),
    contact_id text NOT NULL REFERENCES contact (id),
    until      timestamptz NOT NULL,
    terms      jsonb NOT NULL,                  -- how its code's expiry is counted: validity, clock, zone
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (claim_key, journey_id)
);
CREATE INDEX supply_waiter_journey ON supply_waiter (journey_id);
CREATE INDEX supply_waiter_queue ON supply_waiter (coupon_id, child_set, seq);

-- A code set aside at a checkout for a while.
CREATE TABLE hold (
    batch_id   bigint NOT NULL,
    pos        bigint NOT NULL,
    reference  text NOT NULL,                   -- the caller's checkout
    until      timestamptz NOT NULL,
    PRIMARY KEY (batch_id, pos, reference),
    FOREIGN KEY (batch_id, pos) REFERENCES code (batch_id, pos) ON UPDATE CASCADE
);

CREATE TABLE redemption (
    id            text PRIMARY KEY,
    batch_id      bigint NOT NULL,
    pos           bigint NOT NULL,
    order_key     text NOT NULL,                -- the shop's order id, or manual:<journey>
    coupon_id     bigint NOT NULL REFERENCES coupon (id),
    assignment_id bigint REFERENCES assignment (id),
    journey_id    text REFERENCES journey (id),
    contact_id    text REFERENCES contact (id), -- who bought, as far as known
    total         numeric,
    discount      numeric,
    currency      text NOT NULL DEFAULT '',
    state         text NOT NULL DEFAULT 'redeemed' CHECK (state IN ('redeemed', 'rolled_back')),
    flag          text NOT NULL DEFAULT '',     -- why Scrip would have refused it: expired, used, not_holder …
    source        text NOT NULL,                -- the connection, api, or manual
    at            timestamptz NOT NULL,
    rolled_back_at timestamptz,
    UNIQUE (batch_id, pos, order_key),
    FOREIGN KEY (batch_id, pos) REFERENCES code (batch_id, pos) ON UPDATE CASCADE
);
CREATE INDEX redemption_order ON redemption (order_key);
CREATE INDEX redemption_coupon ON redemption (coupon_id, at);
CREATE INDEX redemption_contact ON redemption (contact_id);
CREATE INDEX redemption_journey ON redemption (journey_id);

CREATE TABLE import (
    id             text PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('codes', 'contacts')),
    coupon_id      bigint REFERENCES coupon (id),
    child_set      text NOT NULL DEFAULT '',
    sha256         bytea NOT NULL,
    committed_line bigint NOT NULL DEFAULT 0,
    added          bigint NOT NULL DEFAULT 0,
    problems       bigint NOT NULL DEFAULT 0,
    state          text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz
);
CREATE INDEX import_codes ON import (coupon_id, sha256);
CREATE TABLE import_problem (
    import_id text NOT NULL REFERENCES import (id),
    line      bigint NOT NULL,
    kind      text NOT NULL,                    -- duplicate, repeated, malformed, used, expired, taken
    PRIMARY KEY (import_id, line)
);

-- Further keys of an assignment: a fallback coupon's code that belongs to the
-- contact is also what the journey has of the coupon that was empty.
CREATE TABLE claim_alias (
    claim_key     text PRIMARY KEY,
    assignment_id bigint NOT NULL REFERENCES assignment (id)
);

-- +goose Down
DROP TABLE claim_alias, import_problem, import, redemption, hold, supply_waiter, assignment_share, assignment, code, supply_level, batch,
    coupon_contact_use, coupon_use, coupon;
DROP SEQUENCE code_pos;
