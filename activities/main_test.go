package activities_test

import (
	"log/slog"
	"strings"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

var discard = slog.New(slog.DiscardHandler)

func (d *desk) importCodes(lines string) {
	report, err := d.store.ImportCodes(d.Context(), store.ImportCodes{Coupon: "hello-10", Format: "lines"}, strings.NewReader(lines), nil)
	require.NoError(d, err)
	require.EqualValues(d, strings.Count(lines, "\n")+1, report.Added)
}
