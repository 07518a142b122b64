package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"scrip.dev/scrip/store"
)

const claimants = 32

// claims gives codes of a coupon to journeys in turn, as the activity asks for them.
func (d *database) claims(coupon string, next *atomic.Int64) func(int, int) error {
	return func(int, int) error {
		n := next.Add(1)
		journey := n % journeys
		id := fmt.Sprint("jn_", journey)
		result, err := d.Claim(context.Background(), store.Claim{Key: store.ClaimKey(id, coupon, int(n/journeys)), Coupon: coupon,
			JourneyID: id, ContactID: fmt.Sprint("ct_", journey), Waitable: true})
		if err == nil && result.Status != store.ClaimAssigned {
			err = fmt.Errorf("a claim was %s", result.Status)
		}
		return err
	}
}

// updates changes a row of the codes' table by its primary key, a transaction each.
func (d *database) updates(coupon string, rows int64) func(int, int) error {
	var next atomic.Int64
	return func(int, int) error {
		_, err := d.Pool.Exec(context.Background(), `UPDATE code SET state = state WHERE batch_id = (SELECT id FROM batch WHERE import_id = 'im_' || $1) AND pos = $2`,
			coupon, next.Add(1)*7919%rows)
		return err
	}
}

// BenchmarkClaim holds codes assigned a second against single-row updates by
// primary key of the same table.
func BenchmarkClaim(b *testing.B) {
	d := newDatabase(b, claimants+2)
	codes := claimsIn(b)
	d.list("gift", codes, 0)
	d.list("held", 1_000_000, 0)
	d.exec(`VACUUM ANALYZE`)
	var next atomic.Int64
	for _, disk := range []struct {
		name, delay string
		goal        float64
	}{{"claim", "0", 0.8}, {"claim_slow_disk", "2000", 0.25}} {
		d.exec(`ALTER SYSTEM SET commit_delay = ` + disk.delay)
		d.exec(`SELECT pg_reload_conf()`)
		turns := alternate(b, side{name: "claims", clients: claimants, do: d.claims("gift", &next)},
			side{name: "updates", clients: claimants, do: d.updates("held", 1_000_000)})
		write(b, against(disk.name, "codes/s", turns[0], turns[1], fmt.Sprintf("≥ %.2f of updates", disk.goal), atLeast(disk.goal),
			fmt.Sprintf("%d clients; single-row updates by primary key of the same table; commit_delay %s", claimants, disk.delay)))
	}
	d.exec(`ALTER SYSTEM RESET commit_delay`)
	d.exec(`SELECT pg_reload_conf()`)
}

// claimsIn is how many codes all turns may need at most.
func claimsIn(b *testing.B) int {
	const most = 25_000 // a second
	return max(200_000, int(window.Seconds()*float64(*rounds)*2*most))
}

// BenchmarkClaimFlat holds pools of every size, and used to every degree, against a
// small new one. A turn is a number of claims, as the small one has no more.
func BenchmarkClaimFlat(b *testing.B) {
	const perTurn = 8_000
	turns := 3 * *rounds
	d := newDatabase(b, claimants+2)
	d.list("of1m", 1_000_000, 0)
	d.list("of10m", 10_000_000, 0)
	d.list("used1", 1_000_000, 10_000)
	d.list("used50", 1_000_000, 500_000)
	d.list("used99", 100*perTurn*turns, 99*perTurn*turns)
	for round := range turns {
		d.list(fmt.Sprint("of10k-", round), 10_000, 0)
	}
	d.exec(`VACUUM ANALYZE`)
	var small func(int, int) error
	round := 0
	sides := []side{{name: "10k", clients: claimants, count: perTurn, do: func(client, n int) error { return small(client, n) },
		before: func() { small = d.claims(fmt.Sprint("of10k-", round), new(atomic.Int64)); round++ }}}
	for _, name := range []string{"of1m", "of10m", "used1", "used50", "used99"} {
		sides = append(sides, side{name: name, clients: claimants, count: perTurn, do: d.claims(name, new(atomic.Int64))})
	}
	all := alternateFor(b, turns, sides...)
	var results []Result
	for i, s := range sides[1:] {
		results = append(results, against("claim_flat_"+s.name, "codes/s", all[i+1], all[0], "≥ 0.9 of a small pool", atLeast(0.9), "a new pool of 10,000 in the same rounds"))
	}
	write(b, results...)
}
