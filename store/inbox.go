package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Incoming is a verified webhook, or an event of our own, on its way into the
// database.
type Incoming struct {
	Connection string
	Topic      string
	Key        string            // the same for a redelivery
	BodyKey    []byte            // sha256 of topic and body, where Key isn't covered by a signature; else nil
	Meta       map[string]string // what normalising needs besides the body
	SentAt     time.Time         // zero where the vendor doesn't say
	Body       []byte
	Trace      string // W3C traceparent
}

// Accepted is what became of an Incoming.
type Accepted struct {
	DeliveryID int64 // 0 for a duplicate whose first delivery is not known any more
	Duplicate  bool  // stored before: nothing was written
}

// bodyWindow is how long the same body under another key counts as the same
// webhook.
const bodyWindow = "7 days"

// acceptStatement stores a group of webhooks in one statement: the keys decide
// which are new, only those get a delivery and a place in the queue, in the order
// they stand in. Keys are inserted in sorted order, so that two processes never
// wait for each other in a circle. The tables are only looked at through their
// keys, so that a plan made while they were small stays a good one.
const acceptStatement = `
WITH incoming AS MATERIALIZED (
	SELECT *, nextval('delivery_id_seq') AS id
	FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::timestamptz[], $7::bytea[], $8::text[])
		WITH ORDINALITY AS t (connection, key, body_key, topic, meta, sent_at, body, trace, ord)
), keyed AS (
	INSERT INTO delivery_key (connection, key, delivery_id, received_at)
	SELECT connection, key, id, now() FROM incoming ORDER BY connection, key
	ON CONFLICT DO NOTHING RETURNING delivery_id
), bodied AS (
	INSERT INTO delivery_body AS b (connection, sha256, received_at)
	SELECT connection, body_key, now() FROM incoming
	WHERE body_key IS NOT NULL AND id IN (SELECT delivery_id FROM keyed) ORDER BY connection, body_key
	ON CONFLICT (connection, sha256) DO UPDATE SET received_at = now() WHERE b.received_at < now() - interval '` + bodyWindow + `'
	RETURNING connection, sha256
), fresh AS MATERIALIZED (
	SELECT ord, id, trace FROM incoming WHERE id IN (SELECT delivery_id FROM keyed)
		AND (body_key IS NULL OR (connection, body_key) IN (SELECT connection, sha256 FROM bodied))
), stored AS (
	INSERT INTO delivery (id, received_at, connection, topic, meta, sent_at, body) OVERRIDING SYSTEM VALUE
	SELECT id, now(), connection, topic, meta::jsonb, sent_at, body FROM incoming WHERE id IN (SELECT id FROM fresh)
), queued AS (
	INSERT INTO delivery_queue (delivery_id, received_at, trace) SELECT id, now(), trace FROM fresh
)
SELECT i.ord, coalesce(f.id, (SELECT delivery_id FROM delivery_key k WHERE k.connection = i.connection AND k.key = i.key), 0), f.id IS NULL
FROM incoming i LEFT JOIN fresh f ON f.ord = i.ord`

// Accept stores webhooks, all or none of them, and says which were new. When it
// returns without an error they are committed.
func (s *Store) Accept(ctx context.Context, incoming []Incoming) ([]Accepted, error) {
	accepted, err := accept(ctx, s.Pool, incoming)
	if err != nil {
		return nil, fmt.Errorf("storing deliveries: %w", err)
	}
	return accepted, nil
}

func accept(ctx context.Context, q Querier, incoming []Incoming) ([]Accepted, error) {
	distinct, index := withoutRepeats(incoming)
	n := len(distinct)
	connections, keys, topics, traces := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	bodyKeys, bodies, metas := make([][]byte, n), make([][]byte, n), make([]*string, n)
	sent := make([]*time.Time, n)
	for i, in := range distinct {
		connections[i], keys[i], topics[i], traces[i] = in.Connection, in.Key, in.Topic, in.Trace
		bodyKeys[i], bodies[i] = in.BodyKey, in.Body
		if !in.SentAt.IsZero() {
			sent[i] = &distinct[i].SentAt
		}
		if len(in.Meta) > 0 {
			meta, err := json.Marshal(in.Meta)
			if err != nil {
				return nil, err
			}
			text := string(meta)
			metas[i] = &text
		}
	}
	rows, err := q.Query(ctx, acceptStatement, connections, keys, bodyKeys, topics, metas, sent, bodies, traces)
	if err != nil {
		return nil, err
	}
	stored := make([]Accepted, n)
	var ord int
	var a Accepted
	_, err = pgx.ForEachRow(rows, []any{&ord, &a.DeliveryID, &a.Duplicate}, func() error {
		stored[ord-1] = a
		return nil
	})
	accepted := make([]Accepted, len(incoming))
	first := make([]bool, n)
	for i, at := range index {
		accepted[i] = stored[at]
		accepted[i].Duplicate = accepted[i].Duplicate || first[at]
		first[at] = true
	}
	return accepted, err
}

