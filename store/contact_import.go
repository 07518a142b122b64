package store

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"scrip.dev/scrip/event"
)

// Formats of an import of contacts.
const (
	ContactsCSV  = "csv"  // a header line, then a contact a line
	ContactsJSON = "json" // JSON objects one after the other, or an array of them
)

// ContactImport is an import of contacts. What it brings is history: events count
// in conditions and start nothing.
type ContactImport struct {
	Format string // ContactsCSV or ContactsJSON
	Source string // where the data is from; stands in consents and as the realm of outside ids
	Actor  string // for the audit trail
}

// ContactImportReport says what became of an import.
type ContactImportReport struct {
	ID       string                 `json:"id"`
	Contacts int                    `json:"contacts"` // made or brought up to date
	Events   int                    `json:"events"`   // history that was not known yet
	Problems []ContactImportProblem `json:"problems,omitempty"`
	Refused  int                    `json:"refused"` // lines that were left out; Problems holds the first of them
}

// ContactImportProblem is one line that was left out.
type ContactImportProblem struct {
	Line    int    `json:"line"` // of CSV, with the header as the first; of JSON, the object's number, from 1
	Message string `json:"message"`
}

// maxImportProblems bounds the problems that a report lists.
const maxImportProblems = 1000

// importedContact is one line of an import.
type importedContact struct {
	person       event.Person
	history      []event.Event
	suppressions map[string]string // channel -> reason
}

// ImportContacts reads contacts with consents, tags, attributes, history and
// suppressions. Lines that can't be read are reported and left out; the same file
// imported again changes nothing. progress may be nil.
func (s *Store) ImportContacts(ctx context.Context, in ContactImport, r io.Reader, progress func(done int)) (ContactImportReport, error) {
	report := ContactImportReport{ID: NewID(ImportID)}
	sum := sha256.New()
	next, err := contactReader(in, io.TeeReader(r, sum))
	if err != nil {
		return report, &FileError{err}
	}
	first := 1
	if in.Format == ContactsCSV {
		first = 2 // after the header
	}
	for line := first; ; line++ {
		row, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *lineError
		switch {
		case err == nil:
			err = s.importContact(ctx, in, row, &report)
		case !errors.As(err, &bad):
			err = &FileError{err}
		}
		switch {
		case errors.As(err, &bad):
			report.refuse(line, bad.message)
		case IsDataError(err):
			report.refuse(line, "a value can't be stored: it is too long, or holds characters that text can't have")
		case err != nil:
			return report, fmt.Errorf("importing contacts, line %d: %w", line, err)
		}
		if progress != nil {
			progress(line - first + 1)
		}
	}
	_, _ = io.Copy(io.Discard, io.TeeReader(r, sum))
	_, err = s.Pool.Exec(ctx, `INSERT INTO import (id, kind, sha256, committed_line, added, problems, state, finished_at)
		VALUES ($1, 'contacts', $2, $3, $4, $5, 'done', now())`, report.ID, sum.Sum(nil), report.Contacts+report.Refused, report.Contacts, report.Refused)
	if err == nil {
		err = Audit(ctx, s.Pool, in.Actor, "contact.import", report.ID, map[string]any{"contacts": report.Contacts, "refused": report.Refused})
	}
	if err != nil {
		return report, fmt.Errorf("recording the import: %w", err)
	}
	return report, nil
}

func (r *ContactImportReport) refuse(line int, message string) {
	r.Refused++
	if len(r.Problems) < maxImportProblems {
		r.Problems = append(r.Problems, ContactImportProblem{line, message})
	}
}

// lineError is a line that can't be taken; its message repeats nothing of it.
type lineError struct{ message string }

func (e *lineError) Error() string { return e.message }

func (s *Store) importContact(ctx context.Context, in ContactImport, row importedContact, report *ContactImportReport) error {
	added := 0
	err := s.InTx(ctx, func(tx *Tx) error {
		now := time.Now().UTC()
		contactID, err := s.ResolveContact(ctx, tx, in.Source, row.person, now)
		if err != nil {
			return err
		}
		if contactID == "" {
			return &lineError{"nobody is named: give an e-mail address, a phone number in international form, or an external_id"}
		}
		if added, err = s.importHistory(ctx, tx, in.Source, contactID, row.history); err != nil {
			return err
		}
		c, err := s.Contact(ctx, tx, contactID)
		if err != nil {
			return err
		}
		for channel, reason := range row.suppressions {
			if address := c.Address(channel); address != "" {
				if err := s.Suppress(ctx, tx, channel, address, reason, hardReasons[reason], in.Source, now); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil {
		report.Contacts++
		report.Events += added
	}
	return err
}

// hardReasons close an address to transactional messages as well.
var hardReasons = map[string]bool{"hard_bounce": true, "complaint": true}

// importHistory stores events under ids made from what they say, so that the same
// file doesn't count twice.
func (s *Store) importHistory(ctx context.Context, tx *Tx, source, contactID string, history []event.Event) (added int, err error) {
	for i, e := range history {
		if e.OccurredAt.IsZero() {
			return 0, &lineError{"an event of the history has no occurred_at"}
		}
		said, err := json.Marshal(e)
		if err != nil {
			return 0, &lineError{"an event of the history can't be read"}
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", source, contactID, said))
		id := EventID + "_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
		tag, err := tx.Exec(ctx, `INSERT INTO event (id, delivery_id, received_at, ordinal, connection, type, contact_id, token, occurred_at, fields, imported)
			VALUES ($1, 0, now(), $2, $3, $4, $5, $6, $7, $8, true) ON CONFLICT DO NOTHING`,
			id, i, source, e.Type, contactID, e.Token, e.OccurredAt, e.Fields)
		if err != nil {
			return 0, fmt.Errorf("storing history: %w", err)
		}
		added += int(tag.RowsAffected())
	}
	return added, nil
}
