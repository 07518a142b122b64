package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// States of a message. What became of its last attempt; where it was sent again
// although an earlier one may have arrived, the row counts that. reserved -> skipped | calling; calling -> accepted |
// refused | reserved (certainly not taken) | unknown; unknown -> accepted |
// refused | reserved (resend) | parked; parked -> accepted | refused | reserved.
const (
	MessageReserved = "reserved"
	MessageSkipped  = "skipped"
	MessageCalling  = "calling"
	MessageAccepted = "accepted"
	MessageRefused  = "refused"
	MessageUnknown  = "unknown"
	MessageParked   = "parked"
)

// Message is one row of the ledger: one message to one person over one channel.
type Message struct {
	ID              string
	SendKey         string // <journey>/<step>: what makes sending again harmless
	JourneyID       string
	Step            string
	ContactID       string
	Channel         string
	Kind            string // marketing, transactional or internal
	Connection      string
	Template        string
	TemplateVersion int
	AssignmentID    int64 // 0: without a code
	Address         string
	TimeZone        string

	State    string
	Reason   string
	Attempt  int
	Token    string        // of the attempt under way: only its holder may report on it
	Span     time.Duration // how long the attempt under way may take
	VendorID string
	Delivery string

	calledAt time.Time     // when the last attempt began, by the database's clock
	ago      time.Duration // how long that was ago when the row was read, by the same clock
}

const messageColumns = `id, send_key, coalesce(journey_id, ''), step, coalesce(contact_id, ''), channel, kind, connection, template,
	coalesce(template_version, 0), coalesce(assignment_id, 0), address, time_zone, state, reason, attempt, attempt_token,
	coalesce(attempt_deadline - called_at, '0'), coalesce(vendor_id, ''), delivery,
	coalesce(called_at, 'epoch'), coalesce(extract(epoch FROM clock_timestamp() - called_at), 0)::float8`

func scanMessage(row pgx.Row) (*Message, error) {
	m, seconds := &Message{}, 0.0
	err := row.Scan(&m.ID, &m.SendKey, &m.JourneyID, &m.Step, &m.ContactID, &m.Channel, &m.Kind, &m.Connection, &m.Template,
		&m.TemplateVersion, &m.AssignmentID, &m.Address, &m.TimeZone, &m.State, &m.Reason, &m.Attempt, &m.Token,
		&m.Span, &m.VendorID, &m.Delivery, &m.calledAt, &seconds)
	m.ago = time.Duration(seconds * float64(time.Second))
	return m, err
}

// MessageByKey finds the message of a step; nil where nothing was written yet.
func (s *Store) MessageByKey(ctx context.Context, q Querier, sendKey string) (*Message, error) {
	return scanKnown(q.QueryRow(ctx, messageByKey, sendKey))
}

const messageByKey = `SELECT ` + messageColumns + ` FROM message WHERE send_key = $1`

func scanKnown(row pgx.Row) (*Message, error) {
	m, err := scanMessage(row)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("loading the message of a step: %w", err)
	}
	return m, nil
}

// Message loads a message by its id. The error wraps ErrNotFound.
func (s *Store) Message(ctx context.Context, q Querier, id string) (*Message, error) {
	m, err := scanMessage(q.QueryRow(ctx, `SELECT `+messageColumns+` FROM message WHERE id = $1`, id))
	if err != nil {
		return nil, fmt.Errorf("loading message %s: %w", id, notFound(err))
	}
	return m, nil
}

// SkipMessage records that a message was not sent, and why. What is on its way or
// was sent stays as it is.
func (s *Store) SkipMessage(ctx context.Context, q Querier, m Message, reason string) error {
	_, err := q.Exec(ctx, `
		INSERT INTO message (id, send_key, journey_id, step, contact_id, channel, kind, connection, template, time_zone, state, reason)
		VALUES ($1, $2, nullif($3, ''), $4, nullif($5, ''), $6, $7, $8, $9, $10, 'skipped', $11)
		ON CONFLICT (send_key) DO UPDATE SET state = 'skipped', reason = $11, updated_at = now() WHERE message.state = 'reserved'`,
		NewID(MessageID), m.SendKey, m.JourneyID, m.Step, m.ContactID, m.Channel, m.Kind, m.Connection, m.Template, m.TimeZone, reason)
	if err != nil {
		return fmt.Errorf("recording a skipped message: %w", err)
	}
	return nil
}

