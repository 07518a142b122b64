-- +goose Up

CREATE TABLE connection (
    name       text PRIMARY KEY,
    kind       text NOT NULL,
    state      jsonb NOT NULL DEFAULT '{}',     -- the last look at its webhook subscriptions
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen  timestamptz NOT NULL DEFAULT now()
);

-- Webhooks as they came in: append-only, a partition a month, bodies dropped after
-- a set time.
CREATE TABLE delivery (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    received_at timestamptz NOT NULL DEFAULT now(),
    connection  text NOT NULL,                  -- 'api' and 'scrip' are ours
    topic       text NOT NULL,
    meta        jsonb,
    sent_at     timestamptz,
    body        bytea,                          -- null after the time it is kept
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
ALTER TABLE delivery ALTER COLUMN body SET COMPRESSION pglz;
CREATE TABLE delivery_rest PARTITION OF delivery DEFAULT;

-- Makes redelivery harmless: one row per vendor's key, narrow and unpartitioned.
CREATE TABLE delivery_key (
    connection  text NOT NULL,
    key         text NOT NULL,
    delivery_id bigint NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (connection, key)
);
CREATE INDEX delivery_key_at ON delivery_key (received_at);

-- For vendors whose key is not covered by their signature: the same bytes under
-- another key are the same webhook, for a week.
CREATE TABLE delivery_body (
    connection  text NOT NULL,
    sha256      bytea NOT NULL,                 -- of topic and body
    received_at timestamptz NOT NULL,
    PRIMARY KEY (connection, sha256)
);
CREATE INDEX delivery_body_at ON delivery_body (received_at);

-- What stands before the dispatcher. A row leaves when its events are written.
CREATE TABLE delivery_queue (
    delivery_id bigint PRIMARY KEY,
    received_at timestamptz NOT NULL,
    not_before  timestamptz NOT NULL DEFAULT '-infinity',
    attempts    int NOT NULL DEFAULT 0,
    trace       text NOT NULL DEFAULT ''        -- W3C traceparent of the hook
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE dead_letter (
    delivery_id bigint PRIMARY KEY,
    received_at timestamptz NOT NULL,
    connection  text NOT NULL,
    topic       text NOT NULL,
    reason      text NOT NULL,                  -- a sentence without personal data
    at          timestamptz NOT NULL DEFAULT now(),
    replayed_at timestamptz
);

CREATE TABLE event (
    id          text PRIMARY KEY,
    delivery_id bigint NOT NULL,                -- 0 for imported history
    received_at timestamptz NOT NULL,           -- the delivery's partition
    ordinal     int NOT NULL,
    connection  text NOT NULL,
    type        text NOT NULL,
    contact_id  text REFERENCES contact (id),
    token       text NOT NULL DEFAULT '',
    occurred_at timestamptz NOT NULL,
    fields      jsonb NOT NULL,
    imported    boolean NOT NULL DEFAULT false  -- counts, and starts nothing
);
CREATE UNIQUE INDEX event_once ON event (delivery_id, ordinal) WHERE NOT imported;
CREATE INDEX event_contact ON event (contact_id, type, occurred_at);
CREATE INDEX event_type ON event (type, occurred_at);   -- exits with `match`: whoever's event it is
CREATE INDEX event_token ON event (connection, token) WHERE token <> '';

-- One dispatcher at a time; a write by a deposed one fails on the epoch.
CREATE TABLE lease (
    name   text PRIMARY KEY,
    holder text NOT NULL,
    epoch  bigint NOT NULL,
    until  timestamptz NOT NULL
);

CREATE TABLE journey (
    id               text PRIMARY KEY,
    campaign_id      bigint NOT NULL REFERENCES campaign (id),
    version_no       int NOT NULL,
    contact_id       text NOT NULL REFERENCES contact (id),
    entry_key        bytea NOT NULL,            -- sha256 of the text from outside
    entry_no         int NOT NULL,              -- 2 for this contact's second entry
    entry_event_id   text REFERENCES event (id),
    trigger_event_id text REFERENCES event (id), -- the newest, with `update`
    driver           text NOT NULL DEFAULT 'solo',
    state            text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'parked', 'ended')),
    parked_step      text,
    parked_reason    text,
    outcome          text,
    ended_step       text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    ended_at         timestamptz,
    FOREIGN KEY (campaign_id, version_no) REFERENCES campaign_version (campaign_id, no),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
    CHECK ((state = 'ended') = (outcome IS NOT NULL)),
    CHECK ((state = 'parked') = (parked_reason IS NOT NULL))
);
-- The same entry key never enters twice.
CREATE UNIQUE INDEX journey_entry ON journey (campaign_id, contact_id, entry_key);
CREATE INDEX journey_contact ON journey (contact_id);
CREATE INDEX journey_open ON journey (campaign_id, version_no) WHERE state <> 'ended';

