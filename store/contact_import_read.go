package store

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"scrip.dev/scrip/event"
)

// contactReader gives a function that reads one contact after the other, until
// io.EOF.
func contactReader(in ContactImport, r io.Reader) (func() (importedContact, error), error) {
	switch in.Format {
	case ContactsCSV:
		return csvContacts(in, r)
	case ContactsJSON:
		return jsonContacts(r)
	}
	return nil, fmt.Errorf("importing contacts: %q is no format; use csv or json", in.Format)
}

// jsonContacts reads objects in the form of an event's contact, with `history`, an
// array of events, and `suppressions`, reasons by channel, beside its keys.
func jsonContacts(r io.Reader) (func() (importedContact, error), error) {
	in := openFile(r)
	rows := &rowReader{file: in}
	decoder := json.NewDecoder(rows)
	if array, err := beginsArray(in); err != nil {
		return nil, err
	} else if array {
		if _, err := decoder.Token(); err != nil {
			return nil, fmt.Errorf("importing contacts: the JSON can't be read: %w", err)
		}
	}
	return func() (importedContact, error) {
		rows.begin()
		if !decoder.More() {
			return importedContact{}, io.EOF
		}
		var line map[string]json.RawMessage
		err := decoder.Decode(&line)
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &kind):
			return importedContact{}, &lineError{"a contact has to be an object"}
		case err != nil:
			return importedContact{}, fmt.Errorf("the JSON breaks off or can't be read: %w", err)
		}
		return jsonContact(line)
	}, nil
}

func beginsArray(r *bufio.Reader) (bool, error) {
	for {
		b, err := r.ReadByte()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("importing contacts: reading: %w", err)
		}
		if !bytes.ContainsRune([]byte(" \t\r\n"), rune(b)) {
			return b == '[', r.UnreadByte()
		}
	}
}

func jsonContact(line map[string]json.RawMessage) (importedContact, error) {
	var row importedContact
	if raw, ok := line["history"]; ok {
		delete(line, "history")
		if string(raw) != "[]" {
			history, err := event.DecodeJSON(raw)
			if err != nil {
				return row, &lineError{"history: " + err.Error()}
			}
			row.history = history
		}
	}
	if raw, ok := line["suppressions"]; ok {
		delete(line, "suppressions")
		if err := json.Unmarshal(raw, &row.suppressions); err != nil {
			return row, &lineError{`suppressions has to be an object like {"email": "unsubscribed"}`}
		}
	}
	wrapped, err := json.Marshal(map[string]any{"type": "contact.imported", "contact": line})
	if err != nil {
		return row, &lineError{"the contact can't be read"}
	}
	events, err := event.DecodeJSON(wrapped)
	if err != nil {
		return row, &lineError{err.Error()}
	}
	row.person = events[0].Person
	return row, nil
}

// csvColumns are what a CSV may have besides attributes.NAME.
var csvColumns = []string{
	"email", "phone", "external_id", "first_name", "last_name", "locale", "time_zone", "country", "tags",
	"consent_email", "consent_sms", "consent_at", "suppressed_email", "suppressed_sms",
}

// csvContacts reads a CSV whose first line names its columns. Tags are separated by
// semicolons; consents are granted, denied, pending, true or false; suppressed_…
// holds a reason.
func csvContacts(in ContactImport, r io.Reader) (func() (importedContact, error), error) {
	rows := &rowReader{file: openFile(r)}
	reader := csv.NewReader(rows)
	reader.FieldsPerRecord = -1
	rows.begin()
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("importing contacts: the CSV has no header line; begin with the names of the columns, such as email,first_name: %w", err)
	}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(csvColumns, name) && !strings.HasPrefix(name, "attributes.") {
			return nil, fmt.Errorf("importing contacts: the name of column %d is none that is known; the first line names the columns, which are %s and attributes.NAME", i+1, strings.Join(csvColumns, ", "))
		}
		header[i] = name
	}
	return func() (importedContact, error) {
		rows.begin()
		fields, err := reader.Read()
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax):
			return importedContact{}, &lineError{"the line is not valid CSV: " + syntax.Err.Error()}
		case err != nil:
			return importedContact{}, err
		case len(fields) != len(header):
			return importedContact{}, &lineError{fmt.Sprintf("the line has %d fields; the header has %d", len(fields), len(header))}
		}
		values := make(map[string]string, len(header))
		for i, name := range header {
			values[name] = strings.TrimSpace(fields[i])
		}
		return csvContact(in, values)
	}, nil
}

func csvContact(in ContactImport, values map[string]string) (importedContact, error) {
	row := importedContact{suppressions: map[string]string{}}
	p := &row.person
	p.FirstName, p.LastName, p.Locale = values["first_name"], values["last_name"], values["locale"]
	p.TimeZone, p.Country = values["time_zone"], values["country"]
	for kind, column := range map[string]string{event.Email: "email", event.Phone: "phone", event.External: "external_id"} {
		if value := values[column]; value != "" {
			p.Identities = append(p.Identities, event.Identity{Kind: kind, Value: value})
		}
	}
	for tag := range strings.SplitSeq(values["tags"], ";") {
		if tag = strings.TrimSpace(tag); tag != "" {
			p.Tags = append(p.Tags, tag)
		}
	}
	at := time.Now().UTC()
	if given := values["consent_at"]; given != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, given); err != nil {
			return row, &lineError{"consent_at is not a time like 2026-09-21T08:00:00Z"}
		}
	}
	for _, channel := range []string{event.ChannelEmail, event.ChannelSMS} {
		state, err := consentState(values["consent_"+channel])
		if err != nil {
			return row, err
		}
		if state != "" {
			p.Consents = append(p.Consents, event.Consent{Channel: channel, State: state, Source: in.Source, At: at})
		}
		if reason := values["suppressed_"+channel]; reason != "" {
			row.suppressions[channel] = reason
		}
	}
	for name, value := range values {
		if attribute, ok := strings.CutPrefix(name, "attributes."); ok && value != "" {
			if p.Attributes == nil {
				p.Attributes = map[string]any{}
			}
			p.Attributes[attribute] = value
		}
	}
	return row, nil
}

func consentState(text string) (string, error) {
	switch strings.ToLower(text) {
	case "":
		return "", nil
	case "granted", "true", "yes", "1":
		return event.Granted, nil
	case "denied", "false", "no", "0":
		return event.Denied, nil
	case "pending":
		return event.Pending, nil
	}
	return "", &lineError{"a consent is none of granted, denied, pending, true and false"}
}
