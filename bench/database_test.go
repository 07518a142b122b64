package bench

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/dev/postgres/pgtest"
	"scrip.dev/scrip/store"
)

// database is one of its own, on a server that flushes, with journeys jn_0 of ct_0
// and so on to claim codes for.
type database struct {
	testing.TB
	*store.Store
	url string
}

const journeys = 20_000

func newDatabase(t testing.TB, connections int32) *database {
	t.Helper()
	d := &database{TB: t, url: pgtest.URL(t)}
	var err error
	d.Store, err = store.Open(context.Background(), d.url, connections)
	require.NoError(t, err)
	t.Cleanup(d.Close)
	require.NoError(t, d.Migrate(context.Background()))
	d.exec(`WITH c AS (INSERT INTO campaign (name, version_no) VALUES ('bench', 1) RETURNING id)
		INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 1, '', 1, '' FROM c`)
	d.exec(`WITH ct AS (INSERT INTO contact (id) SELECT 'ct_' || n FROM generate_series(0, $1::int - 1) n RETURNING id)
		INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, state)
		SELECT 'jn_' || substr(ct.id, 4), c.id, 1, ct.id, '', 1, 'running' FROM ct, campaign c`, journeys)
	return d
}

func (d *database) exec(statement string, args ...any) {
	d.Helper()
	_, err := d.Pool.Exec(context.Background(), statement, args...)
	require.NoError(d, err)
}

// list makes a coupon with so many codes, of which some were given before.
func (d *database) list(name string, codes, given int) {
	d.Helper()
	d.offer(name, "")
	fill(d, d.Store, name, codes, given)
}

// offer applies a coupon of a list, with further lines.
func (d *database) offer(name, more string) {
	d.Helper()
	file, problems := campaign.Parse("bench.yaml", fmt.Appendf(nil, "coupon: %s\ndiscount: {percentage: 10}\ncodes: {list: true}\non_empty: skip\n%s", name, more))
	require.NoError(d, problems.Err())
	_, err := d.ApplyCoupon(context.Background(), d.Pool, file.Coupons[0])
	require.NoError(d, err)
}

// fill gives a coupon so many codes, its name and a number each (GIFT-17), of which some were
// given before.
func fill(t testing.TB, in *store.Store, coupon string, codes, given int) {
	t.Helper()
	_, err := in.Pool.Exec(context.Background(), `WITH b AS (
			INSERT INTO batch (coupon_id, kind, import_id, head, tail, next_pos)
			SELECT id, 'import', 'im_' || name, $3, $2, $2 FROM coupon WHERE name = $1 RETURNING id)
		INSERT INTO code (batch_id, pos, code, code_norm)
		SELECT b.id, n, upper($1) || '-' || n, upper($1) || '-' || n FROM b, generate_series(0, $2::bigint - 1) n`, coupon, codes, given)
	require.NoError(t, err)
}

// pool is one on the same server as the store's, for what is held against it.
func (d *database) pool(connections int32) *pgxpool.Pool {
	d.Helper()
	config, err := pgxpool.ParseConfig(d.url)
	require.NoError(d, err)
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(d, err)
	d.Cleanup(pool.Close)
	return pool
}
