package store

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"scrip.dev/scrip/campaign"
)

// importRow is one line of an import.
type importRow struct {
	line    int64
	code    string
	norm    string
	set     string
	expires time.Time // zero: none of its own
	used    bool
	problem string
}

// maxCode is the longest code, in characters; shops take no longer ones.
const maxCode = 255

func wellFormed(code string) bool {
	if code == "" || !utf8.ValidString(code) || utf8.RuneCountInString(code) > maxCode {
		return false
	}
	return strings.IndexFunc(code, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) }) < 0
}

// rows reads an import's lines one by one, until io.EOF.
func (im *codeImport) rows(file io.Reader) (func() (importRow, error), error) {
	in := openFile(file)
	switch im.request.Format {
	case ImportCSV:
		return im.csvRows(in)
	case ImportJSON:
		return im.jsonRows(in)
	case ImportLines:
		return lineRows(in), nil
	}
	return nil, fmt.Errorf("the format %q is unknown; use csv, json or lines", im.request.Format)
}

// maxLine bounds a line; what is longer is malformed and passed over.
const maxLine = 64 << 10

// nextLine reads a line without its end. A line that is too long comes as "".
func nextLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return "\x00", err
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return "", err
	}
	return string(bytes.TrimSpace(line)), nil
}

func lineRows(in *bufio.Reader) func() (importRow, error) {
	var n int64
	return func() (importRow, error) {
		for {
			line, err := nextLine(in)
			if err != nil {
				return importRow{}, err
			}
			if n++; line != "" {
				return importRow{line: n, code: line}, nil
			}
		}
	}
}

// The usual names of columns, in lower case without spaces, _ and -.
var usualColumns = map[string][]string{
	"code":    {"code", "couponcode", "discountcode", "promocode", "voucher", "vouchercode", "coupon"},
	"expires": {"expiresat", "expirationdate", "expires", "expiry", "validuntil", "expirydate"},
	"used":    {"used", "inuse", "redeemed", "isused"},
	"set":     {"set", "childset", "couponset"},
}

func columnName(s string) string {
	return strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(strings.TrimSpace(s)))
}

// wanted gives the names under which a field may stand.
func (m ImportMapping) wanted(field string) []string {
	chosen := map[string]string{"code": m.Code, "expires": m.ExpiresAt, "used": m.Used, "set": m.Set}[field]
	if chosen != "" {
		return []string{columnName(chosen)}
	}
	return usualColumns[field]
}

// fill takes one row from values by field, "" where there is none.
func (im *codeImport) fill(line int64, value func(field string) string) importRow {
	row := importRow{line: line, code: strings.TrimSpace(value("code")), set: strings.TrimSpace(value("set"))}
	var err error
	if row.used, err = readUsed(value("used")); err != nil {
		row.problem = ProblemMalformed
	}
	// The rows of a file share few dates.
	if text := value("expires"); text != im.expiry.text || im.expiry.err != nil {
		im.expiry.text = text
		im.expiry.at, im.expiry.err = readExpiry(text, im.request.Zone)
	}
	if row.expires = im.expiry.at; im.expiry.err != nil {
		row.problem = ProblemMalformed
	}
	return row
}

func readUsed(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "0", "false", "no", "n", "f", "unused", "available":
		return false, nil
	case "1", "true", "yes", "y", "t", "x", "used":
		return true, nil
	}
	return false, errors.New("neither yes nor no")
}

func readExpiry(s string, zone *time.Location) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	if zone == nil {
		zone = time.UTC
	}
	if t, err := time.ParseInLocation(time.DateTime, s, zone); err == nil {
		return t.UTC(), nil
	}
	d, err := campaign.ParseDate(s)
	if err != nil {
		return time.Time{}, err
	}
	return d.Last(zone).UTC(), nil
}

