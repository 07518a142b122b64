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

// BenchmarkClaimFlat compares claims from pools of very different sizes, and from
// one of which 95 in 100 codes are given, at 32 clients. The pools take turns in one
// database; reported are each one's claims a second and its median ratio to the
// smallest pool in the same round.
func BenchmarkClaimFlat(b *testing.B) {
	const clients, rounds, turn, journeys = 32, 5, time.Second, 20_000
	pools := []struct {
		name        string
		codes, used int
	}{{"small", 200_000, 0}, {"million", 1_000_000, 0}, {"ten-million", 10_000_000, 0}, {"used", 2_000_000, 1_900_000}}
	c := newCodes(b)
	s, err := store.Open(c.ctx, c.url, clients+2)
	require.NoError(b, err)
	b.Cleanup(s.Close)
	c.journeys(journeys)
	for _, pool := range pools {
		c.apply(fmt.Sprintf("coupon: %s\ndiscount: {percentage: 10}\ncodes: {list: true}\non_empty: skip\n", pool.name))
		_, err := c.Pool.Exec(c.ctx, `WITH b AS (
				INSERT INTO batch (coupon_id, kind, import_id, head, tail, next_pos)
				SELECT id, 'import', 'im_' || name, $3, $2, $2 FROM coupon WHERE name = $1 RETURNING id)
			INSERT INTO code (batch_id, pos, code, code_norm)
			SELECT b.id, n, upper($1) || n, upper($1) || n FROM b, generate_series(0, $2::bigint - 1) n`, pool.name, pool.codes, pool.used)
		require.NoError(b, err)
	}
	_, err = c.Pool.Exec(c.ctx, `VACUUM ANALYZE`)
	require.NoError(b, err)
	var next atomic.Int64
	rate := func(coupon string) float64 {
		var done atomic.Int64
		var wait sync.WaitGroup
		began := time.Now()
		for range clients {
			wait.Go(func() {
				for time.Since(began) < turn {
					n := next.Add(1)
					claim := claimOf(int(n%journeys), coupon)
					claim.Key = store.ClaimKey(claim.JourneyID, coupon, int(n/journeys))
					result, err := s.Claim(c.ctx, claim)
					if err != nil || result.Status != store.ClaimAssigned {
						b.Errorf("a claim of %s was %s: %v", coupon, result.Status, err)
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
		rates, ratios := map[string][]float64{}, map[string][]float64{}
		for range rounds {
			smallest := 0.0
			for i, pool := range pools {
				r := rate(pool.name)
				if i == 0 {
					smallest = r
				}
				rates[pool.name], ratios[pool.name] = append(rates[pool.name], r), append(ratios[pool.name], r/smallest)
			}
		}
		for _, pool := range pools {
			slices.Sort(rates[pool.name])
			slices.Sort(ratios[pool.name])
			b.ReportMetric(rates[pool.name][rounds/2], pool.name+"/s")
			b.ReportMetric(ratios[pool.name][rounds/2], pool.name+"/small")
		}
	}
}
