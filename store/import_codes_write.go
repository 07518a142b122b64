package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// write commits one chunk: its codes, its problems and how far the import has
// come, all or nothing; then it publishes the codes.
//
// The codes go straight to their positions by COPY. Only if some are there
// already are those looked for, and the rest copied again.
func (im *codeImport) write(ctx context.Context, chunk []importRow) error {
	if len(chunk) == 0 {
		return nil
	}
	if err := im.makeBatches(ctx, chunk); err != nil {
		return err
	}
	for range 10 {
		err := transact(ctx, im.conn.Conn(), func(tx *Tx) error { return im.copyChunk(ctx, tx, chunk) })
		if err == nil {
			return im.written(ctx, chunk)
		}
		if !isUniqueViolation(err) {
			return err
		}
		if err := im.findKnown(ctx, chunk); err != nil {
			return err
		}
	}
	return errors.New("writing codes: somebody else keeps importing the same ones; import the file again when that is over")
}

func isUniqueViolation(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "23505"
}

// repeats finds rows whose code an earlier row of the chunk has.
func repeats(chunk []importRow) {
	seen := make(map[string]bool, len(chunk))
	for i, row := range chunk {
		if row.problem != "" {
			continue
		}
		if seen[row.norm] {
			chunk[i].problem = ProblemRepeated
		}
		seen[row.norm] = true
	}
}

// copyChunk writes a chunk's rows into their batches, in the order of the file.
func (im *codeImport) copyChunk(ctx context.Context, tx *Tx, chunk []importRow) error {
	byBatch := map[batchKey][]importRow{}
	var problems []importRow
	for _, row := range chunk {
		if row.problem != "" {
			problems = append(problems, row)
			continue
		}
		k := batchKey{row.set, row.expires}
		byBatch[k] = append(byBatch[k], row)
	}
	keys := make([]batchKey, 0, len(byBatch))
	for k := range byBatch {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b batchKey) int { return cmp.Or(cmp.Compare(a.set, b.set), a.validUntil.Compare(b.validUntil)) })
	for _, k := range keys {
		if err := im.copyRows(ctx, tx, k, byBatch[k]); err != nil {
			return err
		}
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"import_problem"}, []string{"import_id", "line", "kind"},
		pgx.CopyFromSlice(len(problems), func(i int) ([]any, error) {
			return []any{im.report.ID, problems[i].line, problems[i].problem}, nil
		}))
	if err != nil {
		return fmt.Errorf("writing the problems: %w", err)
	}
	_, err = tx.Exec(ctx, `UPDATE import SET committed_line = $2, added = added + $3, problems = problems + $4, state = 'running' WHERE id = $1`,
		im.report.ID, chunk[len(chunk)-1].line, len(chunk)-len(problems), len(problems))
	if err != nil {
		return fmt.Errorf("noting how far the import has come: %w", err)
	}
	return nil
}

// copyRows appends rows to a batch. Nobody else writes to it: the import's lock
// is held. Claims that move its head wait for the last statement alone.
func (im *codeImport) copyRows(ctx context.Context, tx *Tx, k batchKey, rows []importRow) error {
	batch := im.batches[k]
	var pos int64
	if err := tx.QueryRow(ctx, `SELECT next_pos FROM batch WHERE id = $1`, batch).Scan(&pos); err != nil {
		return fmt.Errorf("reading the end of a batch: %w", err)
	}
	n, err := tx.CopyFrom(ctx, pgx.Identifier{"code"}, []string{"batch_id", "pos", "realm", "code", "code_norm"},
		pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			return []any{batch, pos + int64(i), im.coupon.Realm, rows[i].code, rows[i].norm}, nil
		}))
	if err != nil {
		return fmt.Errorf("copying codes: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE batch SET next_pos = next_pos + $2 WHERE id = $1`, batch, n); err != nil {
		return fmt.Errorf("moving the end of a batch: %w", err)
	}
	return nil
}

