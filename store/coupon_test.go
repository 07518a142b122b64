package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/dev/postgres/pgtest"
	"scrip.dev/scrip/store"
)

var migrated = pgtest.Template{Prepare: func(ctx context.Context, url string) error {
	s, err := store.Open(ctx, url, 2)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Migrate(ctx)
}}

// codes is a database with what claims need: coupons, contacts and journeys.
type codes struct {
	testing.TB
	*store.Store
	ctx context.Context
	url string
}

func newCodes(t testing.TB) *codes {
	t.Helper()
	c := &codes{TB: t, ctx: context.Background(), url: migrated.URL(t)}
	c.Store = c.open()
	_, err := c.Pool.Exec(c.ctx, `WITH c AS (INSERT INTO campaign (name, version_no) VALUES ('cart', 1) RETURNING id)
		INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 1, '', 1, '' FROM c`)
	require.NoError(t, err)
	return c
}

// open starts another process's store on the same database.
func (c *codes) open() *store.Store {
	c.Helper()
	s, err := store.Open(c.ctx, c.url, 24)
	require.NoError(c, err)
	c.Cleanup(s.Close)
	return s
}

func (c *codes) apply(document string) {
	c.Helper()
	c.applyIn(c.Pool, document)
}

func (c *codes) applyIn(q store.Querier, document string) {
	c.Helper()
	for _, doc := range c.coupons(document) {
		_, err := c.ApplyCoupon(c.ctx, q, doc)
		require.NoError(c, err)
	}
}

func (c *codes) coupons(document string) []*campaign.Coupon {
	c.Helper()
	file, problems := campaign.Parse("coupon.yaml", []byte(document))
	require.NoError(c, problems.Err())
	return file.Coupons
}

// journeys makes n journeys, each of its own contact: jn_0 of ct_0 and so on.
func (c *codes) journeys(n int) {
	c.Helper()
	_, err := c.Pool.Exec(c.ctx, `WITH ct AS (INSERT INTO contact (id) SELECT 'ct_' || n FROM generate_series(0, $1::int - 1) n RETURNING id)
		INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, state)
		SELECT 'jn_' || substr(ct.id, 4), c.id, 1, ct.id, '', 1, 'running' FROM ct, campaign c`, n)
	require.NoError(c, err)
}

func (c *codes) importLines(coupon string, codes ...string) store.ImportReport {
	c.Helper()
	report, err := c.ImportCodes(c.ctx, store.ImportCodes{Coupon: coupon, Format: store.ImportLines}, strings.NewReader(strings.Join(codes, "\n")), nil)
	require.NoError(c, err)
	return report
}

func numbered(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s%05d", prefix, i)
	}
	return all
}

func journey(i int) string { return fmt.Sprintf("jn_%d", i) }
func contact(i int) string { return fmt.Sprintf("ct_%d", i) }

func claimOf(i int, coupon string) store.Claim {
	return store.Claim{Key: store.ClaimKey(journey(i), coupon, 0), Coupon: coupon, JourneyID: journey(i), ContactID: contact(i), Waitable: true}
}

func (c *codes) claim(i int, coupon string) store.ClaimResult {
	c.Helper()
	result, err := c.Claim(c.ctx, claimOf(i, coupon))
	require.NoError(c, err)
	return result
}

func (c *codes) claimed(i int, coupon string) store.Assignment {
	c.Helper()
	result := c.claim(i, coupon)
	require.Equal(c, store.ClaimAssigned, result.Status)
	return result.Assignment
}

// count gives the one number of a query.
func (c *codes) count(sql string, args ...any) (n int) {
	c.Helper()
	require.NoError(c, c.Pool.QueryRow(c.ctx, sql, args...).Scan(&n))
	return n
}

// raised counts the events of a type that stand before the dispatcher.
func (c *codes) raised(kind string) int {
	c.Helper()
	return c.count(`SELECT count(*) FROM delivery d JOIN delivery_queue q ON q.delivery_id = d.id WHERE d.connection = 'scrip' AND d.topic = $1`, kind)
}

// woken lists the journeys that were told to go on, in order.
func (c *codes) woken() []string {
	c.Helper()
	rows, err := c.Pool.Query(c.ctx, `SELECT journey_id FROM outbox WHERE kind = 'signal' AND name = 'resume' ORDER BY id`)
	require.NoError(c, err)
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		require.NoError(c, rows.Scan(&id))
		ids = append(ids, id)
	}
	require.NoError(c, rows.Err())
	return ids
}

const listCoupon = "coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\non_empty: skip\n"

