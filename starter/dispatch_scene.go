package starter

import (
	"context"
	"encoding/json"
	"strings"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/store"
)

// scene is what conditions are evaluated over while one delivery, or one due
// entry, is dispatched. What it looks up it keeps for that long.
type scene struct {
	*batch
	deliveryID int64
	trace      string
	happened   []*happening
	contacts   map[string]*store.Contact
	events     map[string]*store.StoredEvent
	answers    map[string]any
}

func (b *batch) newScene(deliveryID int64, trace string, happened []*happening) *scene {
	s := &scene{
		batch: b, deliveryID: deliveryID, trace: trace, happened: happened,
		contacts: map[string]*store.Contact{}, events: map[string]*store.StoredEvent{}, answers: map[string]any{},
	}
	for _, h := range happened {
		s.events[h.event.ID] = h.event
	}
	return s
}

// contact loads a person once; nil for nobody.
func (s *scene) contact(ctx context.Context, id string) (*store.Contact, error) {
	if id == "" {
		return nil, nil
	}
	if c := s.contacts[id]; c != nil {
		return c, nil
	}
	c, err := s.Store.Contact(ctx, s.tx, id)
	if err != nil {
		return nil, err
	}
	s.contacts[id] = c
	return c, nil
}

func (s *scene) stored(ctx context.Context, id string) (*store.StoredEvent, error) {
	if e := s.events[id]; e != nil {
		return e, nil
	}
	if id == "" {
		return &store.StoredEvent{}, nil
	}
	e, err := s.Store.StoredEvent(ctx, s.tx, id)
	if err != nil {
		return nil, err
	}
	s.events[id] = e
	return e, nil
}

// question is a condition together with whom and what it is asked about.
type question struct {
	where    *campaign.Condition
	campaign string
	contact  *store.Contact
	event    *store.StoredEvent
	data     campaign.Data // trigger, entry and codes, where the condition's scope has them
}

// truth of a condition.
type truth int

const (
	untrue truth = iota
	holdsTrue
	broken // the expression could not be evaluated; counts as untrue
)

func (s *scene) ask(ctx context.Context, q question) (truth, error) {
	if q.where == nil {
		return holdsTrue, nil
	}
	q.data.Now = s.now
	var err error
	if q.contact != nil {
		q.data.Contact = q.contact.CEL()
		if q.data.Answers, err = s.answersTo(ctx, q.contact, q.where.Needs()); err != nil {
			return untrue, err
		}
	}
	if q.data.Event, err = s.view(ctx, q.event, q.where); err != nil {
		return untrue, err
	}
	holds, err := q.where.Eval(q.data)
	switch {
	case err != nil:
		s.later(s.Metrics.ExpressionErrors.WithLabelValues(q.campaign).Inc)
		return broken, nil
	case holds:
		return holdsTrue, nil
	}
	return untrue, nil
}

func (s *scene) answersTo(ctx context.Context, c *store.Contact, needs []campaign.Need) (map[string]any, error) {
	answers := make(map[string]any, len(needs))
	for _, need := range needs {
		key := need.Key()
		kept := c.ID + " " + key
		if _, known := s.answers[kept]; !known {
			found, err := s.Store.AnswersFor(ctx, s.tx, c, []campaign.Need{need}, s.now)
			if err != nil {
				return nil, err
			}
			s.answers[kept] = found[key]
		}
		answers[key] = s.answers[kept]
	}
	return answers, nil
}

// view is an event as a condition sees it; the vendor's payload is read only for
// those that look at it.
func (s *scene) view(ctx context.Context, e *store.StoredEvent, where *campaign.Condition) (map[string]any, error) {
	vars := e.CEL()
	if !strings.Contains(where.Source(), ".raw") || vars["raw"] != nil {
		return vars, nil
	}
	body, err := s.Store.DeliveryBody(ctx, s.tx, e)
	if err != nil {
		return nil, err
	}
	var raw any
	if json.Unmarshal(body, &raw) == nil { // a form or nothing any more: the condition misses it
		vars["raw"] = raw
	}
	return vars, nil
}