// BeginCall moves a message to `calling` and marks its code as seen, in one
// transaction with gate, which looks once more at everything that may stop it. A
// false gate writes nothing. The returned message carries the token under which
// the attempt is reported; it is nil if the gate was shut or another attempt has
// the message.
func (s *Store) BeginCall(ctx context.Context, m Message, timeout time.Duration, gate func(*Tx) (bool, error)) (*Message, error) {
	var begun *Message // once all that is left is the commit
	err := s.InTx(ctx, func(tx *Tx) error {
		open, err := gate(tx)
		if err != nil || !open {
			return err
		}
		var written *Message
		batch := &pgx.Batch{}
		batch.Queue(`
			INSERT INTO message (id, send_key, journey_id, step, contact_id, channel, kind, connection, template, template_version,
				assignment_id, address, time_zone, state, attempt, attempt_token, attempt_deadline, called_at)
			VALUES ($1, $2, nullif($3, ''), $4, nullif($5, ''), $6, $7, $8, $9, nullif($10, 0), nullif($11, 0), $12, $13,
				'calling', 1, $14, statement_timestamp() + $15::interval, statement_timestamp())
			ON CONFLICT (send_key) DO UPDATE SET state = 'calling', attempt = message.attempt + 1, attempt_token = $14,
				attempt_deadline = excluded.attempt_deadline, called_at = excluded.called_at, connection = $8,
				template = $9, template_version = nullif($10, 0), assignment_id = nullif($11, 0), address = $12,
				time_zone = $13, reason = '', updated_at = now()
			WHERE message.state = 'reserved'
			RETURNING `+messageColumns,
			NewID(MessageID), m.SendKey, m.JourneyID, m.Step, m.ContactID, m.Channel, m.Kind, m.Connection, m.Template,
			m.TemplateVersion, m.AssignmentID, m.Address, m.TimeZone, NewID("at"), timeout).QueryRow(func(row pgx.Row) (err error) {
			if written, err = scanMessage(row); errors.Is(err, pgx.ErrNoRows) {
				return errTaken
			}
			return err
		})
		if m.AssignmentID != 0 {
			queueExpose(batch, m.AssignmentID)
		}
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		begun = written
		return nil
	})
	switch {
	case errors.Is(err, errTaken):
		return nil, nil
	case err != nil && begun != nil:
		return nil, fmt.Errorf("beginning a send: %w", errors.Join(err, s.takeBack(ctx, begun)))
	case err != nil:
		return nil, fmt.Errorf("beginning a send: %w", err)
	}
	return begun, nil
}

var errTaken = errors.New("another attempt has the message")

// How long is tried to end an attempt whose own time may be over, and how often.
const (
	takeBackTimeout = 5 * time.Second
	takeBackPause   = 200 * time.Millisecond
)

// takeBack ends an attempt that may have been committed without its maker hearing of
// it: nobody will call the vendor under it, and nobody else could ever tell. A database
// that was away may be back.
func (s *Store) takeBack(ctx context.Context, m *Message) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTimeout)
	defer cancel()
	for {
		if err = s.endUncalled(ctx, m); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("taking it back: %w", err)
		case <-time.After(takeBackPause):
		}
	}
}

// endUncalled ends an attempt that may be being committed still. Until it is, a new
// message is seen by nobody, but its journey is held; one of an earlier attempt is held
// itself.
func (s *Store) endUncalled(ctx context.Context, m *Message) error {
	if _, err := s.Pool.Exec(ctx, `SELECT FROM journey WHERE id = $1 FOR UPDATE`, m.JourneyID); err != nil {
		return fmt.Errorf("waiting for its journey: %w", err)
	}
	if _, err := s.Pool.Exec(ctx, `SELECT FROM message WHERE id = $1 FOR UPDATE`, m.ID); err != nil {
		return fmt.Errorf("waiting for its message: %w", err)
	}
	_, err := s.EndCall(ctx, m, Outcome{State: MessageReserved})
	return err
}

