package exact

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/dev/postgres/pgtest"
	"scrip.dev/scrip/prove/proof"
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

// withoutVariable holds a statement that takes a constraint out of the database of
// a proof: a control whose safeguard stands in the schema and in the program
// takes both out.
const withoutVariable = "SCRIP_EXACT_WITHOUT"

// shop is a database with what codes need: coupons, contacts and journeys.
type shop struct {
	testing.TB
	*store.Store
	ctx context.Context
	url string
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := newDatabase(t)
	s.exec(`WITH c AS (INSERT INTO campaign (name, version_no) VALUES ('cart', 1) RETURNING id)
		INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 1, '', 1, '' FROM c`)
	return s
}

// newDatabase is a shop without a campaign.
func newDatabase(t testing.TB) *shop {
	t.Helper()
	s := &shop{TB: t, ctx: t.Context(), url: migrated.URL(t)}
	s.Store = s.open()
	if without := os.Getenv(withoutVariable); without != "" {
		s.exec(without)
	}
	return s
}

// open gives a further store on the database, as another process has one.
func (s *shop) open() *store.Store {
	s.Helper()
	opened, err := store.Open(s.ctx, s.url, 24)
	require.NoError(s, err)
	s.Cleanup(opened.Close)
	return opened
}

func (s *shop) exec(sql string, args ...any) {
	s.Helper()
	_, err := s.Pool.Exec(s.ctx, sql, args...)
	require.NoError(s, err, sql)
}

func (s *shop) apply(document string) {
	s.Helper()
	file, problems := campaign.Parse("coupon.yaml", []byte(document))
	require.NoError(s, problems.Err())
	for _, doc := range file.Coupons {
		_, err := s.ApplyCoupon(s.ctx, s.Pool, doc)
		require.NoError(s, err)
	}
}

// journeys makes n journeys, each of its own contact: jn_0 of ct_0 and so on.
func (s *shop) journeys(n int) {
	s.Helper()
	s.exec(`WITH ct AS (INSERT INTO contact (id) SELECT 'ct_' || n FROM generate_series(0, $1::int - 1) n RETURNING id)
		INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, state)
		SELECT 'jn_' || substr(ct.id, 4), c.id, 1, ct.id, '', 1, 'running' FROM ct, campaign c`, n)
}

func journeyID(i int) string { return fmt.Sprintf("jn_%d", i) }
func contactID(i int) string { return fmt.Sprintf("ct_%d", i) }

func claimOf(journey, ordinal int) store.Claim {
	return store.Claim{
		Key: store.ClaimKey(journeyID(journey), "gift", ordinal), Coupon: "gift", JourneyID: journeyID(journey),
		ContactID: contactID(journey), New: ordinal > 0, Waitable: true,
	}
}

// codeName is the n-th code of the lists that proofs import.
func codeName(n int) string { return fmt.Sprintf("C%08d", n) }

// codeList is a file of codes [from, to).
func codeList(from, to int) string {
	var list strings.Builder
	for n := from; n < to; n++ {
		list.WriteString(codeName(n))
		list.WriteByte('\n')
	}
	return list.String()
}

func (s *shop) importCodes(from, to int) {
	s.Helper()
	_, err := s.ImportCodes(s.ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportLines}, strings.NewReader(codeList(from, to)), nil)
	require.NoError(s, err)
}

// count gives the one number of a query.
func (s *shop) count(sql string, args ...any) (n int) {
	s.Helper()
	require.NoError(s, s.Pool.QueryRow(s.ctx, sql, args...).Scan(&n), sql)
	return n
}

// raised counts the events of a type that stand before the dispatcher.
func (s *shop) raised(kind string) int {
	s.Helper()
	return s.count(`SELECT count(*) FROM delivery d JOIN delivery_queue q ON q.delivery_id = d.id WHERE d.connection = 'scrip' AND d.topic = $1`, kind)
}

// nobody asks that a query, which lists what must not be, finds nothing. It goes on
// where it does, so that all that is wrong is told.
func (s *shop) nobody(what, sql string, args ...any) {
	s.Helper()
	rows, err := s.Pool.Query(s.ctx, `SELECT w::text FROM (`+sql+`) w LIMIT 5`, args...)
	require.NoError(s, err, what)
	defer rows.Close()
	var found []string
	for rows.Next() {
		var row string
		require.NoError(s, rows.Scan(&row))
		found = append(found, row)
	}
	require.NoError(s, rows.Err(), what)
	if len(found) > 0 {
		s.Errorf("%s: %v", what, found)
	}
}

// until polls for something that has to become true.
func until(t testing.TB, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(proof.Size(4*time.Minute, time.Hour)); !true(); time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline) && t.Context().Err() == nil, "waited in vain until "+what)
	}
}