// withoutRepeats leaves out what stands in a group twice, by key or by body;
// index says which of the distinct ones each of the group is.
func withoutRepeats(incoming []Incoming) (distinct []Incoming, index []int) {
	seen := make(map[string]int, 2*len(incoming))
	for _, in := range incoming {
		names := []string{"key\x00" + in.Connection + "\x00" + in.Key}
		if in.BodyKey != nil {
			names = append(names, "body\x00"+in.Connection+"\x00"+string(in.BodyKey))
		}
		at := len(distinct)
		for _, name := range names {
			if earlier, ok := seen[name]; ok {
				at = earlier
			}
		}
		if at == len(distinct) {
			distinct = append(distinct, in)
		}
		for _, name := range names {
			seen[name] = at
		}
		index = append(index, at)
	}
	return distinct, index
}

// IsDataError says that the database refused what was to be written, for ever:
// bad text, a number out of range, a broken invariant. Everything else is a
// matter of the infrastructure and passes.
func IsDataError(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	// Data exceptions, broken constraints, values too large for a row or an index.
	return strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "23") || strings.HasPrefix(pg.Code, "54")
}

// IsConflict says that the database gave up one of two transactions that stood
// in each other's way; tried again, it succeeds.
func IsConflict(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && strings.HasPrefix(pg.Code, "40")
}

// Delivery is a stored webhook that stands before the dispatcher.
type Delivery struct {
	ID         int64
	ReceivedAt time.Time
	Connection string
	Topic      string
	Meta       map[string]string
	SentAt     time.Time
	Body       []byte // nil after the time bodies are kept
	Attempts   int
	Trace      string
}

// QueuedDeliveries gives the next deliveries in the order they came in.
func (s *Store) QueuedDeliveries(ctx context.Context, q Querier, limit int) ([]Delivery, error) {
	rows, err := q.Query(ctx, `WITH next AS (SELECT * FROM delivery_queue WHERE not_before <= now() ORDER BY delivery_id LIMIT $1)
		SELECT d.id, d.received_at, d.connection, d.topic, d.meta, d.sent_at, d.body, n.attempts, n.trace
		FROM next n JOIN delivery d ON d.id = n.delivery_id AND d.received_at = n.received_at ORDER BY d.id`, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the queue: %w", err)
	}
	defer rows.Close()
	var found []Delivery
	for rows.Next() {
		var d Delivery
		var sent *time.Time
		if err := rows.Scan(&d.ID, &d.ReceivedAt, &d.Connection, &d.Topic, &d.Meta, &sent, &d.Body, &d.Attempts, &d.Trace); err != nil {
			return nil, fmt.Errorf("reading the queue: %w", err)
		}
		if sent != nil {
			d.SentAt = *sent
		}
		found = append(found, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the queue: %w", err)
	}
	return found, nil
}

// DequeueDeliveries takes deliveries whose events are written out of the queue.
func (s *Store) DequeueDeliveries(ctx context.Context, q Querier, ids []int64) error {
	return laterOne(ctx, q, "leaving the queue", `DELETE FROM delivery_queue WHERE delivery_id = ANY ($1)`, ids)
}

// DropBody empties a delivery's payload before its time.
func (s *Store) DropBody(ctx context.Context, q Querier, d Delivery) error {
	return laterOne(ctx, q, "dropping a payload", `UPDATE delivery SET body = NULL, meta = NULL WHERE id = $1 AND received_at = $2`, d.ID, d.ReceivedAt)
}

// PostponeDelivery counts a failed attempt and tries the delivery again later.
func (s *Store) PostponeDelivery(ctx context.Context, q Querier, id int64, wait time.Duration) error {
	_, err := q.Exec(ctx, `UPDATE delivery_queue SET attempts = attempts + 1, not_before = now() + make_interval(secs => $2)
		WHERE delivery_id = $1`, id, wait.Seconds())
	if err != nil {
		return fmt.Errorf("postponing a delivery: %w", err)
	}
	return nil
}

// QueueLag is how long the oldest delivery has been waiting and how many wait.
func (s *Store) QueueLag(ctx context.Context) (oldest time.Duration, waiting int64, err error) {
	var seconds float64
	err = s.Pool.QueryRow(ctx, `SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8, count(*) FROM delivery_queue`).
		Scan(&seconds, &waiting)
	if err != nil {
		return 0, 0, fmt.Errorf("measuring the queue: %w", err)
	}
	return time.Duration(seconds * float64(time.Second)), waiting, nil
}

// DataErrorCode is the SQLSTATE of an error of IsDataError; it holds no data.
func DataErrorCode(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return "SQLSTATE " + pg.Code
	}
	return "unknown"
}
