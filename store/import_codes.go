package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"scrip.dev/scrip/campaign"
)

// Formats of an import.
const (
	ImportCSV   = "csv"   // with a header line; comma, semicolon or tab
	ImportJSON  = "json"  // an array, or one value a line: strings or objects
	ImportLines = "lines" // one code a line
)

// ImportCodes asks for codes to be added to a coupon's list.
type ImportCodes struct {
	Coupon     string // name, or name/set
	Set        string // child set of the rows that name none
	Format     string // ImportCSV, ImportJSON or ImportLines
	Mapping    ImportMapping
	ValidUntil time.Time      // of the rows that have no expiry; zero: no end of their own
	Zone       *time.Location // in which dates without a zone are read; nil is UTC
}

// ImportMapping names the columns (CSV) or keys (JSON). Empty ones take the usual
// names: code, expires_at or expirationDate, used or inUse, set.
type ImportMapping struct {
	Code      string `json:"code,omitempty"`
	ExpiresAt string `json:"expires_at,omitempty"`
	Used      string `json:"used,omitempty"`
	Set       string `json:"set,omitempty"`
}

// Problems of a line. The line is left out; the others are kept.
const (
	ProblemDuplicate = "duplicate" // the coupon has the code already
	ProblemRepeated  = "repeated"  // an earlier line of this import has it
	ProblemMalformed = "malformed" // no code, or one with spaces or control characters
	ProblemUsed      = "used"      // marked as used already
	ProblemExpired   = "expired"   // its own expiry has passed
	ProblemTaken     = "taken"     // another coupon of the same shop has it
	ProblemSet       = "set"       // a set that the coupon does not name
)

// ImportProblem is one line that was left out.
type ImportProblem struct {
	Line int64  `json:"line"` // of the file, from 1; in a JSON array, the element's number
	Kind string `json:"kind"` // ProblemDuplicate …
}

// problemsReported bounds the report's list; ImportProblems has them all.
const problemsReported = 1000

// ImportReport is what an import did.
type ImportReport struct {
	ID       string           `json:"id"`
	Lines    int64            `json:"lines"` // the last line that was read
	Added    int64            `json:"added"`
	Problems []ImportProblem  `json:"problems"` // the first thousand
	Counts   map[string]int64 `json:"counts"`   // problems by kind
	Resumed  bool             `json:"resumed"`  // went on where a broken import had stopped
}

// What stops an import as a whole.
var (
	ErrImportRunning  = errors.New("this file is being imported into this coupon by somebody else; wait for that to end")
	ErrNotAList       = errors.New("the coupon makes its codes itself; codes are imported into coupons with `codes: {list: true}`")
	ErrNoSet          = errors.New("the coupon has no such set; name it under `sets` and apply the coupon first")
	ErrTooManyBatches = errors.New("the coupon would have more than 1,000 batches (one for each import, set and expiry); let the codes of a file share a few expiry dates, or leave the expiry to the coupon")
)

// maxBatches bounds a coupon's open batches, over which every claim looks.
const maxBatches = 1000

// ImportCodes adds the codes of a file to a coupon's list, in chunks that are
// committed one by one, in constant memory. What is new is kept, what isn't is
// reported by line. An import that was broken off goes on where it stopped when
// the same file is imported into the same coupon again; its own codes are no
// duplicates. Those who wait for codes are served as chunks come in. progress,
// which may be nil, is told the bytes read and their total.
func (s *Store) ImportCodes(ctx context.Context, request ImportCodes, file io.Reader, progress func(done, total int64)) (ImportReport, error) {
	if request.Set == "" {
		request.Coupon, request.Set = SplitCoupon(request.Coupon)
	}
	report, err := s.importCodes(ctx, request, file, progress)
	if err != nil {
		return report, fmt.Errorf("importing codes into %s: %w", request.Coupon, err)
	}
	return report, nil
}

