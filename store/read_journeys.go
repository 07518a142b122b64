package store

import (
	"context"
	"time"
)

// JourneySummary is a journey in a list.
type JourneySummary struct {
	ID           string     `json:"id"`
	Campaign     string     `json:"campaign"`
	Version      int        `json:"version"`
	Contact      string     `json:"contact"`
	State        string     `json:"state" enum:"pending,running,parked,ended"`
	ParkedStep   string     `json:"parked_step,omitempty"`
	ParkedReason string     `json:"parked_reason,omitempty"`
	Outcome      string     `json:"outcome,omitempty"`
	EndedStep    string     `json:"ended_step,omitempty"`
	EnteredAt    time.Time  `json:"entered_at"`
	EndedAt      *time.Time `json:"ended_at,omitempty"`
}

// JourneyFilter narrows a list; empty fields don't.
type JourneyFilter struct {
	Campaign, Contact, State, Outcome string
}

const journeySummary = `SELECT j.id, c.name, j.version_no, coalesce(ct.merged_into, ct.id), j.state, coalesce(j.parked_step, ''),
	coalesce(j.parked_reason, ''), coalesce(j.outcome, ''), coalesce(j.ended_step, ''), j.created_at, j.ended_at
	FROM journey j JOIN campaign c ON c.id = j.campaign_id JOIN contact ct ON ct.id = j.contact_id `

// Journeys lists journeys, the newest first.
func (s *Store) Journeys(ctx context.Context, f JourneyFilter, p Page) ([]JourneySummary, error) {
	var w where
	w.is(`j.id < %s`, p.After)
	w.is(`c.name = %s`, f.Campaign)
	w.is(`%s IN (j.contact_id, ct.merged_into)`, f.Contact)
	w.is(`j.state = %s`, f.State)
	w.is(`j.outcome = %s`, f.Outcome)
	statement := journeySummary + w.String() + ` ORDER BY j.id DESC LIMIT ` + w.value(p.Limit)
	return list[JourneySummary](ctx, s.Pool, "journeys", statement, w.values...)
}

// JourneyCode is a code that a journey holds.
type JourneyCode struct {
	Coupon    string     `json:"coupon"`
	Set       string     `json:"set,omitempty"`
	Code      string     `json:"code"`
	State     string     `json:"state"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	At        time.Time  `json:"at" doc:"when it was assigned"`
}

// JourneyStep is a step that left something behind: a message or an answer.
type JourneyStep struct {
	Step   string    `json:"step"`
	Kind   string    `json:"kind" doc:"message or step"`
	Status string    `json:"status"`
	Reason string    `json:"reason,omitempty"`
	ID     string    `json:"id,omitempty" doc:"the message's"`
	At     time.Time `json:"at"`
}

// JourneyDetail is one journey with what it did so far.
type JourneyDetail struct {
	JourneySummary
	Workflow string        `json:"workflow" doc:"the Temporal workflow id"`
	EntryNo  int           `json:"entry_number" doc:"2 for this contact's second entry"`
	Codes    []JourneyCode `json:"codes"`
	Steps    []JourneyStep `json:"steps"`
}

// JourneyDetail shows one journey. The error wraps ErrNotFound.
func (s *Store) JourneyDetail(ctx context.Context, id string) (d JourneyDetail, err error) {
	if d.JourneySummary, err = one[JourneySummary](ctx, s.Pool, "journey "+id, journeySummary+`WHERE j.id = $1`, id); err != nil {
		return d, err
	}
	d.Workflow = d.Campaign + "/" + d.ID
	journey, err := s.Journey(ctx, s.Pool, id)
	if err != nil {
		return d, err
	}
	d.EntryNo = journey.EntryNo
	d.Codes, err = list[JourneyCode](ctx, s.Pool, "codes of a journey", `
		SELECT cp.name, a.child_set, coalesce(c.code, ''), a.state, a.expires_at, a.created_at
		FROM assignment a JOIN coupon cp ON cp.id = a.coupon_id LEFT JOIN code c ON c.batch_id = a.batch_id AND c.pos = a.pos
		WHERE a.journey_id = $1 OR a.id IN (SELECT assignment_id FROM assignment_share WHERE journey_id = $1) ORDER BY a.id`, id)
	if err != nil {
		return d, err
	}
	d.Steps, err = list[JourneyStep](ctx, s.Pool, "steps of a journey", `
		SELECT step, 'message', CASE WHEN delivery <> '' THEN delivery ELSE state END, reason, id, updated_at FROM message WHERE journey_id = $1
		UNION ALL SELECT step, 'step', status, reason, '', at FROM step_result WHERE journey_id = $1 ORDER BY 6, 1`, id)
	return d, err
}
