package store_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

// endless is a row whose end is missing: longer than any row may be.
var endless = strings.Repeat("x", 9<<20)

func TestImports_DontTakeAFileForOneRow(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply(listCoupon)
	for format, file := range map[string]string{
		store.ImportCSV:  "code\nA1\n\"" + endless,
		store.ImportJSON: `["B1", "` + endless,
	} {
		report, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: "gift", Format: format}, strings.NewReader(file), nil)
		require.ErrorContains(t, err, "longer than 8 MiB; is a quote or a bracket missing at its end?")
		require.EqualValues(t, 1, report.Added, "what stands before it is kept")
	}
	for format, file := range map[string]string{
		store.ContactsCSV:  "email\nanna@example.com\n\"" + endless,
		store.ContactsJSON: `{"email": "ben@example.com"} {"email": "` + endless,
	} {
		report, err := c.ImportContacts(c.ctx, store.ContactImport{Format: format, Source: "crm", Actor: "cli"}, strings.NewReader(file), nil)
		require.ErrorContains(t, err, "longer than 8 MiB")
		require.Equal(t, 1, report.Contacts)
	}
}

func TestImportContacts_PassesOverTheMarkThatProgramsPutBefore(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	for format, file := range map[string]string{
		store.ContactsCSV:  "\ufeff\"email\"\nanna@example.com\n",
		store.ContactsJSON: "\ufeff[{\"email\": \"ben@example.com\"}]",
	} {
		report, err := c.ImportContacts(c.ctx, store.ContactImport{Format: format, Source: "crm", Actor: "cli"}, strings.NewReader(file), nil)
		require.NoError(t, err, format)
		require.Equal(t, 1, report.Contacts)
	}
}
