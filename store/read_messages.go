package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// MessageSummary is a message without its address and text.
type MessageSummary struct {
	ID          string     `json:"id"`
	Journey     string     `json:"journey,omitempty"`
	Step        string     `json:"step"`
	Contact     string     `json:"contact,omitempty"`
	Channel     string     `json:"channel"`
	Kind        string     `json:"kind" enum:"marketing,transactional,internal"`
	Connection  string     `json:"connection"`
	Template    string     `json:"template,omitempty"`
	Version     int        `json:"template_version,omitempty"`
	State       string     `json:"state" enum:"reserved,skipped,calling,accepted,refused,unknown,parked"`
	Reason      string     `json:"reason,omitempty" doc:"why it was skipped, refused or parked"`
	Delivery    string     `json:"delivery,omitempty" doc:"the furthest that the vendor told: delivered, opened, bounced …"`
	Attempts    int        `json:"attempts"`
	Resent      int        `json:"resent" doc:"how many of the attempts were made although nobody knew what became of the one before: by the connection's policy, or a person's word"`
	CreatedAt   time.Time  `json:"created_at"`
	AcceptedAt  *time.Time `json:"accepted_at,omitempty"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
}

// MessageFilter narrows a list; empty fields don't.
type MessageFilter struct {
	Contact, Journey, State, Channel string
	Unsettled                        bool // unknown and parked
}

const messageSummary = `SELECT m.id, coalesce(m.journey_id, ''), m.step, coalesce(m.contact_id, ''), m.channel, m.kind, m.connection, m.template,
	coalesce(m.template_version, 0), m.state, m.reason, m.delivery, m.attempt, m.resent, m.created_at, m.accepted_at, m.delivered_at FROM message m `

// Messages lists messages, the newest first.
func (s *Store) Messages(ctx context.Context, f MessageFilter, p Page) ([]MessageSummary, error) {
	var w where
	w.is(`m.id < %s`, p.After)
	w.is(`m.contact_id = %s`, f.Contact)
	w.is(`m.journey_id = %s`, f.Journey)
	w.is(`m.state = %s`, f.State)
	w.is(`m.channel = %s`, f.Channel)
	if f.Unsettled {
		w.and(`m.state IN ('unknown', 'parked')`)
	}
	statement := messageSummary + w.String() + ` ORDER BY m.id DESC LIMIT ` + w.value(p.Limit)
	return list[MessageSummary](ctx, s.Pool, "messages", statement, w.values...)
}

// MessageSummary shows one message. The error wraps ErrNotFound.
func (s *Store) MessageSummary(ctx context.Context, id string) (MessageSummary, error) {
	return one[MessageSummary](ctx, s.Pool, "message "+id, messageSummary+`WHERE m.id = $1`, id)
}

// Verdicts of a person on a message whose outcome nobody knows.
const (
	VerdictAccepted = "accepted" // the vendor has it
	VerdictResend   = "resend"   // it doesn't: send again
	VerdictGiveUp   = "give_up"  // don't send it any more
)

// GivenUp is the reason of a message that a person settled with VerdictGiveUp.
const GivenUp = "given_up"

// ErrNotUnsettled says that a message's outcome is known, or its call under way.
var ErrNotUnsettled = errors.New("the message has an outcome")

// ErrNobodySends says that a message can't be sent again: it was a test, or its
// journey is over or past the step.
var ErrNobodySends = errors.New("nothing is there to send the message again")

// ResolveMessage settles an unknown or parked message by a person's word and
// wakes its journey. Notices to teams are sent again by the upkeep, whatever became
// of their journey. The error wraps ErrNotFound, ErrNotUnsettled or ErrNobodySends.
func (s *Store) ResolveMessage(ctx context.Context, id, verdict, actor string) error {
	states := map[string]struct{ state, reason string }{
		VerdictAccepted: {MessageAccepted, ""}, VerdictResend: {MessageReserved, ""}, VerdictGiveUp: {MessageRefused, GivenUp},
	}
	to, known := states[verdict]
	if !known {
		return fmt.Errorf("resolving message %s: %q is no verdict", id, verdict)
	}
	err := s.InTx(ctx, func(tx *Tx) error {
		if to.state == MessageReserved {
			if err := s.stillSent(ctx, tx, id); err != nil {
				return err
			}
		}
		var journey *string
		err := tx.QueryRow(ctx, `UPDATE message SET state = $2, reason = $3, attempt_token = '', updated_at = now(),
				resent = resent + CASE WHEN $2 = 'reserved' THEN 1 ELSE 0 END,
				accepted_at = CASE WHEN $2 = 'accepted' THEN coalesce(accepted_at, now()) ELSE accepted_at END
			WHERE id = $1 AND state IN ('unknown', 'parked') RETURNING journey_id`, id, to.state, to.reason).Scan(&journey)
		if errors.Is(err, pgx.ErrNoRows) {
			if _, err := s.Message(ctx, tx, id); err != nil {
				return err
			}
			return ErrNotUnsettled
		}
		if err != nil {
			return err
		}
		if journey != nil {
			if err := s.EnqueueSignal(ctx, tx, *journey, "resume", nil); err != nil {
				return err
			}
		}
		return Audit(ctx, tx, actor, "message."+verdict, id, nil)
	})
	if err != nil {
		return fmt.Errorf("settling message %s: %w", id, err)
	}
	return nil
}

// stillSent says whether anything would send a message again, and keeps its journey
// from ending until the transaction does.
func (s *Store) stillSent(ctx context.Context, tx *Tx, id string) error {
	m, err := s.Message(ctx, tx, id)
	if err != nil || m.Kind == "internal" && m.JourneyID != "" {
		return err
	}
	if m.State != MessageUnknown && m.State != MessageParked {
		return ErrNotUnsettled
	}
	// Of a parked message the step that waits for the word sends it: a journey that
	// was told to skip it, or to leave, is past it.
	var waits bool
	err = tx.QueryRow(ctx, `SELECT state <> 'ended' AND ($2 = 'unknown' OR coalesce(parked_step, '') = $3) FROM journey WHERE id = $1 FOR SHARE`,
		m.JourneyID, m.State, m.Step).Scan(&waits)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if !waits {
		return ErrNobodySends
	}
	return nil
}

// NoticesToSend gives up to limit notices to teams that a person wants sent again, the
// one that waits longest first.
func (s *Store) NoticesToSend(ctx context.Context, limit int) ([]*Message, error) {
	return s.messagesOf(ctx, "listing notices to send again", `SELECT `+messageColumns+` FROM message
		WHERE kind = 'internal' AND resent > 0 AND state = 'reserved' AND journey_id IS NOT NULL ORDER BY updated_at LIMIT $1`, limit)
}

// LostCalls gives up to limit messages whose attempt began a minute ago or earlier and
// which no step comes back to: their journey is over, they have none, or they are
// notices that were sent again.
func (s *Store) LostCalls(ctx context.Context, limit int) ([]*Message, error) {
	return s.messagesOf(ctx, "listing lost calls", `SELECT `+messageColumns+` FROM message
		WHERE state = 'calling' AND called_at < now() - interval '1 minute' AND (kind = 'internal' AND resent > 0
			OR NOT EXISTS (SELECT FROM journey j WHERE j.id = journey_id AND j.state <> 'ended' OFFSET 0)) ORDER BY called_at LIMIT $1`, limit)
}

func (s *Store) messagesOf(ctx context.Context, doing, sql string, args ...any) ([]*Message, error) {
	rows, err := s.Pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	messages, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*Message, error) { return scanMessage(row) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return messages, nil
}
