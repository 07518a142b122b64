package store

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
)

// FuzzImportCodes: an import's reader comes to the file's end, in rows that stand in
// its order and no more than it has bytes; what a row gives can be stored.
func FuzzImportCodes(f *testing.F) {
	for format, files := range map[string][]string{
		ImportCSV: {
			"code;expires_at;used\nA-1;2027-01-31;no\nB;31.1.2027;x\n", "Coupon Code\tset\nA\tgold\n", "code\n\"a\n", "\xef\xbb\xbfcode,code\na,b\n\"a\"b,c\n", "code", "", "\n\ncode\n\n\n\x00\n",
		},
		ImportJSON: {
			`["A-1", {"code": "B", "expirationDate": "2027-01-31T00:00:00+23:59", "inUse": true}, 7, null]`, "\"A\"\n{\"code\":\"B\"}\n\n", "[\"a\"", "[", " \n[\"a\" \"b\"]", `{"CODE":1e9,"code":"x"}`,
		},
		ImportLines: {"A-1\nB-2\r\n\n C \n", "\x00", strings.Repeat("x", 70_000) + "\nA\n"},
	} {
		for _, file := range files {
			f.Add(format, file)
		}
	}
	f.Fuzz(func(t *testing.T, format, file string) {
		im := &codeImport{request: ImportCodes{Format: format, Zone: time.UTC}}
		next, err := im.rows(strings.NewReader(file))
		if err != nil {
			return
		}
		var before int64
		for count := 0; ; count++ {
			require.LessOrEqual(t, count, len(file)+1, "the reader does not come to an end")
			row, err := next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				require.NotEmpty(t, err.Error())
				return
			}
			require.GreaterOrEqual(t, row.line, before, "lines come in their order")
			before = row.line
			if norm := event.NormaliseCode(row.code); wellFormed(row.code) {
				require.NotEmpty(t, norm)
				require.LessOrEqual(t, len(row.code), 4*maxCode)
				require.False(t, strings.ContainsAny(row.code, "\x00\r\n\t "))
			}
			if !row.expires.IsZero() {
				require.Equal(t, time.UTC, row.expires.Location())
			}
		}
	})
}

// FuzzImportContacts: a reader of contacts comes to the file's end, and its problems
// repeat nothing of a line.
func FuzzImportContacts(f *testing.F) {
	for _, file := range []string{
		"email,first_name,tags,consent_email,consent_at,attributes.size\nanna@example.com,Anna,a;b,granted,2026-01-01T00:00:00Z,M\n",
		"\ufeffemail,suppressed_sms\na@example.com\n\"a\"b,c\n", "email\n\"", "name\n",
	} {
		f.Add(ContactsCSV, file)
	}
	for _, file := range []string{
		`{"email":"anna@example.com","history":[{"type":"order.paid"}],"suppressions":{"email":"unsubscribed"}}` + "\n" + `{"phone":7}`,
		`[{"email":"a@example.com"},[],null]`, "\ufeff[{}]", `[{"email":`, `{"history":[]}{}`,
	} {
		f.Add(ContactsJSON, file)
	}
	f.Fuzz(func(t *testing.T, format, file string) {
		next, err := contactReader(ContactImport{Format: format, Source: "import"}, strings.NewReader(file))
		if err != nil {
			return
		}
		for count := 0; ; count++ {
			require.LessOrEqual(t, count, len(file)+1, "the reader does not come to an end")
			row, err := next()
			if bad, ok := errors.AsType[*lineError](err); ok {
				require.NotEmpty(t, bad.message)
				continue
			}
			if err != nil {
				return
			}
			for _, c := range row.person.Consents {
				require.Contains(t, []string{event.Granted, event.Denied, event.Pending}, c.State)
			}
		}
	})
}

// FuzzNormaliseIdentity: normalising is done once, and what is usable fits into the
// index.
func FuzzNormaliseIdentity(f *testing.F) {
	f.Add(event.Email, " Anna@Example.COM ", "")
	f.Add(event.Email, "\u0130@example.com", "")
	f.Add(event.Phone, "0151 1234567", "de")
	f.Add(event.Phone, "+49 (0)151/1234567;ext=5", "")
	f.Add(event.Phone, "tel:+1-201-555-0123;phone-context=x", "US")
	f.Add(event.External, "17", "")
	f.Fuzz(func(t *testing.T, kind, value, country string) {
		norm, ok := normaliseIdentity(kind, value, country)
		if !ok {
			return
		}
		require.NotEmpty(t, norm)
		require.LessOrEqual(t, len(norm), 3*maxIdentity)
		again, ok := normaliseIdentity(kind, norm, country)
		require.True(t, ok, "%q", norm)
		require.Equal(t, norm, again)
		if kind == event.Phone {
			require.Regexp(t, `^\+[0-9]{2,20}$`, norm)
		}
	})
}

// FuzzReadLink: only links that were signed are read, and they give what was signed.
func FuzzReadLink(f *testing.F) {
	key := []byte("a key of thirty-two bytes or so")
	f.Add("ct_1", "email", "AAAA")
	f.Add("", ".", "")
	f.Add("a.b", "sms", "=")
	f.Fuzz(func(t *testing.T, contact, channel, invented string) {
		token := writeLink(key, contact, channel)
		_, _, err := readLink(key, invented)
		require.True(t, err != nil || invented == token, "an unsigned link was read")
		gotContact, gotChannel, err := readLink(key, token)
		if err == nil {
			require.Equal(t, contact+"."+channel, gotContact+"."+gotChannel)
		}
		_, _, err = readLink([]byte("another key"), token)
		require.ErrorIs(t, err, ErrBadToken)
	})
}
