package store

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// maxRow bounds a row of a CSV and an element of a JSON array, in bytes: a contact
// with a long history has room. A quote that is never closed would take the rest of
// the file into memory.
const maxRow = 8 << 20

var errLongRow = fmt.Errorf("it is longer than %d MiB; is a quote or a bracket missing at its end? What stands before it was imported", maxRow>>20)

// FileError is what is wrong with an imported file as a whole; its innermost error
// repeats nothing of it.
type FileError struct{ err error }

func (e *FileError) Error() string { return e.err.Error() }
func (e *FileError) Unwrap() error { return e.err }

// openFile reads a file that people made: some programs put a mark before UTF-8.
func openFile(r io.Reader) *bufio.Reader {
	in := bufio.NewReaderSize(r, 64<<10)
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = in.Discard(3)
	}
	return in
}

// rowReader fails where a row is longer than maxRow. Whoever parses rows from it
// says where the next one begins.
type rowReader struct {
	file  io.Reader
	taken int // since the row began, and what was read ahead then
	rows  int
}

func (r *rowReader) Read(p []byte) (int, error) {
	if r.taken >= maxRow {
		return 0, fmt.Errorf("reading row %d: %w", r.rows, errLongRow)
	}
	n, err := r.file.Read(p[:min(len(p), maxRow)])
	r.taken += n
	return n, err
}

func (r *rowReader) begin() { r.rows++; r.taken = 0 }