// Outcome is what became of an attempt.
type Outcome struct {
	State    string // MessageAccepted, MessageRefused, MessageReserved or MessageUnknown
	Reason   string
	VendorID string
	Detail   string // the vendor's words; stored, never logged
	// Resend says that the message is sent again although nobody knows whether the
	// vendor took it: the connection's policy wants it so. The row counts it.
	Resend bool
}

// nothingOut says that the vendor certainly took nothing of the attempt.
func (o Outcome) nothingOut() bool {
	return o.State == MessageRefused || o.State == MessageReserved && !o.Resend
}

// EndCall reports on the attempt that holds m.Token. Where the vendor certainly
// took nothing, nobody saw the attempt's code. It returns false where the message
// has moved on without it: evidence came first, or the attempt was given up as
// unknown.
func (s *Store) EndCall(ctx context.Context, m *Message, o Outcome) (moved bool, err error) {
	return s.conclude(ctx, m, MessageCalling, o)
}

// Settle moves a message out of `unknown` or `parked`, as EndCall out of `calling`.
func (s *Store) Settle(ctx context.Context, m *Message, o Outcome) (moved bool, err error) {
	return s.conclude(ctx, m, m.State, o)
}

func (s *Store) conclude(ctx context.Context, m *Message, from string, o Outcome) (moved bool, err error) {
	if m.AssignmentID == 0 || !o.nothingOut() {
		return s.move(ctx, s.Pool, m, from, o)
	}
	err = s.conceal(ctx, m.AssignmentID, func(tx *Tx) (bool, error) {
		moved, err = s.move(ctx, tx, m, from, o)
		return moved, err
	})
	if err != nil {
		return false, fmt.Errorf("ending an attempt that let nothing out: %w", err)
	}
	return moved, nil
}

func (s *Store) move(ctx context.Context, q Querier, m *Message, from string, o Outcome) (bool, error) {
	// What a vendor says of a person who was erased while it was asked isn't kept.
	early := false
	err := q.QueryRow(ctx, `
		UPDATE message SET state = $4, reason = $5, vendor_id = coalesce(nullif($6, ''), vendor_id), resent = resent + $8,
			detail = CASE WHEN $7 = '' OR EXISTS (SELECT FROM contact c WHERE c.erased_at IS NOT NULL AND c.id = coalesce(message.contact_id,
				(SELECT j.contact_id FROM journey j WHERE j.id = message.journey_id)) OFFSET 0) THEN '' ELSE $7 END,
			accepted_at = CASE WHEN $4 = 'accepted' THEN clock_timestamp() END, updated_at = now()
		WHERE id = $1 AND state = $2 AND attempt_token = $3
		RETURNING $4 = 'accepted' AND EXISTS (SELECT 1 FROM message_evidence e WHERE e.connection = message.connection AND e.vendor_id = nullif($6, '') OFFSET 0)`,
		m.ID, from, m.Token, o.State, o.Reason, o.VendorID, o.Detail, counted(o.Resend)).Scan(&early)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("recording the outcome of message %s: %w", m.ID, err)
	case early:
		return true, s.applyEarlyEvidence(ctx, m.Connection, o.VendorID)
	}
	return true, nil
}

func counted(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// StreamFlows says whether the connection has told of deliveries of messages that
// were called after this one: then silence about it means something. Later is what
// both clocks say; a token begins with the time of its process.
func (s *Store) StreamFlows(ctx context.Context, m *Message) (bool, error) {
	var flows bool
	err := s.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM message
			WHERE connection = $1 AND called_at > $2 AND attempt_token > $3 COLLATE "C" AND delivery <> '')`,
		m.Connection, m.calledAt, m.Token).Scan(&flows)
	if err != nil {
		return false, fmt.Errorf("asking whether delivery events flow: %w", err)
	}
	return flows, nil
}