func TestApplyCoupon_KeepsTheKindOfAPoolInUse(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply(listCoupon)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true, draw: random}\n")
	c.importLines("gift", "A1")
	file, _ := campaign.Parse("coupon.yaml", []byte("coupon: gift\ndiscount: {percentage: 10}\ncodes: {shared: GIFT10}\n"))
	_, err := c.ApplyCoupon(c.ctx, c.Pool, file.Coupons[0])
	require.ErrorIs(t, err, store.ErrPoolChanged)
}

func TestOneAtATime_NobodyWaitsWithAConnection(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	other := c.open()
	ran, err := c.OneAtATime(c.ctx, "issue:gift", func(tx *store.Tx) error {
		ran, err := other.OneAtATime(c.ctx, "issue:gift", func(*store.Tx) error { return errors.New("two at once") })
		require.False(t, ran)
		require.NoError(t, err)
		ran, err = other.OneAtATime(c.ctx, "issue:other", func(*store.Tx) error { return nil })
		require.True(t, ran)
		return err
	})
	require.True(t, ran)
	require.NoError(t, err)
}

func TestApplyCoupon_RefusesTheCodeOfAnotherCoupon(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply("coupon: one\ndiscount: {percentage: 10}\ncodes: {shared: HELLO10}\n")
	file, _ := campaign.Parse("coupon.yaml", []byte("coupon: two\ndiscount: {percentage: 20}\ncodes: {shared: hello10}\n"))
	err := pgxTx(c, func(q store.Querier) error {
		_, err := c.ApplyCoupon(c.ctx, q, file.Coupons[0])
		return err
	})
	require.ErrorIs(t, err, store.ErrCodeTaken)
	_, err = c.Coupon(c.ctx, c.Pool, "two")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestExpiry_EndsWithTheImportsOrTheCouponsDayWhicheverIsFirst(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.journeys(2)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\nvalid_for: 7d\n")
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)
	_, err = c.ImportCodes(c.ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportCSV, Zone: berlin},
		strings.NewReader("code,expirationDate\nSOON,"+tomorrow.Format(time.RFC3339)+"\nLATE,\n"), nil)
	require.NoError(t, err)
	ends := map[string]time.Time{}
	for i := range 2 {
		claim := claimOf(i, "gift")
		claim.Zone = berlin
		result, err := c.Claim(c.ctx, claim)
		require.NoError(t, err)
		ends[result.Assignment.Code] = result.Assignment.ExpiresAt
	}
	require.Equal(t, tomorrow, ends["SOON"])
	y, m, d := time.Now().In(berlin).Date()
	require.Equal(t, time.Date(y, m, d+7, 23, 59, 59, 0, berlin).UTC(), ends["LATE"])
}

func pgxTx(c *codes, do func(store.Querier) error) error {
	tx, err := c.Pool.Begin(c.ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(c.ctx) }()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit(c.ctx)
}

func TestSetCouponDiscount_HoldsUntilTheCouponChanges(t *testing.T) {
	c := newCodes(t)
	const gift = "coupon: gift\ndiscount: {percentage: %d}\ncodes: {shop: \"G-########\", connection: shop}\n"
	offer := func() store.ShopOffer {
		o, err := c.Offer(c.ctx, c.Pool, "gift", time.UTC)
		require.NoError(t, err)
		return o
	}
	c.apply(fmt.Sprintf(gift, 10))
	first := offer()
	require.Empty(t, first.ExternalID, "the first code makes the discount")
	require.NoError(t, c.SetCouponDiscount(c.ctx, c.Pool, first, "gid://discount/1"))
	require.Equal(t, "gid://discount/1", offer().ExternalID)
	require.NoError(t, c.SetCouponDiscount(c.ctx, c.Pool, first, "gid://discount/2"))
	require.Equal(t, "gid://discount/1", offer().ExternalID, "another one that was made meanwhile doesn't stand in its place")

	old := offer()
	c.apply(fmt.Sprintf(gift, 20))
	changed := offer()
	require.Empty(t, changed.ExternalID, "new terms want a new discount")
	require.NoError(t, c.SetCouponDiscount(c.ctx, c.Pool, first, "gid://discount/3"))
	require.Empty(t, offer().ExternalID, "a discount with the old terms is not the new one's")
	require.NoError(t, c.SetCouponDiscount(c.ctx, c.Pool, changed, "gid://discount/4"))
	require.NoError(t, c.SetCouponDiscount(c.ctx, c.Pool, old, ""))
	require.Equal(t, "gid://discount/4", offer().ExternalID)
	require.NoError(t, c.SetCouponDiscount(c.ctx, c.Pool, offer(), ""))
	require.Empty(t, offer().ExternalID, "it was deleted in the shop: the next code makes another")
}
