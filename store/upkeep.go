package store

import (
	"context"
	"fmt"
	"time"
)

// openPages is how many pages of open journeys a round looks at. A page has as many as a
// round may give.
const openPages = 10

// sweep goes through the open journeys once, by campaign, version and id, and this is how
// far it came.
type sweep struct {
	Began    time.Time `json:"began"` // what entered later is left to the next one, or this one might never end
	Campaign int64     `json:"campaign"`
	Version  int       `json:"version"`
	Journey  string    `json:"after"`
}

// LongOpenJourneys gives up to limit journeys that have been open for an hour or more,
// going on where the last call stopped, so that every journey has its turn. It looks at
// openPages times as many at most.
func (s *Store) LongOpenJourneys(ctx context.Context, limit int) ([]Journey, error) {
	var journeys []Journey
	err := s.InTx(ctx, func(tx *Tx) error {
		var at sweep
		err := tx.QueryRow(ctx, `SELECT coalesce((SELECT value FROM setting WHERE name = 'upkeep_cursor' AND value ? 'began'),
			jsonb_build_object('began', now()))`).Scan(&at)
		if err != nil {
			return err
		}
		ended := false
		for page := 0; page < openPages && len(journeys) < limit && !ended; page++ {
			if ended, err = at.page(ctx, tx, limit, &journeys); err != nil {
				return err
			}
		}
		if ended {
			_, err = tx.Exec(ctx, `DELETE FROM setting WHERE name = 'upkeep_cursor'`)
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO setting (name, value) VALUES ('upkeep_cursor', $1)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, at)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing open journeys: %w", err)
	}
	return journeys, nil
}

// page looks at the next open journeys, as far as a version's later ones, and adds those
// that have been open for long, up to limit. It says whether they were the last.
func (at *sweep) page(ctx context.Context, tx *Tx, limit int, journeys *[]Journey) (ended bool, err error) {
	rows, err := tx.Query(ctx, `SELECT j.campaign_id, j.version_no, j.id, (SELECT name FROM campaign WHERE id = j.campaign_id), j.created_at > $5,
			coalesce(j.state <> 'pending' AND j.driver = 'solo' AND j.started_at < now() - interval '1 hour', false)
		FROM journey j WHERE (j.campaign_id, j.version_no, j.id) > ($1, $2, $3) AND j.state <> 'ended'
		ORDER BY j.campaign_id, j.version_no, j.id LIMIT $4`, at.Campaign, at.Version, at.Journey, limit, at.Began)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	looked := 0
	for ; len(*journeys) < limit && rows.Next(); looked++ {
		var j Journey
		var later, long bool
		if err := rows.Scan(&at.Campaign, &at.Version, &j.ID, &j.Campaign, &later, &long); err != nil {
			return false, err
		}
		if later { // as are all after it: on to the next version
			at.Version, at.Journey = at.Version+1, ""
			return false, nil
		}
		at.Journey = j.ID
		if long {
			*journeys = append(*journeys, j)
		}
	}
	rows.Close()
	return len(*journeys) < limit && looked < limit, rows.Err()
}

// RestartForgotten puts journeys before the dispatcher again that have been pending
// for longer than age with nothing in the outbox to start them.
func (s *Store) RestartForgotten(ctx context.Context, age time.Duration) (int, error) {
	tag, err := s.Pool.Exec(ctx, `INSERT INTO outbox (contact_id, journey_id, kind)
		SELECT contact_id, id, 'start' FROM journey j
		WHERE state = 'pending' AND driver = 'solo' AND created_at < now() - $1::interval
		AND NOT EXISTS (SELECT 1 FROM outbox WHERE journey_id = j.id)`, age)
	if err != nil {
		return 0, fmt.Errorf("restarting forgotten entries: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// How much of what is no longer kept goes at once, and how long a round takes at most.
// The first stands in the statements' text: a plan for any number expects a tenth of the
// table.
const (
	dropBatch = "5000"
	dropTime  = 10 * time.Second
)

// DropOld empties vendors' payloads older than keep, drops what only makes
// redelivery harmless after ninety days, answers of idempotent requests after two
// days, and prepares the partitions of the months to come. It gives how many rows it
// emptied and dropped; what there is no time for is left to the next round.
func (s *Store) DropOld(ctx context.Context, keep time.Duration) (int, error) {
	total, until := 0, time.Now().Add(dropTime)
	for _, drop := range []func(context.Context) (dropped, seen int, err error){
		func(ctx context.Context) (int, int, error) { return s.emptyOld(ctx, keep) },
		s.drop(`delivery_body`, `received_at < now() - interval '7 days'`),
		s.drop(`delivery_key`, `received_at < now() - interval '90 days'`),
		s.drop(`idempotency_key`, `at < now() - interval '2 days'`),
		s.drop(`hold`, `until < now() - interval '1 day'`),
		s.drop(`message_evidence`, `at < now() - interval '2 days'`),
	} {
		for more := true; more; {
			dropped, seen, err := drop(ctx)
			if err != nil {
				return total, fmt.Errorf("dropping what is no longer kept: %w", err)
			}
			total, more = total+dropped, seen > 0 && time.Now().Before(until)
		}
	}
	return total, s.preparePartitions(ctx, time.Now())
}

// drop deletes a batch of a table's rows.
func (s *Store) drop(table, where string) func(context.Context) (int, int, error) {
	return func(ctx context.Context) (int, int, error) {
		tag, err := s.Pool.Exec(ctx, `DELETE FROM `+table+` WHERE ctid = ANY (ARRAY(SELECT ctid FROM `+table+` WHERE `+where+` LIMIT `+dropBatch+`)) AND `+where)
		return int(tag.RowsAffected()), int(tag.RowsAffected()), err
	}
}

// emptyOld empties a batch of payloads. It goes through the deliveries in their order
// and remembers how far it came, as those that are empty are many more. It stops at one
// that is still kept, or still stands before the dispatcher; one from the future, when
// the clock was wrong, is as old as its neighbours.
func (s *Store) emptyOld(ctx context.Context, keep time.Duration) (emptied, seen int, err error) {
	err = s.Pool.QueryRow(ctx, `WITH came AS MATERIALIZED (SELECT coalesce((SELECT (value->>'after')::bigint FROM setting WHERE name = 'emptied'), 0) AS far),
		next AS MATERIALIZED (
			SELECT id, received_at, body IS NOT NULL OR meta IS NOT NULL AS kept FROM delivery
			WHERE id > (SELECT far FROM came) ORDER BY id LIMIT `+dropBatch+`),
		old AS MATERIALIZED (SELECT * FROM next WHERE id < least(
			(SELECT min(id) FROM next WHERE received_at BETWEEN now() - $1::interval AND now()),
			(SELECT min(delivery_id) FROM delivery_queue WHERE delivery_id > (SELECT far FROM came)), 9223372036854775807)),
		emptied AS (UPDATE delivery d SET body = NULL, meta = NULL FROM old WHERE d.id = old.id AND d.received_at = old.received_at AND old.kept RETURNING 1),
		noted AS (INSERT INTO setting (name, value) SELECT 'emptied', jsonb_build_object('after', max(id)) FROM old HAVING count(*) > 0
			ON CONFLICT (name) DO UPDATE SET value = excluded.value)
		SELECT (SELECT count(*) FROM emptied), (SELECT count(*) FROM old)`, keep).Scan(&emptied, &seen)
	return emptied, seen, err
}

// preparePartitions makes the delivery partitions of the next two months. The
// present month's rows may already lie in the rest partition; it stays there.
func (s *Store) preparePartitions(ctx context.Context, now time.Time) error {
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	for i := 1; i <= 2; i++ {
		from, to := month.AddDate(0, i, 0), month.AddDate(0, i+1, 0)
		_, err := s.Pool.Exec(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS delivery_%s PARTITION OF delivery FOR VALUES FROM ('%s') TO ('%s')`,
			from.Format("2006_01"), from.Format(time.DateOnly), to.Format(time.DateOnly)))
		if err != nil {
			return fmt.Errorf("preparing the partition of %s: %w", from.Format("2006-01"), err)
		}
	}
	return nil
}
