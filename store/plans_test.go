package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

// statements notes what is asked of a database.
type statements struct {
	mu  sync.Mutex
	all []string
}

func (s *statements) note(sql string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.all, sql) {
		s.all = append(s.all, sql)
	}
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	s.note(q.SQL)
	return ctx
}
func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (s *statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (s *statements) TraceBatchQuery(_ context.Context, _ *pgx.Conn, q pgx.TraceBatchQueryData) {
	s.note(q.SQL)
}
func (s *statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// node is a part of a plan.
type node struct {
	Type      string `json:"Node Type"`
	Index     string `json:"Index Name"`
	Relation  string `json:"Relation Name"`
	IndexCond string `json:"Index Cond"`
	Plans     []node
}

// scans names the tables and indexes that a plan reads from one end to the other.
func (n node) scans() (all []string) {
	if strings.HasSuffix(n.Type, "Scan") && n.Relation+n.Index != "" && n.IndexCond == "" && n.Type != "Bitmap Heap Scan" {
		all = append(all, strings.TrimSpace(n.Relation+" "+n.Index))
	}
	for _, part := range n.Plans {
		all = append(all, part.scans()...)
	}
	return all
}

// small are tables that don't grow with people and journeys, and indexes of what is
// left to be done.
var small = []string{"api_key", "campaign", "coupon", "coupon_use", "coupon_use_part", "delivery_queue", "lease", "message_evidence", "outbox", "setting", "template",
	"code_left_in_shop", "message_notice_again"}

// TestStatements_OfAJourneyReadNoTableWhole looks at the plans that are made before
// anything is known of the tables: a connection keeps them while the tables grow.
func TestStatements_OfAJourneyReadNoTableWhole(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	c.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\n---\ncoupon: all\ndiscount: {percentage: 10}\ncodes: {shared: ALL10}\n")
	c.journeys(2)
	c.importLines("gift", "A", "B", "C")
	_, err := c.Pool.Exec(c.ctx, `INSERT INTO template (name, version_no) VALUES ('hello', 1)`)
	require.NoError(t, err)
	seen := &statements{}
	config := c.Pool.Config()
	config.ConnConfig.Tracer = seen
	c.Pool.Close()
	c.Pool, err = pgxpool.NewWithConfig(c.ctx, config)
	require.NoError(t, err)
	c.entryOf("a@example.com")
	c.journeyOf(contact(0), journey(0))
	c.around(contact(0), journey(0))

	require.Greater(t, c.readNoTableWhole(seen.all), 40)
}

// TestTables_ThatGrowAreAnalysedOnceTheyHaveGrown keeps them for as long unknown to the
// planner.
func TestTables_ThatGrowAreAnalysedOnceTheyHaveGrown(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	rows, err := c.Pool.Query(c.ctx, `SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition AND relnamespace = current_schema()::regnamespace
		AND coalesce(array_to_string(reloptions, ','), '') NOT LIKE '%autovacuum_analyze_threshold=10000%autovacuum_vacuum_threshold=10000%autovacuum_vacuum_insert_threshold=10000%'`)
	require.NoError(t, err)
	early, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	few := []string{"batch", "campaign_version", "connection", "goose_db_version", "import", "supply_level", "template_version"}
	require.Subset(t, append(few, small...), early)
}

// readNoTableWhole looks at the plans that are made now, and says of how many.
func (c *codes) readNoTableWhole(statements []string) (checked int) {
	for _, sql := range statements {
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(sql)), " ")
		if !slices.Contains([]string{"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"}, strings.TrimSpace(verb)) {
			continue
		}
		checked++
		for _, scan := range c.plan(sql).scans() {
			known := slices.ContainsFunc(strings.Fields(scan), func(name string) bool { return slices.Contains(small, name) })
			require.True(c, known, "%s\nreads the whole of %s", sql, scan)
		}
	}
	return checked
}