func (im *codeImport) csvRows(in *bufio.Reader) (func() (importRow, error), error) {
	rows := &rowReader{file: in}
	reader := csv.NewReader(rows)
	reader.Comma = delimiter(in)
	reader.FieldsPerRecord, reader.ReuseRecord, reader.TrimLeadingSpace = -1, true, reader.Comma != '\t'
	rows.begin()
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return func() (importRow, error) { return importRow{}, io.EOF }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the header line: %w", err)
	}
	columns := map[string]int{}
	for _, field := range []string{"code", "expires", "used", "set"} {
		for _, name := range im.request.Mapping.wanted(field) {
			for i, column := range header {
				if _, found := columns[field]; !found && columnName(column) == name {
					columns[field] = i
				}
			}
		}
	}
	if _, ok := columns["code"]; !ok {
		return nil, errors.New("the first line names no column `code`; name the column with code_column (`--code-column`), or import a file without a header as lines (`--format lines`)")
	}
	return func() (importRow, error) {
		rows.begin()
		record, err := reader.Read()
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			return importRow{line: int64(broken.StartLine), problem: ProblemMalformed}, nil
		}
		if err != nil {
			return importRow{}, err
		}
		line, _ := reader.FieldPos(0)
		return im.fill(int64(line), func(field string) string {
			if i, ok := columns[field]; ok && i < len(record) {
				return record[i]
			}
			return ""
		}), nil
	}, nil
}

// delimiter looks which of the usual ones the first line has most of.
func delimiter(in *bufio.Reader) rune {
	head, _ := in.Peek(4096)
	first, _, _ := bytes.Cut(head, []byte("\n"))
	best := ','
	for _, c := range []rune{';', '\t'} {
		if bytes.Count(first, []byte(string(c))) > bytes.Count(first, []byte(string(best))) {
			best = c
		}
	}
	return best
}

func (im *codeImport) jsonRows(in *bufio.Reader) (func() (importRow, error), error) {
	for {
		c, err := in.Peek(1)
		if err != nil || !unicode.IsSpace(rune(c[0])) {
			break
		}
		_, _ = in.Discard(1)
	}
	if c, _ := in.Peek(1); len(c) == 0 || c[0] != '[' {
		lines := lineRows(in)
		return func() (importRow, error) {
			row, err := lines()
			if err != nil {
				return row, err
			}
			return im.jsonRow(row.line, []byte(row.code)), nil
		}, nil
	}
	rows := &rowReader{file: in}
	decoder := json.NewDecoder(rows)
	_, _ = decoder.Token()
	var n int64
	return func() (importRow, error) {
		rows.begin()
		if !decoder.More() {
			if _, err := decoder.Token(); err != nil {
				return importRow{}, fmt.Errorf("reading the array after element %d: it does not end with ]", n)
			}
			return importRow{}, io.EOF
		}
		n++
		var element json.RawMessage
		switch err := decoder.Decode(&element); {
		case errors.Is(err, errLongRow):
			return importRow{}, err
		case err != nil:
			return importRow{}, fmt.Errorf("reading element %d of the array: it is no JSON; what stands before it was imported", n)
		}
		return im.jsonRow(n, element), nil
	}, nil
}

// jsonRow reads a string, or an object with a code.
func (im *codeImport) jsonRow(line int64, element []byte) importRow {
	var code string
	if json.Unmarshal(element, &code) == nil {
		return importRow{line: line, code: strings.TrimSpace(code)}
	}
	var object map[string]any
	if json.Unmarshal(element, &object) != nil || object == nil {
		return importRow{line: line, problem: ProblemMalformed}
	}
	values := make(map[string]string, len(object))
	for name, value := range object {
		switch v := value.(type) {
		case nil:
		case string:
			values[columnName(name)] = v
		case bool, float64:
			values[columnName(name)] = fmt.Sprint(v)
		}
	}
	return im.fill(line, func(field string) string {
		for _, name := range im.request.Mapping.wanted(field) {
			if v, ok := values[name]; ok {
				return v
			}
		}
		return ""
	})
}
