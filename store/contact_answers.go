package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
)

// Answers looks up what a condition asks about a contact, by Need.Key. Imported
// history counts like everything else.
func (s *Store) Answers(ctx context.Context, q Querier, contactID string, needs []campaign.Need, now time.Time) (map[string]any, error) {
	if len(needs) == 0 {
		return nil, nil
	}
	c, err := s.Contact(ctx, q, contactID)
	if err != nil {
		return nil, err
	}
	return s.AnswersFor(ctx, q, c, needs, now)
}

// AnswersFor is Answers for a contact that is loaded.
func (s *Store) AnswersFor(ctx context.Context, q Querier, c *Contact, needs []campaign.Need, now time.Time) (map[string]any, error) {
	return s.answers(ctx, q, c, needs, now, 0)
}

func (s *Store) answers(ctx context.Context, q Querier, c *Contact, needs []campaign.Need, now time.Time, depth int) (map[string]any, error) {
	answers := make(map[string]any, len(needs))
	for _, need := range needs {
		answer, err := s.answer(ctx, q, c, need, now, depth)
		if err != nil {
			return nil, fmt.Errorf("answering %s: %w", need.Func, err)
		}
		answers[need.Key()] = answer
	}
	return answers, nil
}

func (s *Store) answer(ctx context.Context, q Querier, c *Contact, need campaign.Need, now time.Time, depth int) (any, error) {
	arg := func(i int) string {
		if i < len(need.Args) {
			return need.Args[i]
		}
		return ""
	}
	switch need.Func {
	case "count":
		return queryValue[int](ctx, q, `SELECT count(*) FROM event WHERE contact_id = $1 AND type = $2 AND occurred_at >= $3`,
			c.ID, arg(0), since(arg(1), now))
	case "sum":
		return queryValue[float64](ctx, q, `SELECT coalesce(sum((fields #>> $4)::numeric), 0)::float8 FROM event
			WHERE contact_id = $1 AND type = $2 AND occurred_at >= $3 AND jsonb_typeof(fields #> $4) = 'number'`,
			c.ID, arg(0), since(arg(2), now), strings.Split(arg(1), "."))
	case "holds":
		coupon, set, _ := strings.Cut(arg(0), "/")
		return queryValue[bool](ctx, q, `SELECT EXISTS (SELECT 1 FROM assignment a JOIN coupon p ON p.id = a.coupon_id
			WHERE a.contact_id = ANY ($1) AND p.name = $2 AND ($3 = '' OR a.child_set = $3)
			AND a.state IN ('held', 'exposed', 'applied') AND (a.expires_at IS NULL OR a.expires_at > $4))`, c.IDs(), coupon, set, now)
	case "redeemed":
		coupon, set, _ := strings.Cut(arg(0), "/")
		return queryValue[bool](ctx, q, `SELECT EXISTS (SELECT 1 FROM redemption r JOIN coupon p ON p.id = r.coupon_id
			LEFT JOIN assignment a ON a.id = r.assignment_id
			WHERE (r.contact_id = ANY ($1) OR (r.contact_id IS NULL AND a.contact_id = ANY ($1))) AND p.name = $2 AND r.state = 'redeemed'
			AND ($3 = '' OR a.child_set = $3))`, c.IDs(), coupon, set)
	case "reachable":
		return s.reachable(ctx, q, c, arg(0))
	case "in_segment":
		return s.inSegment(ctx, q, c, arg(0), now, depth)
	}
	return false, nil
}

func queryValue[T any](ctx context.Context, q Querier, sql string, args ...any) (value T, err error) {
	err = q.QueryRow(ctx, sql, args...).Scan(&value)
	return value, err
}

// since is the start of a window; without one, the beginning of time.
func since(window string, now time.Time) time.Time {
	d, err := campaign.ParseDuration(window)
	if window == "" || err != nil {
		return time.Time{}
	}
	return now.Add(-d)
}

// reachable says whether a marketing message could go out on the channel, or on
// any where none is named: address, consent, and no suppression.
func (s *Store) reachable(ctx context.Context, q Querier, c *Contact, channel string) (bool, error) {
	channels := []string{channel}
	if channel == "" {
		channels = []string{event.ChannelEmail, event.ChannelSMS}
	}
	for _, ch := range channels {
		address := c.Address(ch)
		if address == "" || c.Consents[ch].State != event.Granted {
			continue
		}
		_, _, suppressed, err := s.Suppressed(ctx, q, ch, address)
		if err != nil {
			return false, err
		}
		if !suppressed {
			return true, nil
		}
	}
	return false, nil
}

// segments caches compiled segments by the text they were compiled from.
type segments struct {
	sync.Mutex
	bySource map[string]*campaign.Segment
}

// maxSegmentDepth bounds segments that ask for segments.
const maxSegmentDepth = 5

func (s *Store) inSegment(ctx context.Context, q Querier, c *Contact, name string, now time.Time, depth int) (bool, error) {
	if depth >= maxSegmentDepth {
		return false, nil
	}
	segment, err := s.segment(ctx, q, name)
	if err != nil || segment == nil {
		return false, err
	}
	answers, err := s.answers(ctx, q, c, segment.Where.Needs(), now, depth+1)
	if err != nil {
		return false, err
	}
	inside, err := segment.Where.Eval(campaign.Data{Contact: c.CEL(), Now: now, Answers: answers})
	return err == nil && inside, nil // an expression that fails holds nobody
}

// segment loads a segment; nil where it doesn't exist.
func (s *Store) segment(ctx context.Context, q Querier, name string) (*campaign.Segment, error) {
	var source string
	err := q.QueryRow(ctx, `SELECT coalesce((SELECT source FROM segment WHERE name = $1), '')`, name).Scan(&source)
	if err != nil || source == "" {
		return nil, err
	}
	s.segments.Lock()
	defer s.segments.Unlock()
	if found := s.segments.bySource[source]; found != nil {
		return found, nil
	}
	file, problems := campaign.Parse("segment "+name, []byte(source))
	if len(file.Segments) != 1 || file.Segments[0].Where == nil {
		return nil, fmt.Errorf("reading segment %s: %v", name, problems)
	}
	if s.segments.bySource == nil {
		s.segments.bySource = map[string]*campaign.Segment{}
	}
	s.segments.bySource[source] = file.Segments[0]
	return file.Segments[0], nil
}