// entryOf has done for an address what the dispatcher does with an event of it.
func (c *codes) entryOf(address string) {
	t := c.TB
	_, err := c.Accept(c.ctx, []store.Incoming{{Connection: "shop", Topic: "t", Key: "k", Body: []byte("{}")}})
	require.NoError(t, err)
	_, err = c.QueuedDeliveries(c.ctx, c.Pool, 10)
	require.NoError(t, err)
	require.NoError(t, c.InTx(c.ctx, func(tx *store.Tx) error {
		id := event.Identity{Kind: event.Email, Value: address}
		person, err := c.ResolveContact(c.ctx, tx, "shop", event.Person{Identities: []event.Identity{id}, FirstName: "A",
			Consents: []event.Consent{{Channel: event.ChannelEmail, State: event.Granted, At: time.Now()}}}, time.Now())
		require.NoError(t, err)
		_, err = c.ContactByIdentity(c.ctx, tx, "shop", id)
		require.NoError(t, err)
		e := &store.StoredEvent{ID: store.NewID(store.EventID), DeliveryID: 1, Connection: "shop", Type: event.OrderPaid, ContactID: person, Token: "token",
			OccurredAt: time.Now(), Fields: map[string]any{"id": "1"}}
		require.NoError(t, c.InsertEvent(c.ctx, tx, e))
		_, err = c.TokenContact(c.ctx, tx, "shop", "token")
		require.NoError(t, err)
		_, err = c.AdoptEvents(c.ctx, tx, "shop", "token", person)
		require.NoError(t, err)
		_, err = c.HeardOfOrder(c.ctx, tx, person, event.OrderPaid, "A", "1")
		require.NoError(t, err)
		who, err := c.Contact(c.ctx, tx, person)
		require.NoError(t, err)
		_, err = c.Entered(c.ctx, tx, 1, who, []byte("key"))
		require.NoError(t, err)
		entry := store.Entry{CampaignID: 1, Version: 1, ContactID: person, Key: []byte("key"), EventID: e.ID, Matches: [][]byte{[]byte("match")}}
		require.NoError(t, c.PutPending(c.ctx, tx, entry, time.Minute, time.Hour))
		_, err = c.PendingEntries(c.ctx, tx, []string{person}, []int64{1})
		require.NoError(t, err)
		_, err = c.DueEntries(c.ctx, tx, 10)
		require.NoError(t, err)
		entered, err := c.Enter(c.ctx, tx, entry)
		require.NoError(t, err)
		_, err = c.OpenJourneys(c.ctx, tx, []string{person}, []string{entered})
		require.NoError(t, err)
		_, _, err = c.Matched(c.ctx, tx, entry.Matches)
		require.NoError(t, err)
		for _, need := range [][]string{{"count", "order.paid", "30d"}, {"sum", "order.paid", "total", "30d"}, {"holds", "gift"}, {"redeemed", "gift"}, {"in_segment", "vip"}, {"reachable", "email"}, {"tagged", "vip"}} {
			_, err := c.Answers(c.ctx, tx, person, []campaign.Need{{Func: need[0], Args: need[1:]}}, time.Now())
			require.NoError(t, err)
		}
		return nil
	}))
	_, err = c.OutboxRows(c.ctx, nil, 10)
	require.NoError(t, err)
}

// around has done what the upkeep and the hands do about a person's codes and journey.
func (c *codes) around(person, journey string) {
	t := c.TB
	clock := campaign.Clock{Scale: 1}
	_, err := c.RaiseExpired(c.ctx, clock)
	require.NoError(t, err)
	_, err = c.RaiseExpiredCoupons(c.ctx, clock, time.UTC)
	require.NoError(t, err)
	_, err = c.LongOpenJourneys(c.ctx, 10)
	require.NoError(t, err)
	_, err = c.RestartForgotten(c.ctx, time.Minute)
	require.NoError(t, err)
	require.NoError(t, c.ApplyEarlyEvidence(c.ctx))
	_, err = c.LostCalls(c.ctx, 10)
	require.NoError(t, err)
	_, err = c.NoticesToSend(c.ctx, 10)
	require.NoError(t, err)
	_, err = c.LeftInShop(c.ctx, 10)
	require.NoError(t, err)
	_, err = c.UnseenShopCodes(c.ctx, journey)
	require.NoError(t, err)
	_, err = c.CodeHolders(c.ctx, c.Pool, "", "A", person)
	require.NoError(t, err)
	_, err = c.AssignmentHolders(c.ctx, c.Pool, 1)
	require.NoError(t, err)
	_, err = c.JourneyCodes(c.ctx, c.Pool, journey)
	require.NoError(t, err)
	_, err = c.WithdrawCode(c.ctx, "", "A")
	require.NoError(t, err)
	_, err = c.RaiseByHand(c.ctx, event.OrderPaid, journey, "1")
	require.NoError(t, err)
	_, err = c.StepResults(c.ctx, c.Pool, journey)
	require.NoError(t, err)
	_, _, err = c.JourneyAndContact(c.ctx, journey)
	require.NoError(t, err)
	require.NoError(t, c.Suppress(c.ctx, c.Pool, event.ChannelEmail, "a@example.com", "bounce", false, "shop", time.Now()))
	require.NoError(t, c.Unsuppress(c.ctx, c.Pool, event.ChannelEmail, "a@example.com", time.Now()))
	require.NoError(t, c.AddTags(c.ctx, c.Pool, person, []string{"vip"}))
}

