-- +goose Up

CREATE TABLE campaign (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE CHECK (length(name) <= 64),
    state      text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'draining', 'stopped')),
    version_no int NOT NULL DEFAULT 0,          -- the one that new journeys enter with
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE campaign_version (
    campaign_id bigint NOT NULL REFERENCES campaign (id),
    no          int NOT NULL,
    source      text NOT NULL,                  -- the YAML document
    plan_format int NOT NULL,
    sha256      bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign_id, no),
    UNIQUE (campaign_id, sha256)
);

-- A version that journeys are inside of never changes under them.
-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are never changed', TG_TABLE_NAME;
END $$;
-- +goose StatementEnd
CREATE TRIGGER campaign_version_immutable BEFORE UPDATE ON campaign_version
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE template (
    name       text PRIMARY KEY,
    version_no int NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE template_version (
    name       text NOT NULL REFERENCES template (name),
    no         int NOT NULL,
    files      jsonb NOT NULL,                  -- file name -> text, layouts included
    sha256     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, no)
);
CREATE TRIGGER template_version_immutable BEFORE UPDATE ON template_version
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- +goose Down
DROP TABLE template_version, template, campaign_version, campaign;
DROP FUNCTION refuse_change;