func (s *Store) importCodes(ctx context.Context, request ImportCodes, file io.Reader, progress func(done, total int64)) (ImportReport, error) {
	coupon, err := s.Coupon(ctx, s.Pool, request.Coupon)
	if err != nil {
		return ImportReport{}, err
	}
	if coupon.Pool != campaign.PoolList {
		return ImportReport{}, ErrNotAList
	}
	if request.Set != "" && !slices.Contains(coupon.Doc.Sets, request.Set) {
		return ImportReport{}, ErrNoSet
	}
	spool, size, sum, err := spoolFile(file)
	if err != nil {
		return ImportReport{}, err
	}
	defer spool.Close()
	conn, err := s.Pool.Acquire(ctx)
	if err != nil {
		return ImportReport{}, fmt.Errorf("getting a connection: %w", err)
	}
	defer conn.Release()
	release, err := lockImport(ctx, conn, coupon.ID, sum)
	if err != nil {
		return ImportReport{}, err
	}
	defer release()
	im := &codeImport{store: s, conn: conn, coupon: coupon, request: request, batches: map[batchKey]int64{}, now: time.Now().UTC()}
	if err := im.begin(ctx, sum); err != nil {
		return im.report, err
	}
	counted := &countingReader{reader: spool, total: size, progress: progress}
	if err := im.run(ctx, counted); err != nil {
		if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
			// COPY may tell of the connection only that the driver closed for it.
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		if failed := im.stopped(ctx); failed != nil {
			return im.report, fmt.Errorf("%w, after: %v", failed, err)
		}
		return im.report, err
	}
	return im.finish(ctx)
}

// spoolFile copies the file to a temporary one, since it is read twice: for its
// hash, by which a broken import is known again, and for its codes.
func spoolFile(file io.Reader) (spool *os.File, size int64, sum []byte, err error) {
	spool, err = os.CreateTemp("", "scrip-import-*")
	if err != nil {
		return nil, 0, nil, fmt.Errorf("making a temporary file: %w", err)
	}
	// Without a name it is gone with the process, however that ends.
	_ = os.Remove(spool.Name())
	hash := sha256.New()
	if size, err = io.Copy(io.MultiWriter(spool, hash), file); err == nil {
		_, err = spool.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = spool.Close()
		var disk *fs.PathError
		if !errors.As(err, &disk) {
			err = &FileError{err}
		}
		return nil, 0, nil, fmt.Errorf("reading the file: %w", err)
	}
	return spool, size, hash.Sum(nil), nil
}

// lockImport keeps others from importing the same file into the same coupon. The
// lock ends with the connection, so a killed import holds up nobody; the server
// may take a moment to notice that end, for which this waits.
func lockImport(ctx context.Context, conn *pgxpool.Conn, couponID int64, sum []byte) (release func(), err error) {
	const key = `hashtextextended('import ' || $1::bigint || ' ' || encode($2::bytea, 'hex'), 0)`
	err = transact(ctx, conn.Conn(), func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '3s'`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT pg_advisory_lock(`+key+`)`, couponID, sum)
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "55P03" { // lock_not_available
		return nil, ErrImportRunning
	}
	if err != nil {
		return nil, fmt.Errorf("locking the import: %w", err)
	}
	return func() {
		_, err := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(`+key+`)`, couponID, sum)
		if err != nil {
			_ = conn.Conn().Close(context.WithoutCancel(ctx))
		}
	}, nil
}

// ImportProblems lists lines that an import left out, after a line.
func (s *Store) ImportProblems(ctx context.Context, importID string, afterLine int64, limit int) ([]ImportProblem, error) {
	rows, err := s.Pool.Query(ctx, `SELECT line, kind FROM import_problem WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3`,
		importID, afterLine, limit)
	if err == nil {
		var problems []ImportProblem
		if problems, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ImportProblem]); err == nil {
			return problems, nil
		}
	}
	return nil, fmt.Errorf("listing the problems of import %s: %w", importID, err)
}

// countingReader tells how far a file has been read.
type countingReader struct {
	reader      io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	c.done += int64(n)
	if n > 0 && c.progress != nil {
		c.progress(c.done, c.total)
	}
	return n, err
}
