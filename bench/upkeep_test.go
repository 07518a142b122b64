package bench

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/activities"
)

// running is a Temporal that says at once that a journey runs.
type running struct{}

func (running) Running(context.Context, string, string) (bool, error) { return true, nil }

// BenchmarkUpkeep measures a round of the upkeep, which comes every minute, where there is
// much to look at, and how fast it empties payloads that are no longer kept.
func BenchmarkUpkeep(b *testing.B) {
	const (
		open     = 1_000_000
		emptied  = 5_000_000
		tooOld   = 250_000
		bodySize = 4_900
	)
	d := newDatabase(b, 4)
	hands := &activities.Activities{Store: d.Store, Executions: running{}, Log: slog.New(slog.DiscardHandler),
		Project: activities.Project{Zone: time.UTC, KeepBodies: 30 * 24 * time.Hour}}
	round := func() (activities.Upkeep, time.Duration) {
		began := time.Now()
		done, err := hands.Maintain(context.Background(), activities.UpkeepInput{})
		require.NoError(d, err)
		return done, time.Since(began)
	}
	d.exec(`WITH ct AS (INSERT INTO contact (id) SELECT 'ct_open' || n FROM generate_series(1, $1::int) n RETURNING id)
		INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, state, created_at, started_at)
		SELECT 'jn_' || substr(ct.id, 4), c.id, 1, ct.id, '', 1, 'running', now() - interval '2 days', now() - interval '2 days' FROM ct, campaign c`, open)
	month := time.Date(time.Now().Year(), time.Now().Month(), 1, 0, 0, 0, 0, time.UTC)
	for i := range 12 { // as they are made month by month
		from := month.AddDate(0, -i, 0)
		d.exec(fmt.Sprintf(`CREATE TABLE delivery_ago_%d PARTITION OF delivery FOR VALUES FROM ('%s') TO ('%s')`, i, from.Format(time.DateOnly), from.AddDate(0, 1, 0).Format(time.DateOnly)))
	}
	d.exec(`INSERT INTO delivery (received_at, connection, topic) SELECT now() - interval '300 days' + n * interval '260 days' / $1::int, 'shop', 'carts/update'
		FROM generate_series(1, $1::int) n`, emptied)
	d.exec(`VACUUM ANALYZE`)
	for range 3 { // it goes through what is empty once
		done, _ := round()
		require.Zero(d, done.Dropped)
	}
	var rests []time.Duration
	for range 2**rounds + 1 {
		_, took := round()
		rests = append(rests, took)
	}
	slices.Sort(rests)
	d.exec(`INSERT INTO delivery (received_at, connection, topic, body) SELECT now() - interval '31 days', 'shop', 'carts/update', convert_to((SELECT string_agg(md5(n || '-' || i), '') FROM generate_series(1, $2 / 32) i), 'UTF8')
		FROM generate_series(1, $1::int) n`, tooOld, bodySize)
	var dropped int
	var took time.Duration
	for dropped < tooOld {
		done, t := round()
		dropped, took = dropped+done.Dropped, took+t
	}
	write(b, Result{Name: "upkeep", Value: rests[*rounds].Seconds() * 1000, Unit: "ms", Goal: "stated", Met: true,
		Note: "a round with a million open journeys and five million webhooks of ten months that are emptied already; without Temporal's answers"},
		Result{Name: "upkeep_empties", Value: float64(dropped) / took.Seconds(), Unit: "payloads/s", Goal: "stated", Met: true, Note: "of 4.9 kB, no longer kept"})
}
