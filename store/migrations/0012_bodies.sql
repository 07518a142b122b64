-- +goose Up

-- LZ4 compresses faster, where the server is built with it.
-- +goose StatementBegin
DO $$ BEGIN
    ALTER TABLE delivery ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;
-- +goose StatementEnd

-- +goose Down
ALTER TABLE delivery ALTER COLUMN body SET COMPRESSION pglz;
