package bench

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

// BenchmarkImport holds codes imported from a CSV against COPY of the same rows
// into a table with the same indexes.
func BenchmarkImport(b *testing.B) {
	const rows = 1_000_000
	d := newDatabase(b, 8)
	ctx := context.Background()
	var rates, limits, memory []float64
	for round := range *rounds {
		coupon := fmt.Sprint("gift", round)
		d.list(coupon, 0, 0)
		var file bytes.Buffer
		file.WriteString("code,expires_at\n")
		for n := range rows {
			fmt.Fprintf(&file, "G%d-%07d,2030-12-31\n", round, n)
		}
		stop := watchMemory()
		began := time.Now()
		report, err := d.ImportCodes(ctx, store.ImportCodes{Coupon: coupon, Format: store.ImportCSV}, strings.NewReader(file.String()), nil)
		require.NoError(b, err)
		require.EqualValues(b, rows, report.Added)
		took := time.Since(began)
		memory = append(memory, stop())

		table := fmt.Sprint("copied", round)
		d.exec(`CREATE TABLE ` + table + ` (LIKE code INCLUDING ALL)`)
		began = time.Now()
		n := 0
		_, err = d.Pool.CopyFrom(ctx, pgx.Identifier{table}, []string{"batch_id", "pos", "code", "code_norm"}, pgx.CopyFromFunc(func() ([]any, error) {
			if n == rows {
				return nil, nil
			}
			code := fmt.Sprintf("G%d-%07d", round, n)
			n++
			return []any{int64(round), int64(n), code, code}, nil
		}))
		require.NoError(b, err)
		copied := time.Since(began)
		d.exec(`DROP TABLE ` + table)
		rates, limits = append(rates, rows/took.Seconds()), append(limits, rows/copied.Seconds())
		tell("round %d: %.0f imported, %.0f copied a second", round+1, rates[round], limits[round])
	}
	r := ofRounds(Result{Name: "import", Unit: "codes/s", Goal: "≥ 0.7 of COPY", Note: "1,000,000 rows of a CSV with an expiry; COPY of the same rows into a table with the same indexes"},
		rates, limits, atLeast(0.7))
	m := Result{Name: "import_memory", Unit: "MB", Goal: "≤ 64 MB beside the file", Note: "the most that the heap grew while a million rows were imported"}
	m.Value, _, _ = median(memory)
	m.Met = m.Value <= 64
	write(b, r, m)
}

// watchMemory gives by how many megabytes the heap grew at most.
func watchMemory() (stop func() float64) {
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	done, most := make(chan struct{}), make(chan uint64)
	go func() {
		var highest uint64
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			highest = max(highest, now.HeapAlloc)
			select {
			case <-done:
				most <- highest
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() float64 {
		close(done)
		return float64(int64(<-most)-int64(before.HeapAlloc)) / 1e6
	}
}
