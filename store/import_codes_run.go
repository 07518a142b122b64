package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"scrip.dev/scrip/event"
)

// importChunk is how many lines are committed at once.
const importChunk = 50_000

// codeImport is one import under way.
type codeImport struct {
	store   *Store
	conn    *pgxpool.Conn // holds the import's lock
	coupon  *CouponRow
	request ImportCodes
	now     time.Time
	report  ImportReport
	from    int64              // lines up to here were committed before
	batches map[batchKey]int64 // the import's batches

	expiry struct { // the last that was read
		text string
		at   time.Time
		err  error
	}
}

// batchKey tells apart the batches of one import.
type batchKey struct {
	set        string
	validUntil time.Time
}

// begin finds the import that was broken off, or makes a new one.
func (im *codeImport) begin(ctx context.Context, sum []byte) error {
	im.report = ImportReport{Problems: []ImportProblem{}, Counts: map[string]int64{}}
	err := im.conn.QueryRow(ctx, `SELECT id, committed_line, added FROM import
		WHERE kind = 'codes' AND coupon_id = $1 AND sha256 = $2 AND child_set = $3 AND state <> 'done' ORDER BY created_at DESC LIMIT 1`,
		im.coupon.ID, sum, im.request.Set).Scan(&im.report.ID, &im.from, &im.report.Added)
	if errors.Is(err, pgx.ErrNoRows) {
		im.report.ID = NewID(ImportID)
		_, err = im.conn.Exec(ctx, `INSERT INTO import (id, kind, coupon_id, child_set, sha256) VALUES ($1, 'codes', $2, $3, $4)`,
			im.report.ID, im.coupon.ID, im.request.Set, sum)
		if err != nil {
			return fmt.Errorf("noting the import: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for a broken import: %w", err)
	}
	im.report.Resumed, im.report.Lines = true, im.from
	return im.readBatches(ctx)
}

func (im *codeImport) readBatches(ctx context.Context) error {
	rows, err := im.conn.Query(ctx, `SELECT id, child_set, coalesce(valid_until, 'epoch') FROM batch WHERE import_id = $1`, im.report.ID)
	if err != nil {
		return fmt.Errorf("reading the import's batches: %w", err)
	}
	var id int64
	var k batchKey
	_, err = pgx.ForEachRow(rows, []any{&id, &k.set, &k.validUntil}, func() error {
		k.validUntil = k.validUntil.UTC()
		if k.validUntil.Unix() == 0 {
			k.validUntil = time.Time{}
		}
		im.batches[k] = id
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the import's batches: %w", err)
	}
	return nil
}

// importedChunk is the next part of a file, and why it is the last one.
type importedChunk struct {
	rows    []importRow
	keys    []batchKey         // in the order in which the file has them
	batches map[batchKey][]int // their rows, by index; those with problems belong nowhere
	ended   error              // io.EOF, or what is wrong with the file; nil where it goes on
	panic   any                // what reading it panicked with
}

// arrange finds the rows whose code an earlier row has, and where the others belong.
func (c *importedChunk) arrange() {
	c.batches = map[batchKey][]int{}
	seen := make(map[string]bool, len(c.rows))
	for i := range c.rows {
		row := &c.rows[i]
		if row.problem != "" {
			continue
		}
		if seen[row.norm] {
			row.problem = ProblemRepeated
			continue
		}
		seen[row.norm] = true
		k := batchKey{row.set, row.expires}
		if _, known := c.batches[k]; !known {
			c.keys = append(c.keys, k)
		}
		c.batches[k] = append(c.batches[k], i)
	}
}

// leaveOut leaves out the rows whose codes have a problem.
func (c *importedChunk) leaveOut(problems map[string]string) {
	for k, rows := range c.batches {
		c.batches[k] = slices.DeleteFunc(rows, func(i int) bool {
			c.rows[i].problem = problems[c.rows[i].norm]
			return c.rows[i].problem != ""
		})
	}
}

// last is the line with which the chunk ends.
func (c *importedChunk) last() int64 { return c.rows[len(c.rows)-1].line }

// added is how many of the rows have no problem.
func (c *importedChunk) added() (n int64) {
	for _, rows := range c.batches {
		n += int64(len(rows))
	}
	return n
}

// run writes the file chunk by chunk. What was read before a file broke is good.
func (im *codeImport) run(ctx context.Context, file io.Reader) error {
	next, err := im.rows(file)
	if err != nil {
		return &FileError{err}
	}
	ctx, stop := context.WithCancel(ctx)
	chunks := im.readAhead(ctx, next)
	defer func() {
		stop()
		for range chunks { // the file is read no more
		}
	}()
	for chunk := range chunks {
		if chunk.panic != nil {
			panic(chunk.panic) // in whoever asked, who can bear it
		}
		if err := im.write(ctx, &chunk); err != nil {
			return err
		}
		if chunk.ended != nil && !errors.Is(chunk.ended, io.EOF) {
			return &FileError{chunk.ended}
		}
	}
	return ctx.Err()
}

// readAhead reads the next chunk while one is being written.
func (im *codeImport) readAhead(ctx context.Context, next func() (importRow, error)) <-chan importedChunk {
	chunks := make(chan importedChunk)
	go func() {
		defer close(chunks)
		defer func() {
			if r := recover(); r != nil {
				select {
				case chunks <- importedChunk{panic: r}:
				case <-ctx.Done():
				}
			}
		}()
		for ended := error(nil); ended == nil; {
			chunk := importedChunk{rows: make([]importRow, 0, importChunk)}
			for len(chunk.rows) < importChunk && chunk.ended == nil {
				row, err := next()
				switch {
				case err != nil:
					chunk.ended = err
				case row.line > im.from:
					chunk.rows = append(chunk.rows, im.check(row))
				}
			}
			chunk.arrange()
			select {
			case chunks <- chunk:
				ended = chunk.ended
			case <-ctx.Done():
				return
			}
		}
	}()
	return chunks
}

// check completes a row and finds what is wrong with it by itself.
func (im *codeImport) check(row importRow) importRow {
	if row.set == "" {
		row.set = im.request.Set
	}
	if row.expires.IsZero() && !im.request.ValidUntil.IsZero() {
		row.expires = im.request.ValidUntil.UTC()
	}
	row.expires = row.expires.Truncate(time.Microsecond)
	row.norm = event.NormaliseCode(row.code)
	switch {
	case row.problem != "":
	case !wellFormed(row.code):
		row.problem = ProblemMalformed
	case row.used:
		row.problem = ProblemUsed
	case !row.expires.IsZero() && !row.expires.After(im.now):
		row.problem = ProblemExpired
	case row.set != "" && !slices.Contains(im.coupon.Doc.Sets, row.set):
		row.problem = ProblemSet
	}
	return row
}

// stopped notes that the import could not go to its end, with what it has.
func (im *codeImport) stopped(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil // broken off: it stays running, and goes on when asked again
	}
	_, err := im.conn.Exec(ctx, `UPDATE import SET state = 'failed', finished_at = now() WHERE id = $1`, im.report.ID)
	if err != nil {
		return fmt.Errorf("noting that the import failed: %w", err)
	}
	return im.publishAll(ctx)
}

// finish publishes what was kept back and completes the report.
func (im *codeImport) finish(ctx context.Context) (ImportReport, error) {
	if err := im.publishAll(ctx); err != nil {
		return im.report, err
	}
	_, err := im.conn.Exec(ctx, `UPDATE import SET state = 'done', finished_at = now() WHERE id = $1`, im.report.ID)
	if err != nil {
		return im.report, fmt.Errorf("noting the end of the import: %w", err)
	}
	return im.report, im.complete(ctx)
}

// complete reads the problems back, with those of the part before a break.
func (im *codeImport) complete(ctx context.Context) (err error) {
	if im.report.Problems, err = im.store.ImportProblems(ctx, im.report.ID, 0, problemsReported); err != nil {
		return err
	}
	rows, err := im.conn.Query(ctx, `SELECT kind, count(*) FROM import_problem WHERE import_id = $1 GROUP BY kind`, im.report.ID)
	if err != nil {
		return fmt.Errorf("counting problems: %w", err)
	}
	var kind string
	var n int64
	if _, err := pgx.ForEachRow(rows, []any{&kind, &n}, func() error { im.report.Counts[kind] = n; return nil }); err != nil {
		return fmt.Errorf("counting problems: %w", err)
	}
	return nil
}
