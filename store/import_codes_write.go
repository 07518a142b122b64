package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// write commits one chunk: its codes, its problems and how far the import has
// come, all or nothing.
//
// The codes go straight to their positions by COPY. Only if some are there
// already are those looked for, and the rest copied again.
func (im *codeImport) write(ctx context.Context, chunk *importedChunk) error {
	if len(chunk.rows) == 0 {
		return nil
	}
	if err := im.makeBatches(ctx, chunk); err != nil {
		return err
	}
	for range 10 {
		more := false
		err := transact(ctx, im.conn.Conn(), func(tx *Tx) (err error) {
			more, err = im.copyChunk(ctx, tx, chunk)
			return err
		})
		if err == nil {
			im.report.Lines = chunk.last()
			im.report.Added += chunk.added()
			if more {
				err = im.store.serveLine(ctx, im.coupon.ID)
			}
			return err
		}
		if !sameCodes(err) {
			return err
		}
		if err := im.findKnown(ctx, chunk); err != nil {
			return err
		}
	}
	return errors.New("writing codes: somebody else keeps importing the same ones; import the file again when that is over")
}

// sameCodes tells whether somebody else has written one of the codes, or two that
// write the same ones in another order waited for each other.
func sameCodes(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == "23505" || pgErr.Code == "40P01") // unique_violation, deadlock_detected
}

// copyChunk writes a chunk's rows into their batches, in the order of the file, and
// serves those who wait for them; more says that somebody could still be served.
// Nobody else adds to the batches: the import's lock is held. Claims wait for what
// comes after the codes alone.
//
// Unless somebody is served, the commit doesn't wait for the disk, and the next chunk
// is written meanwhile: a claim, which waits for it, has all that was committed before
// on the disk as well, and so has the import's end. What a server that crashes loses
// before, it loses with the note of how far the import has come.
func (im *codeImport) copyChunk(ctx context.Context, tx *Tx, chunk *importedChunk) (more bool, err error) {
	for _, k := range chunk.keys {
		if err := im.copyRows(ctx, tx, im.batches[k], chunk, chunk.batches[k]); err != nil {
			return false, err
		}
	}
	if err := im.copyProblems(ctx, tx, chunk); err != nil {
		return false, err
	}
	coupon, err := lockCoupon(ctx, tx, im.coupon.ID)
	if err != nil {
		return false, err
	}
	if coupon.waiters == 0 {
		tx.Later("leaving the disk to those who wait for it", `SET LOCAL synchronous_commit = off`)
	}
	for _, k := range chunk.keys {
		// The draw scatters over a whole list: one drawn at random is published at its end.
		tx.Later("moving the end of a batch", `UPDATE batch SET next_pos = next_pos + $2,
			tail = CASE WHEN random THEN tail ELSE next_pos + $2 END WHERE id = $1`, im.batches[k], len(chunk.batches[k]))
	}
	tx.Later("noting how far the import has come", `UPDATE import SET committed_line = $2, added = added + $3, problems = problems + $4, state = 'running' WHERE id = $1`,
		im.report.ID, chunk.last(), chunk.added(), int64(len(chunk.rows))-chunk.added())
	return im.store.publish(ctx, tx, coupon)
}

// copyRows appends those rows of a chunk to a batch.
func (im *codeImport) copyRows(ctx context.Context, tx *Tx, batch int64, chunk *importedChunk, which []int) error {
	var pos int64
	if err := tx.QueryRow(ctx, `SELECT next_pos FROM batch WHERE id = $1`, batch).Scan(&pos); err != nil {
		return fmt.Errorf("reading the end of a batch: %w", err)
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"code"}, []string{"batch_id", "pos", "realm", "code", "code_norm"},
		pgx.CopyFromSlice(len(which), func(i int) ([]any, error) {
			row := &chunk.rows[which[i]]
			return []any{batch, pos + int64(i), im.coupon.Realm, row.code, row.norm}, nil
		}))
	if err != nil {
		return fmt.Errorf("copying codes: %w", err)
	}
	return nil
}

func (im *codeImport) copyProblems(ctx context.Context, tx *Tx, chunk *importedChunk) error {
	var problems []importRow
	for _, row := range chunk.rows {
		if row.problem != "" {
			problems = append(problems, row)
		}
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"import_problem"}, []string{"import_id", "line", "kind"},
		pgx.CopyFromSlice(len(problems), func(i int) ([]any, error) {
			return []any{im.report.ID, problems[i].line, problems[i].problem}, nil
		}))
	if err != nil {
		return fmt.Errorf("writing the problems: %w", err)
	}
	return nil
}

// makeBatches makes the batches that a chunk needs, before its transaction: the
// coupon's lock must not be waited for while a batch is held. An empty batch does
// no harm.
func (im *codeImport) makeBatches(ctx context.Context, chunk *importedChunk) error {
	for _, k := range chunk.keys {
		if _, ok := im.batches[k]; ok {
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
func (im *codeImport) findKnown(ctx context.Context, chunk *importedChunk) error {
	norms := make([]string, 0, len(chunk.rows))
	for _, row := range chunk.rows {
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
	chunk.leaveOut(known)
	return nil
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