-- Serialises a contact's entries into one campaign, and keeps the time for the
-- cooldown.
CREATE TABLE campaign_entry (
    campaign_id     bigint NOT NULL REFERENCES campaign (id),
    contact_id      text NOT NULL REFERENCES contact (id),
    last_entered_at timestamptz NOT NULL,
    entries         int NOT NULL,
    PRIMARY KEY (campaign_id, contact_id)
);

-- Entries waiting out their debounce: no workflow exists for them yet.
CREATE TABLE pending_entry (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id bigint NOT NULL REFERENCES campaign (id),
    contact_id  text NOT NULL REFERENCES contact (id),
    entry_key   bytea NOT NULL,
    event_id    text NOT NULL REFERENCES event (id),    -- the newest
    first_at    timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz NOT NULL,
    trace       text NOT NULL DEFAULT '',
    UNIQUE (campaign_id, contact_id, entry_key)
);
CREATE INDEX pending_entry_due ON pending_entry (due_at);
CREATE INDEX pending_entry_contact ON pending_entry (contact_id);

-- Whom else's events concern: rules with `match` look here. The hash is of
-- campaign, field and value.
CREATE TABLE match_key (
    hash             bytea NOT NULL,
    journey_id       text REFERENCES journey (id) ON DELETE CASCADE,
    pending_entry_id bigint REFERENCES pending_entry (id) ON DELETE CASCADE,
    CHECK ((journey_id IS NULL) <> (pending_entry_id IS NULL))
);
CREATE INDEX match_key_hash ON match_key (hash);
CREATE INDEX match_key_journey ON match_key (journey_id);
CREATE INDEX match_key_pending ON match_key (pending_entry_id);

CREATE TABLE refusal (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id bigint NOT NULL REFERENCES campaign (id),
    contact_id  text REFERENCES contact (id),
    event_id    text REFERENCES event (id),
    reason      text NOT NULL,                  -- where, cooldown, already_entered, inside, already_exited, …
    detail      text NOT NULL DEFAULT '',       -- without personal data
    at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refusal_contact ON refusal (contact_id, campaign_id);

-- What Temporal still has to be told: starts, signals and cancels, in the order of
-- id for each contact. A row is deleted once Temporal has acknowledged it.
CREATE TABLE outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contact_id text NOT NULL,                   -- the journey's: one lane each
    journey_id text NOT NULL REFERENCES journey (id),
    kind       text NOT NULL CHECK (kind IN ('start', 'signal', 'cancel')),
    name       text NOT NULL DEFAULT '',        -- the signal's
    payload    jsonb NOT NULL DEFAULT '{}',
    not_before timestamptz NOT NULL DEFAULT '-infinity',
    created_at timestamptz NOT NULL DEFAULT now(),
    trace      text NOT NULL DEFAULT ''         -- W3C traceparent of the hook
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX outbox_journey ON outbox (journey_id);

-- +goose Down
DROP TABLE outbox, refusal, match_key, pending_entry, campaign_entry, journey, lease, event, dead_letter, delivery_queue,
    delivery_body, delivery_key, delivery, connection;
