package store

import (
	"context"
	"fmt"
	"time"
)

// Verdicts of an Explanation.
const (
	WhyInside  = "inside"
	WhyEnded   = "ended"
	WhyWaiting = "waiting"
	WhyRefused = "refused"
	WhySkipped = "skipped"
	WhyNever   = "never"
)

// Explanation is one sentence about a contact and a campaign.
type Explanation struct {
	Campaign string    `json:"campaign"`
	Verdict  string    `json:"verdict" enum:"inside,ended,waiting,refused,skipped,never"`
	Reason   string    `json:"reason,omitempty" doc:"the stable word for it"`
	Sentence string    `json:"sentence"`
	Journey  string    `json:"journey,omitempty"`
	At       time.Time `json:"at,omitzero"`
}

// explainLimit is how many rows of each kind are told, the newest ones.
const explainLimit = 50

// Why explains what a contact's campaigns did and didn't do; campaign "" means
// all. The error wraps ErrNotFound where there is no such contact or campaign.
func (s *Store) Why(ctx context.Context, contactID, campaign string) ([]Explanation, error) {
	contact, err := s.Contact(ctx, s.Pool, contactID)
	if err != nil {
		return nil, err
	}
	if campaign != "" {
		var exists bool
		if err := s.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM campaign WHERE name = $1)`, campaign).Scan(&exists); err != nil {
			return nil, fmt.Errorf("looking for campaign %s: %w", campaign, err)
		}
		if !exists {
			return nil, fmt.Errorf("looking for campaign %s: %w", campaign, ErrNotFound)
		}
	}
	var found []Explanation
	for _, explain := range []func(context.Context, *Contact, string) ([]Explanation, error){s.whyJourneys, s.whyWaiting, s.whyRefused, s.whySkipped, s.whyNotDone} {
		some, err := explain(ctx, contact, campaign)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	never, err := s.whyNever(ctx, contact.ID, campaign, found)
	return append(found, never...), err
}

func (s *Store) whyJourneys(ctx context.Context, contact *Contact, campaign string) ([]Explanation, error) {
	journeys, err := s.Journeys(ctx, JourneyFilter{Campaign: campaign, Contact: contact.ID}, Page{Limit: explainLimit})
	explanations := make([]Explanation, len(journeys))
	for i, j := range journeys {
		e := Explanation{Campaign: j.Campaign, Verdict: WhyInside, Journey: j.ID, At: j.EnteredAt}
		entered := fmt.Sprintf("entered version %d", j.Version)
		switch j.State {
		case "pending":
			e.Sentence = entered + "; the journey is handed to Temporal as soon as Temporal answers"
		case "parked":
			e.Reason = j.ParkedReason
			e.Sentence = fmt.Sprintf("%s and is parked at %s: %s", entered, j.ParkedStep, sentenceOf(parkedSentences, j.ParkedReason))
		case "ended":
			e.Verdict, e.Reason, e.At = WhyEnded, j.Outcome, *j.EndedAt
			e.Sentence = fmt.Sprintf("%s and ended as %s", entered, j.Outcome)
			if words := outcomeSentences[j.Outcome]; words != "" {
				e.Sentence += ": " + words
			}
		default:
			e.Sentence = entered + " and is inside"
			waiting, err := s.eventsWaiting(ctx, j.ID)
			if err != nil {
				return nil, err
			}
			if waiting {
				e.Reason = "events_waiting"
				e.Sentence += "; events that were accepted are still on their way to it, and no message goes before they arrive: `scrip doctor` says whether a starter dispatches"
			}
		}
		explanations[i] = e
	}
	return explanations, err
}

func (s *Store) whyWaiting(ctx context.Context, contact *Contact, campaign string) ([]Explanation, error) {
	type entry struct {
		Campaign, State string
		FirstAt, Due    time.Time
	}
	entries, err := list[entry](ctx, s.Pool, "waiting entries", `SELECT c.name, c.state, p.first_at, p.due_at FROM pending_entry p JOIN campaign c ON c.id = p.campaign_id
		WHERE p.contact_id = $1 AND ($2 = '' OR c.name = $2) ORDER BY p.due_at LIMIT $3`, contact.ID, campaign, explainLimit)
	explanations := make([]Explanation, len(entries))
	for i, p := range entries {
		explanations[i] = Explanation{Campaign: p.Campaign, Verdict: WhyWaiting, Reason: "debounce", At: p.FirstAt,
			Sentence: "waits out its debounce: it enters at " + p.Due.UTC().Format(time.RFC3339) + " unless another event comes or an exit applies before"}
		if p.State == CampaignPaused {
			explanations[i].Sentence += "; it waits on while the campaign is paused"
		}
	}
	return explanations, err
}

func (s *Store) whyRefused(ctx context.Context, contact *Contact, campaign string) ([]Explanation, error) {
	type refusal struct {
		Campaign, Reason, Detail, Event string
		At                              time.Time
	}
	refusals, err := list[refusal](ctx, s.Pool, "refusals", `SELECT c.name, r.reason, r.detail, coalesce(e.type, ''), r.at
		FROM refusal r JOIN campaign c ON c.id = r.campaign_id LEFT JOIN event e ON e.id = r.event_id
		WHERE r.contact_id = $1 AND ($2 = '' OR c.name = $2) ORDER BY r.id DESC LIMIT $3`, contact.ID, campaign, explainLimit)
	explanations := make([]Explanation, len(refusals))
	for i, r := range refusals {
		sentence := sentenceOf(refusalSentences, r.Reason)
		if r.Event != "" {
			sentence = r.Event + " did not start it: " + sentence
		}
		if r.Detail != "" {
			sentence += " (" + r.Detail + ")"
		}
		explanations[i] = Explanation{Campaign: r.Campaign, Verdict: WhyRefused, Reason: r.Reason, Sentence: sentence, At: r.At}
	}
	return explanations, err
}

func (s *Store) whySkipped(ctx context.Context, contact *Contact, campaign string) ([]Explanation, error) {
	type skip struct {
		Campaign, Journey, Step, Channel, State, Reason string
		At                                              time.Time
	}
	skips, err := list[skip](ctx, s.Pool, "messages", `SELECT c.name, j.id, m.step, m.channel, m.state, m.reason, m.updated_at
		FROM message m JOIN journey j ON j.id = m.journey_id JOIN campaign c ON c.id = j.campaign_id
		WHERE j.contact_id = ANY ($1) AND ($2 = '' OR c.name = $2)
		AND (m.state IN ('skipped', 'refused', 'unknown', 'parked') OR m.state = 'reserved' AND m.attempt > 0)
		ORDER BY m.id DESC LIMIT $3`, contact.IDs(), campaign, explainLimit)
	explanations := make([]Explanation, len(skips))
	for i, m := range skips {
		explanations[i] = Explanation{Campaign: m.Campaign, Verdict: WhySkipped, Reason: m.Reason, Journey: m.Journey, At: m.At,
			Sentence: fmt.Sprintf("%s was not sent by %s: %s", m.Step, m.Channel, sentenceOf(skipSentences, m.Reason))}
		if m.State == MessageUnknown || m.State == MessageParked {
			explanations[i].Sentence = fmt.Sprintf("nobody knows whether the %s of %s was sent; settle it with `scrip unknown resolve`", m.Channel, m.Step)
		}
		if m.State == MessageReserved {
			explanations[i].Sentence = fmt.Sprintf("%s was not taken by the vendor of %s yet; it is tried again. The activity that waits in the Temporal UI and the log say why", m.Step, m.Channel)
		}
	}
	return explanations, err
}

// whyNotDone tells of steps besides messages that were not done.
func (s *Store) whyNotDone(ctx context.Context, contact *Contact, campaign string) ([]Explanation, error) {
	type step struct {
		Campaign, Journey, Step, Reason string
		At                              time.Time
	}
	steps, err := list[step](ctx, s.Pool, "results of steps", `SELECT c.name, j.id, r.step, r.reason, r.at
		FROM step_result r JOIN journey j ON j.id = r.journey_id JOIN campaign c ON c.id = j.campaign_id
		WHERE j.contact_id = ANY ($1) AND r.status <> 'done' AND ($2 = '' OR c.name = $2) ORDER BY r.at DESC LIMIT $3`, contact.IDs(), campaign, explainLimit)
	explanations := make([]Explanation, len(steps))
	for i, r := range steps {
		explanations[i] = Explanation{Campaign: r.Campaign, Verdict: WhySkipped, Reason: r.Reason, Journey: r.Journey, At: r.At,
			Sentence: fmt.Sprintf("%s was not done: %s", r.Step, sentenceOf(skipSentences, r.Reason))}
	}
	return explanations, err
}

// whyNever tells of campaigns that nothing of the contact ever reached.
func (s *Store) whyNever(ctx context.Context, contact, campaign string, told []Explanation) ([]Explanation, error) {
	known := map[string]bool{}
	for _, e := range told {
		known[e.Campaign] = true
	}
	type candidate struct {
		ID          int64
		Name, State string
		Version     int
	}
	candidates, err := list[candidate](ctx, s.Pool, "campaigns", `SELECT id, name, state, version_no FROM campaign
		WHERE version_no > 0 AND ($1 = '' OR name = $1) ORDER BY name`, campaign)
	if err != nil {
		return nil, err
	}
	var explanations []Explanation
	for _, c := range candidates {
		if known[c.Name] {
			continue
		}
		version, err := s.Version(ctx, s.Pool, c.ID, c.Version)
		if err != nil {
			return nil, err
		}
		e := Explanation{Campaign: c.Name, Verdict: WhyNever, Reason: "no_event"}
		trigger := version.Campaign.Trigger
		var last *time.Time
		if err := s.Pool.QueryRow(ctx, `SELECT max(occurred_at) FROM event WHERE contact_id = $1 AND type = ANY ($2)`, contact, trigger.Events).Scan(&last); err != nil {
			return nil, fmt.Errorf("looking for a contact's events: %w", err)
		}
		switch {
		case trigger.Manual:
			e.Sentence = "starts by hand only, and nobody started it for this contact"
		case last == nil:
			e.Sentence = fmt.Sprintf("never entered: no %s of this contact has come in", alternatives(trigger.Events))
		default:
			e.Reason, e.At = "before", *last
			e.Sentence = fmt.Sprintf("never entered: the contact's last %s came before the campaign was applied or was imported as history", alternatives(trigger.Events))
		}
		if c.State != CampaignRunning {
			e.Sentence += "; besides, the campaign is " + c.State
		}
		explanations = append(explanations, e)
	}
	return explanations, nil
}
