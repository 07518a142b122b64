-- +goose Up

-- A batch is never deleted, and whoever writes its codes has just read it: asking for
-- it again with each code takes longer than to write the code.
ALTER TABLE code DROP CONSTRAINT code_batch_id_fkey;

-- +goose Down
ALTER TABLE code ADD CONSTRAINT code_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batch (id);
