package store_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

func TestImportCodes_KeepsWhatIsNewAndReportsTheRestByLine(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply(listCoupon + "---\ncoupon: other\ndiscount: {percentage: 5}\ncodes: {list: true}\n")
	c.importLines("gift", "OLD1")
	c.importLines("other", "FOREIGN")
	file := "Promo Code;expirationDate;inUse\nNEW1;;false\nold1;;\nNEW2;2020-01-01;\nNEW3;;true\nfor eign;;\nForeign;;no\nNEW1;;\n;;\nNEW4;someday;\nNEW5;2099-12-31;0\n"
	report, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportCSV}, strings.NewReader("\ufeff"+file), nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Added)
	require.Equal(t, []store.ImportProblem{
		{Line: 3, Kind: store.ProblemDuplicate}, {Line: 4, Kind: store.ProblemExpired}, {Line: 5, Kind: store.ProblemUsed},
		{Line: 6, Kind: store.ProblemMalformed}, {Line: 7, Kind: store.ProblemTaken}, {Line: 8, Kind: store.ProblemRepeated},
		{Line: 9, Kind: store.ProblemMalformed}, {Line: 10, Kind: store.ProblemMalformed},
	}, report.Problems)
	require.EqualValues(t, 4-1, report.Counts[store.ProblemMalformed])

	again, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportCSV}, strings.NewReader("\ufeff"+file), nil)
	require.NoError(t, err)
	require.Zero(t, again.Added)
	require.EqualValues(t, 3, again.Counts[store.ProblemDuplicate])
}

func TestImportCodes_ReadsEveryFormat(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]struct{ format, body string }{
		"lines":         {store.ImportLines, "A1\r\n\r\n  A2 \nA3"},
		"array":         {store.ImportJSON, ` ["A1", {"code": "A2", "inUse": false}, {"Code": "A3", "expirationDate": "2099-01-01"}]`},
		"json lines":    {store.ImportJSON, "\"A1\"\n{\"code\":\"A2\"}\n{\"code\":\"A3\",\"used\":0}\n"},
		"csv":           {store.ImportCSV, "code\nA1\nA2\nA3\n"},
		"tabs":          {store.ImportCSV, "set\tcode\n\tA1\n\tA2\n\tA3\n"},
		"broken quotes": {store.ImportCSV, "code,x\nA1,\nA\"9,\nA2,\nA3,\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCodes(t)
			c.apply(listCoupon)
			report, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: "gift", Format: file.format}, strings.NewReader(file.body), nil)
			require.NoError(t, err)
			require.EqualValues(t, 3, report.Added, report.Problems)
			require.Equal(t, 3, c.count(`SELECT count(*) FROM code WHERE code IN ('A1', 'A2', 'A3')`))
		})
	}
}

func TestImportCodes_SaysWhatToDoWithAFileItCannotRead(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply(listCoupon + "---\ncoupon: made\ndiscount: {percentage: 5}\ncodes: {generate: \"X-########\"}\n")
	for coupon, file := range map[string]struct{ format, body, says string }{
		"gift":      {store.ImportCSV, "name,total\nx,1\n", "names no column `code`"},
		"made":      {store.ImportLines, "A1", "codes: {list: true}"},
		"gift/gold": {store.ImportLines, "A1", "no such set"},
		"none":      {store.ImportLines, "A1", "not found"},
	} {
		_, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: coupon, Format: file.format}, strings.NewReader(file.body), nil)
		require.ErrorContains(t, err, file.says)
	}
	report, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportJSON}, strings.NewReader(`["A1", "A2", {`), nil)
	require.ErrorContains(t, err, "element 3")
	require.EqualValues(t, 2, report.Added, "what stands before the break is kept")
	stats, err := c.CouponStats(c.ctx, "gift")
	require.NoError(t, err)
	require.EqualValues(t, 2, stats.Available)
}

