-- +goose Up

-- People. One person is one contact, however many addresses and ids they have.
CREATE TABLE contact (
    id          text PRIMARY KEY,
    merged_into text REFERENCES contact (id),
    first_name  text NOT NULL DEFAULT '',
    last_name   text NOT NULL DEFAULT '',
    locale      text NOT NULL DEFAULT '',
    time_zone   text NOT NULL DEFAULT '',       -- IANA; '' means unknown
    country     text NOT NULL DEFAULT '',       -- ISO 3166-1 alpha-2
    tags        text[] NOT NULL DEFAULT '{}',
    attributes  jsonb NOT NULL DEFAULT '{}',
    profile_at  timestamptz NOT NULL DEFAULT '-infinity', -- of the newest word on the fields above
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    erased_at   timestamptz
);
-- A merge points straight at the winner: one step from a loser to its person.
CREATE INDEX contact_merged ON contact (merged_into) WHERE merged_into IS NOT NULL;

-- One address or outside id belongs to one person: the primary key decides.
CREATE TABLE identity (
    kind       text NOT NULL CHECK (kind IN ('email', 'phone', 'external')),
    realm      text NOT NULL DEFAULT '',        -- for external ids: the connection
    value_norm text NOT NULL,                   -- lower-case e-mail, E.164 phone, id as is
    value      text NOT NULL,
    contact_id text NOT NULL REFERENCES contact (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, realm, value_norm)
);
CREATE INDEX identity_contact ON identity (contact_id);

CREATE TABLE consent (
    contact_id text NOT NULL REFERENCES contact (id),
    channel    text NOT NULL,
    state      text NOT NULL CHECK (state IN ('granted', 'denied', 'pending')),
    source     text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL,            -- the newest word wins, not the newest arrival
    PRIMARY KEY (contact_id, channel)
);

-- Addresses that must not be written to. Keyed by HMAC, so that it outlives the
-- erasure of the person.
CREATE TABLE suppression (
    channel      text NOT NULL,
    address_hmac bytea NOT NULL,
    reason       text NOT NULL,                 -- hard_bounce, complaint, unsubscribed, stop, …
    hard         boolean NOT NULL DEFAULT false, -- also closed to transactional messages
    source       text NOT NULL DEFAULT '',
    at           timestamptz NOT NULL,
    PRIMARY KEY (channel, address_hmac)
);

CREATE TABLE segment (
    name       text PRIMARY KEY,
    source     text NOT NULL,
    sha256     bytea NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Settings of the running system that outlive processes: the kill switch, the key
-- that suppression and unsubscribe links are made with.
CREATE TABLE setting (
    name  text PRIMARY KEY,
    value jsonb NOT NULL
);

CREATE TABLE api_key (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    prefix     text NOT NULL UNIQUE,            -- what a person recognises it by
    sha256     bytea NOT NULL,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

CREATE TABLE idempotency_key (
    api_key_id  text NOT NULL REFERENCES api_key (id),
    key         text NOT NULL,
    route       text NOT NULL,
    body_sha256 bytea NOT NULL,
    status      int,                            -- null while the first request is under way
    answer      bytea,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (api_key_id, key)
);
CREATE INDEX idempotency_key_at ON idempotency_key (at);

-- Who did what by hand. Ids only.
CREATE TABLE audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text NOT NULL,                      -- key:<id>, cli, system
    action  text NOT NULL,                      -- campaign.pause, contact.erase, …
    subject text NOT NULL,
    detail  jsonb NOT NULL DEFAULT '{}'
);

-- +goose Down
DROP TABLE audit, idempotency_key, api_key, setting, segment, suppression, consent, identity, contact;
