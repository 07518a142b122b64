package store_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

// BenchmarkClaim compares claims with updates of single rows by key, each in its
// own transaction, at 32 clients. The two take turns on one database, and the
// median of the turns' ratios is reported: rates alone say more of the machine.
// DATABASE_URL_TEST may name another server; set commit_delay there to see what a
// slow disk does.
func BenchmarkClaim(b *testing.B) {
	const clients, rounds, turn, journeys, pool = 32, 7, 1500 * time.Millisecond, 20_000, 600_000
	c := newCodes(b)
	s, err := store.Open(c.ctx, c.url, clients+2)
	require.NoError(b, err)
	b.Cleanup(s.Close)
	c.journeys(journeys)
	c.apply(listCoupon)
	c.importLines("gift", numbered("A", pool)...)
	_, err = c.Pool.Exec(c.ctx, `CREATE TABLE counter (id int PRIMARY KEY, n bigint NOT NULL) WITH (fillfactor = 50)`)
	require.NoError(b, err)
	_, err = c.Pool.Exec(c.ctx, `INSERT INTO counter SELECT n, 0 FROM generate_series(0, 9999) n`)
	require.NoError(b, err)
	_, err = c.Pool.Exec(c.ctx, `VACUUM ANALYZE`)
	require.NoError(b, err)

	var next atomic.Int64
	claim := func(int) error {
		n := next.Add(1)
		claim := claimOf(int(n%journeys), "gift")
		claim.Key = store.ClaimKey(claim.JourneyID, "gift", int(n/journeys))
		result, err := s.Claim(c.ctx, claim)
		if err == nil && result.Status != store.ClaimAssigned {
			err = fmt.Errorf("a claim was %s", result.Status)
		}
		return err
	}
	update := func(n int) error {
		_, err := s.Pool.Exec(c.ctx, `UPDATE counter SET n = n + 1 WHERE id = $1`, n%10_000)
		return err
	}
	rate := func(do func(int) error) float64 {
		var done atomic.Int64
		var wait sync.WaitGroup
		began := time.Now()
		for client := range clients {
			wait.Go(func() {
				for n := client * 313; time.Since(began) < turn; n++ {
					if err := do(n); err != nil {
						b.Error(err)
						return
					}
					done.Add(1)
				}
			})
		}
		wait.Wait()
		return float64(done.Load()) / time.Since(began).Seconds()
	}
	for b.Loop() {
		var claims, updates, ratios []float64
		for range rounds {
			u, g := rate(update), rate(claim)
			claims, updates, ratios = append(claims, g), append(updates, u), append(ratios, g/u)
		}
		for _, all := range [][]float64{claims, updates, ratios} {
			slices.Sort(all)
		}
		b.ReportMetric(claims[rounds/2], "claims/s")
		b.ReportMetric(updates[rounds/2], "updates/s")
		b.ReportMetric(ratios[rounds/2], "claims/update")
		b.ReportMetric(ratios[0], "least")
	}
	require.EqualValues(b, next.Load(), c.count(`SELECT count(DISTINCT (batch_id, pos)) FROM assignment`))
}
