-- +goose Up

-- One row per send step of a journey, written before the vendor is called.
CREATE TABLE message (
    id               text PRIMARY KEY,
    send_key         text NOT NULL UNIQUE,      -- <journey>/<step>, or notify:…, test:…
    journey_id       text REFERENCES journey (id),
    step             text NOT NULL,
    contact_id       text REFERENCES contact (id),
    channel          text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('marketing', 'transactional', 'internal')),
    connection       text NOT NULL,
    template         text NOT NULL DEFAULT '',
    template_version int,
    assignment_id    bigint REFERENCES assignment (id),
    address          text NOT NULL DEFAULT '',  -- blanked when the contact is erased
    time_zone        text NOT NULL DEFAULT '',
    state            text NOT NULL
        CHECK (state IN ('reserved', 'skipped', 'calling', 'accepted', 'refused', 'unknown', 'parked')),
    reason           text NOT NULL DEFAULT '',
    attempt          int NOT NULL DEFAULT 0,
    attempt_token    text NOT NULL DEFAULT '',
    attempt_deadline timestamptz,
    called_at        timestamptz,               -- when the last attempt began
    accepted_at      timestamptz,
    vendor_id        text,
    delivery         text NOT NULL DEFAULT '',  -- the furthest the vendor told: delivered, bounced …
    delivered_at     timestamptz,
    detail           text NOT NULL DEFAULT '',  -- the vendor's words; never logged
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CHECK (state <> 'skipped' OR reason <> ''),
    CHECK (state NOT IN ('calling', 'unknown', 'parked') OR attempt > 0)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX message_vendor ON message (connection, vendor_id) WHERE vendor_id IS NOT NULL;
CREATE INDEX message_contact ON message (contact_id, created_at);
CREATE INDEX message_journey ON message (journey_id);
-- Tests and notices belong to no contact; erasing a person finds those that went to
-- the person's address.
CREATE INDEX message_nobody ON message (lower(address)) WHERE contact_id IS NULL AND address <> '';
CREATE INDEX message_open ON message (connection, called_at) WHERE state IN ('calling', 'unknown', 'parked');

-- Delivery evidence that came before the answer to the call.
CREATE TABLE message_evidence (
    connection text NOT NULL,
    vendor_id  text NOT NULL,
    status     text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (connection, vendor_id, status)
);

-- Answers of `call` steps and verdicts of conditions, by journey and step.
CREATE TABLE step_result (
    journey_id text NOT NULL REFERENCES journey (id),
    step       text NOT NULL,
    status     text NOT NULL CHECK (status IN ('done', 'skipped', 'failed')),
    reason     text NOT NULL DEFAULT '',
    json       jsonb,
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (journey_id, step)
);

-- +goose Down
DROP TABLE step_result, message_evidence, message;