func TestImportCodes_TellsTheDatabasesFaultFromTheFiles(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply(listCoupon)
	request := store.ImportCodes{Coupon: "gift", Format: store.ImportJSON}
	var unreadable *store.FileError
	_, err := c.ImportCodes(c.ctx, request, strings.NewReader(`["A1", {`), nil)
	require.ErrorAs(t, err, &unreadable)

	// The write of what stood before the break fails, too.
	_, err = c.Pool.Exec(c.ctx, `ALTER TABLE code RENAME TO away`)
	require.NoError(t, err)
	_, err = c.ImportCodes(c.ctx, request, strings.NewReader(`["A2", {`), nil)
	require.Error(t, err)
	require.NotErrorAs(t, err, &unreadable)
	_, err = c.Pool.Exec(c.ctx, `ALTER TABLE away RENAME TO code`)
	require.NoError(t, err)

	lines := store.ImportCodes{Coupon: "gift", Format: store.ImportLines}
	cut := sync.OnceFunc(func() {
		_, err := c.Pool.Exec(c.ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NoError(t, err)
	})
	_, err = c.ImportCodes(c.ctx, lines, strings.NewReader("A3\nA4"), func(int64, int64) { cut() })
	require.Error(t, err)
	require.NotErrorAs(t, err, &unreadable)
	report, err := c.ImportCodes(c.ctx, lines, strings.NewReader("A3\nA4"), nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Added)
}

func TestImportCodes_RefusesAThousandExpiryDates(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply(listCoupon)
	var file strings.Builder
	file.WriteString("code,expires_at\n")
	day := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, code := range numbered("A", 1001) {
		file.WriteString(code + "," + day.AddDate(0, 0, i).Format(time.DateOnly) + "\n")
	}
	_, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportCSV}, strings.NewReader(file.String()), nil)
	require.ErrorIs(t, err, store.ErrTooManyBatches)
}

func TestImportCodes_GoesOnWhereItWasBrokenOff(t *testing.T) {
	t.Parallel()
	for _, draw := range []string{"imported", "random"} {
		t.Run(draw, func(t *testing.T) {
			t.Parallel()
			c := newCodes(t)
			c.journeys(1)
			c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true, draw: " + draw + "}\n")
			codes := numbered("A", 325_000)
			codes[30_500] = codes[3]
			file := strings.Join(codes, "\n")
			ctx, kill := context.WithCancel(c.ctx)
			_, err := c.ImportCodes(ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportLines}, strings.NewReader(file), func(done, total int64) {
				if done > total*3/4 {
					kill()
				}
			})
			require.ErrorIs(t, err, context.Canceled)
			before := c.count(`SELECT count(*) FROM code`)
			require.Contains(t, []int{49_999, 99_999, 149_999, 199_999, 249_999}, before, "whole chunks without the repeated line, not all of them")
			report, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportLines}, strings.NewReader(file), nil)
			require.NoError(t, err)
			require.True(t, report.Resumed)
			require.EqualValues(t, 324_999, report.Added)
			require.Equal(t, []store.ImportProblem{{Line: 30_501, Kind: store.ProblemRepeated}}, report.Problems)
			require.Equal(t, 324_999, c.count(`SELECT tail FROM batch`), "one batch, without a hole")
			c.claimed(0, "gift")
		})
	}
}

func TestImportCodes_OfTheSameFileTwiceAtOnceIsRefused(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply(listCoupon)
	inside := make(chan struct{})
	other := make(chan error)
	first := true
	report, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportLines}, strings.NewReader("A\nB"), func(int64, int64) {
		if first {
			first = false
			close(inside)
			_, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportLines}, strings.NewReader("A\nB"), nil)
			go func() { other <- err }()
		}
	})
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Added)
	require.ErrorIs(t, <-other, store.ErrImportRunning)
}

func TestImportCodes_OfOverlappingFilesAtOnceKeepsEachCodeOnce(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply(listCoupon)
	const n = 30_000
	codes := numbered("A", n)
	done := make(chan error, 2)
	against := slices.Clone(codes[n/3:]) // each waits for codes that the other has
	slices.Reverse(against)
	for _, part := range [][]string{codes[:n*2/3], against} {
		go func() {
			_, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportLines}, io.Reader(strings.NewReader(strings.Join(part, "\n"))), nil)
			done <- err
		}()
	}
	require.NoError(t, errors.Join(<-done, <-done))
	require.Equal(t, n, c.count(`SELECT count(*) FROM code`))
	require.Equal(t, n, c.count(`SELECT sum(tail)::int FROM batch`))
}

func TestImportCodes_PanicsInWhoeverAskedForIt(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply(listCoupon)
	request := store.ImportCodes{Coupon: "gift", Format: store.ImportLines}
	require.PanicsWithValue(t, "reading", func() {
		_, _ = c.ImportCodes(c.ctx, request, strings.NewReader("A\nB"), func(int64, int64) { panic("reading") })
	})
	report, err := c.ImportCodes(c.ctx, request, strings.NewReader("A\nB"), nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Added)
}
