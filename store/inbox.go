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
// they stand in. Keys are inserted in sorted order, so that two processes never wait for each other in a
// circle.
const acceptStatement = `
WITH incoming AS (
	SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::timestamptz[], $7::bytea[], $8::text[])
		WITH ORDINALITY AS t (connection, key, body_key, topic, meta, sent_at, body, trace, ord)
), numbered AS MATERIALIZED (
	SELECT *, nextval('delivery_id_seq') AS id FROM (SELECT * FROM incoming ORDER BY ord) i
), first AS (
	SELECT DISTINCT ON (connection, key) * FROM numbered ORDER BY connection, key, ord
), keyed AS (
	INSERT INTO delivery_key (connection, key, delivery_id, received_at)
	SELECT connection, key, id, now() FROM first ORDER BY connection, key
	ON CONFLICT DO NOTHING RETURNING connection, key, delivery_id
), bodied AS (
	INSERT INTO delivery_body AS b (connection, sha256, received_at)
	SELECT DISTINCT ON (f.connection, f.body_key) f.connection, f.body_key, now()
	FROM first f JOIN keyed k USING (connection, key) WHERE f.body_key IS NOT NULL ORDER BY f.connection, f.body_key
	ON CONFLICT (connection, sha256) DO UPDATE SET received_at = now() WHERE b.received_at < now() - interval '` + bodyWindow + `'
	RETURNING b.connection, b.sha256
), fresh AS (
	SELECT DISTINCT ON (f.connection, coalesce(f.body_key, convert_to(f.key, 'UTF8')))
		f.ord, f.connection, f.topic, f.meta, f.sent_at, f.body, f.trace, k.delivery_id
	FROM first f JOIN keyed k USING (connection, key)
	WHERE f.body_key IS NULL OR EXISTS (SELECT 1 FROM bodied b WHERE b.connection = f.connection AND b.sha256 = f.body_key)
	ORDER BY f.connection, coalesce(f.body_key, convert_to(f.key, 'UTF8')), f.ord
), stored AS (
	INSERT INTO delivery (id, received_at, connection, topic, meta, sent_at, body) OVERRIDING SYSTEM VALUE
	SELECT delivery_id, now(), connection, topic, meta::jsonb, sent_at, body FROM fresh
), queued AS (
	INSERT INTO delivery_queue (delivery_id, received_at, trace)
	SELECT delivery_id, now(), trace FROM fresh
)
SELECT i.ord, coalesce(f.delivery_id, k.delivery_id, 0), f.delivery_id IS NULL
FROM incoming i
LEFT JOIN fresh f ON f.ord = i.ord
LEFT JOIN delivery_key k ON k.connection = i.connection AND k.key = i.key`

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
	n := len(incoming)
	connections, keys, topics, traces := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	bodyKeys, bodies, metas := make([][]byte, n), make([][]byte, n), make([]*string, n)
	sent := make([]*time.Time, n)
	for i, in := range incoming {
		connections[i], keys[i], topics[i], traces[i] = in.Connection, in.Key, in.Topic, in.Trace
		bodyKeys[i], bodies[i] = in.BodyKey, in.Body
		if !in.SentAt.IsZero() {
			sent[i] = &incoming[i].SentAt
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
	accepted := make([]Accepted, n)
	var ord int
	var a Accepted
	_, err = pgx.ForEachRow(rows, []any{&ord, &a.DeliveryID, &a.Duplicate}, func() error {
		accepted[ord-1] = a
		return nil
	})
	return accepted, err
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
	if _, err := q.Exec(ctx, `DELETE FROM delivery_queue WHERE delivery_id = ANY ($1)`, ids); err != nil {
		return fmt.Errorf("leaving the queue: %w", err)
	}
	return nil
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