// makeBatches makes the batches that a chunk needs, before its transaction: the
// coupon's lock must not be waited for while a batch is held. An empty batch does
// no harm.
func (im *codeImport) makeBatches(ctx context.Context, chunk []importRow) error {
	for _, row := range chunk {
		k := batchKey{row.set, row.expires}
		if _, ok := im.batches[k]; ok || row.problem != "" {
			continue
		}
		id, err := im.makeBatch(ctx, k)
		if err != nil {
			return fmt.Errorf("making a batch: %w", err)
		}
		im.batches[k] = id
	}
	return nil
}

func (im *codeImport) makeBatch(ctx context.Context, k batchKey) (id int64, err error) {
	err = im.store.InTx(ctx, func(tx *Tx) error {
		if _, err := lockCoupon(ctx, tx, im.coupon.ID); err != nil {
			return err
		}
		var open int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM batch WHERE coupon_id = $1 AND NOT closed
			AND (head < next_pos OR import_id = $2) AND (valid_until IS NULL OR valid_until > now())`, im.coupon.ID, im.report.ID).Scan(&open); err != nil {
			return err
		}
		if open >= maxBatches {
			return ErrTooManyBatches
		}
		return tx.QueryRow(ctx, `INSERT INTO batch (coupon_id, child_set, kind, import_id, valid_until, random, seed)
			VALUES ($1, $2, 'import', $3, $4, $5, $6) RETURNING id`, im.coupon.ID, k.set, im.report.ID, orNull(k.validUntil),
			im.coupon.Doc.DrawRandom, int64(rand.Uint64())).Scan(&id) // #nosec G115 G404 -- any 64 bits; the order of a draw is no secret
	})
	return id, err
}

// findKnown marks the rows whose codes exist already.
func (im *codeImport) findKnown(ctx context.Context, chunk []importRow) error {
	norms := make([]string, 0, len(chunk))
	for _, row := range chunk {
		if row.problem == "" {
			norms = append(norms, row.norm)
		}
	}
	rows, err := im.conn.Query(ctx, `SELECT c.code_norm, CASE WHEN b.coupon_id <> $3 THEN 'taken' WHEN b.import_id = $4 THEN 'repeated' ELSE 'duplicate' END
		FROM code c JOIN batch b ON b.id = c.batch_id WHERE c.code_norm = ANY ($1) AND c.realm = $2`,
		norms, im.coupon.Realm, im.coupon.ID, im.report.ID)
	if err != nil {
		return fmt.Errorf("looking for known codes: %w", err)
	}
	known := map[string]string{}
	var norm, kind string
	if _, err := pgx.ForEachRow(rows, []any{&norm, &kind}, func() error { known[norm] = kind; return nil }); err != nil {
		return fmt.Errorf("looking for known codes: %w", err)
	}
	for i, row := range chunk {
		if row.problem == "" {
			chunk[i].problem = known[row.norm]
		}
	}
	return nil
}

// written counts a committed chunk and publishes it. A list drawn at random is
// published as a whole at the end, since the draw scatters over all of it.
func (im *codeImport) written(ctx context.Context, chunk []importRow) error {
	im.report.Lines = chunk[len(chunk)-1].line
	for _, row := range chunk {
		if row.problem == "" {
			im.report.Added++
		}
	}
	if im.coupon.Doc.DrawRandom {
		return nil
	}
	return im.publishAll(ctx)
}

// publishAll lets all written codes of the import be claimed, and serves those
// who wait for them.
func (im *codeImport) publishAll(ctx context.Context) error {
	more := false
	err := im.store.InTx(ctx, func(tx *Tx) error {
		coupon, err := lockCoupon(ctx, tx, im.coupon.ID)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE batch SET tail = next_pos WHERE import_id = $1 AND tail < next_pos`, im.report.ID); err != nil {
			return err
		}
		more, err = im.store.publish(ctx, tx, coupon)
		return err
	})
	if err != nil {
		return fmt.Errorf("publishing codes: %w", err)
	}
	if more {
		return im.store.serveLine(ctx, im.coupon.ID)
	}
	return nil
}