// journeyOf has done for a person what a journey from its event to its redemption does.
func (c *codes) journeyOf(person, journey string) {
	t := c.TB
	assigned, err := c.Claim(c.ctx, store.Claim{Key: store.ClaimKey(journey, "gift", 0), Coupon: "gift", JourneyID: journey, ContactID: person})
	require.NoError(t, err)
	m := store.Message{SendKey: journey + "/send", JourneyID: journey, Step: "send", ContactID: person, Channel: "email", Kind: "transactional",
		Connection: "email", Template: "hello", TemplateVersion: 1, AssignmentID: assigned.Assignment.ID, Address: "a@example.com", TimeZone: "UTC"}
	_, err = c.LookBeforeSend(c.ctx, m, 0)
	require.NoError(t, err)
	begin := func() *store.Message {
		begun, err := c.BeginCall(c.ctx, m, time.Minute, func(tx *store.Tx) (bool, error) {
			_, err := c.SendGate(c.ctx, tx, m, 0)
			return true, err
		})
		require.NoError(t, err)
		return begun
	}
	_, err = c.EndCall(c.ctx, begin(), store.Outcome{State: store.MessageReserved})
	require.NoError(t, err)
	begun := begin()
	_, err = c.EndCall(c.ctx, begun, store.Outcome{State: store.MessageAccepted, VendorID: "v1"})
	require.NoError(t, err)
	require.NoError(t, c.RecordEvidence(c.ctx, c.Pool, []string{"email"}, event.Evidence{MessageID: begun.ID, VendorID: "v1", Status: event.StatusDelivered, At: time.Now()}))
	_, err = c.StreamFlows(c.ctx, begun)
	require.NoError(t, err)
	for _, code := range []string{assigned.Assignment.Code, "ALL10", "C", "NONE"} {
		for _, who := range []string{person, ""} {
			u := use(code, fmt.Sprint(code, who), 100)
			u.ContactID, u.Reference = who, "basket"
			_, _ = c.Validate(c.ctx, u)
			_, _ = c.Hold(c.ctx, u, time.Minute)
			_ = c.ReleaseHold(c.ctx, u)
			_, _ = c.Redeem(c.ctx, u)
			_, err := c.CodeApplied(c.ctx, c.Pool, "", code, who, time.Now())
			require.NoError(t, err)
			require.NoError(t, c.InTx(c.ctx, func(tx *store.Tx) error {
				_, _, err := c.RecordRedemption(c.ctx, tx, u)
				return err
			}))
		}
	}
	_, err = c.EndJourney(c.ctx, store.Ending{Journey: journey, Outcome: "redeemed", Settle: true})
	require.NoError(t, err)
}

// plan is the plan that a connection makes of a statement for all values.
func (c *codes) plan(sql string) node {
	c.Helper()
	conn, err := c.Pool.Acquire(c.ctx)
	require.NoError(c, err)
	defer conn.Release()
	_, err = conn.Exec(c.ctx, `DEALLOCATE ALL`, pgx.QueryExecModeSimpleProtocol)
	require.NoError(c, err)
	_, err = conn.Exec(c.ctx, `PREPARE asked AS `+sql, pgx.QueryExecModeSimpleProtocol)
	require.NoError(c, err, sql)
	var values int
	require.NoError(c, conn.QueryRow(c.ctx, `SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'asked'`, pgx.QueryExecModeSimpleProtocol).Scan(&values))
	execute := `EXECUTE asked`
	if values > 0 {
		execute += `(` + strings.Repeat(`NULL, `, values-1) + `NULL)`
	}
	var answer []byte
	require.NoError(c, conn.QueryRow(c.ctx, `EXPLAIN (FORMAT JSON) `+execute, pgx.QueryExecModeSimpleProtocol).Scan(&answer), sql)
	var plans []struct{ Plan node }
	require.NoError(c, json.Unmarshal(answer, &plans))
	return plans[0].Plan
}
