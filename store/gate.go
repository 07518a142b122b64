package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Gate is everything besides the clock that may stop a message in the moment of
// sending, read in one statement.
type Gate struct {
	JourneyState   string
	CampaignState  string
	KillSwitch     bool
	Consent        string // granted, denied, pending or ""
	Suppressed     string // the reason, or ""
	SuppressedHard bool
	// EventsWaiting says that an accepted event that may concern this journey has
	// not reached it yet.
	EventsWaiting bool
	CodeState     string // of the assignment; "" without one
	CodeExpires   time.Time
}

// eventsWaiting is true of journey $1 where an event that was accepted so long ago
// may not have reached it.
func eventsWaiting(since string) string {
	return `EXISTS (SELECT 1 FROM outbox WHERE journey_id = $1 AND kind = 'signal' AND name = 'events')
		OR EXISTS (SELECT 1 FROM delivery_queue WHERE received_at > now() - interval '10 minutes'
			AND received_at < clock_timestamp() - ` + since + ` AND attempts = 0)`
}

func (s *Store) eventsWaiting(ctx context.Context, journeyID string) (waiting bool, err error) {
	if err := s.Pool.QueryRow(ctx, `SELECT `+eventsWaiting("interval '2 seconds'"), journeyID).Scan(&waiting); err != nil {
		return false, fmt.Errorf("looking for events on their way to journey %s: %w", journeyID, err)
	}
	return waiting, nil
}

// SendGate reads the gate of one message whose step has been due for some time.
// Webhooks that were accepted before and whose contact isn't known yet hold it,
// for at most ten minutes, so that one that can't be read doesn't stop a shop's
// mail, and later ones don't starve it.
func (s *Store) SendGate(ctx context.Context, q Querier, m Message, due time.Duration) (Gate, error) {
	hmac, err := s.AddressHMAC(ctx, q, m.Channel, m.Address)
	if err != nil {
		return Gate{}, err
	}
	return scanGate(q.QueryRow(ctx, sendGate, m.JourneyID, m.ContactID, m.Channel, hmac, m.AssignmentID, due))
}

var sendGate = `
	SELECT coalesce(j.state, ''), coalesce(c.state, ''),
		coalesce((SELECT (value->>'on')::boolean FROM setting WHERE name = 'kill_switch'), false),
		coalesce((SELECT state FROM consent WHERE contact_id = $2 AND channel = $3), ''),
		coalesce((SELECT reason FROM suppression WHERE channel = $3 AND address_hmac = $4), ''),
		coalesce((SELECT hard FROM suppression WHERE channel = $3 AND address_hmac = $4), false),
		` + eventsWaiting("$6::interval") + `,
		coalesce((SELECT state FROM assignment WHERE id = $5), ''),
		coalesce((SELECT expires_at FROM assignment WHERE id = $5), 'epoch')
	FROM (SELECT 1) one LEFT JOIN journey j ON j.id = $1 LEFT JOIN campaign c ON c.id = j.campaign_id`

func scanGate(row pgx.Row) (g Gate, err error) {
	err = row.Scan(&g.JourneyState, &g.CampaignState, &g.KillSwitch, &g.Consent, &g.Suppressed, &g.SuppressedHard, &g.EventsWaiting,
		&g.CodeState, &g.CodeExpires)
	if err != nil {
		return g, fmt.Errorf("checking whether a message may go: %w", err)
	}
	return g, nil
}

// SendLook is what a send step looks at before it decides.
type SendLook struct {
	Known      *Message // what the ledger has of the step; nil: nothing
	Gate       Gate
	TemplateNo int          // of the template's newest version; 0: there is none
	Codes      []Assignment // JourneyCodes
}

// LookBeforeSend reads all of it in one round trip.
func (s *Store) LookBeforeSend(ctx context.Context, m Message, due time.Duration) (look SendLook, err error) {
	hmac, err := s.AddressHMAC(ctx, s.Pool, m.Channel, m.Address)
	if err != nil {
		return look, err
	}
	batch := &pgx.Batch{}
	batch.Queue(messageByKey, m.SendKey).QueryRow(func(row pgx.Row) (err error) { look.Known, err = scanKnown(row); return err })
	batch.Queue(sendGate, m.JourneyID, m.ContactID, m.Channel, hmac, m.AssignmentID, due).QueryRow(func(row pgx.Row) (err error) {
		look.Gate, err = scanGate(row)
		return err
	})
	batch.Queue(`SELECT coalesce((SELECT version_no FROM template WHERE name = $1), 0)`, m.Template).QueryRow(func(row pgx.Row) error {
		return row.Scan(&look.TemplateNo)
	})
	batch.Queue(selectAssignments+ofJourney, m.JourneyID).Query(func(rows pgx.Rows) (err error) { look.Codes, err = scanAssignments(rows); return err })
	if err := s.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return look, fmt.Errorf("looking at what a message needs: %w", err)
	}
	return look, nil
}
