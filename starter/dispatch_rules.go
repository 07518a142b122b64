package starter

import (
	"context"
	"errors"
	"slices"
	"strings"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/workflows"
)

// tellJourneys finds the journeys whose rules the delivery satisfies, and tells
// each of them in one signal: which rule takes it is the workflow's to decide, and
// it needs all of them for that.
func (s *scene) tellJourneys(ctx context.Context) error {
	told := map[string]*workflows.Delivery{}
	var order []string
	for _, h := range s.happened {
		if !s.catalogue.listened[h.event.Type] {
			continue
		}
		open, err := s.concerned(ctx, h)
		if err != nil {
			return err
		}
		for _, j := range open {
			rules, err := s.satisfied(ctx, h, j)
			if err != nil {
				return err
			}
			if len(rules) == 0 {
				continue
			}
			if told[j.ID] == nil {
				told[j.ID] = &workflows.Delivery{ID: s.deliveryID}
				order = append(order, j.ID)
			}
			told[j.ID].Events = append(told[j.ID].Events, workflows.Event{ID: h.event.ID, Type: h.event.Type, Rules: rules})
		}
	}
	for _, id := range order {
		row := store.OutboxRow{JourneyID: id, Kind: store.OutboxSignal, Name: workflows.SignalEvents, Trace: s.trace}
		if err := s.Store.Enqueue(ctx, s.tx, row, told[id]); err != nil {
			return err
		}
	}
	return nil
}

// concerned gives the open journeys that the event may concern: the contact's, or
// for a code its holders', and those that share a value with it.
func (s *scene) concerned(ctx context.Context, h *happening) ([]store.OpenJourney, error) {
	var hashes [][]byte
	for _, m := range s.catalogue.matches[h.event.Type] {
		if value := campaign.Text(campaign.Lookup(h.event.Fields, m.field)); value != "" {
			hashes = append(hashes, store.MatchHash(m.campaignID, m.field, value))
		}
	}
	matched, pending, err := s.Store.Matched(ctx, s.tx, hashes)
	if err != nil {
		return nil, err
	}
	h.matched = pending
	contactIDs, err := s.contactIDs(ctx, h)
	if err != nil {
		return nil, err
	}
	return s.Store.OpenJourneys(ctx, s.tx, contactIDs, slices.Concat(h.holders, matched))
}

// contactIDs are the ids under which the contact's own journeys stand; none for
// events about codes, which concern only their holders.
func (s *scene) contactIDs(ctx context.Context, h *happening) ([]string, error) {
	if h.code {
		return nil, nil
	}
	c, err := s.contact(ctx, h.event.ContactID)
	if err != nil || c == nil {
		return nil, err
	}
	return c.IDs(), nil
}

// satisfied gives the ids of the rules of the journey's version that hold.
func (s *scene) satisfied(ctx context.Context, h *happening, j store.OpenJourney) ([]string, error) {
	version, err := s.Store.Version(ctx, s.tx, j.CampaignID, j.Version)
	var u *store.Unreadable
	if errors.As(err, &u) && !slices.ContainsFunc(u.Rules, func(r campaign.Rule) bool { return slices.Contains(r.Events, h.event.Type) }) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, rule := range version.Program.Rules {
		if !slices.Contains(rule.Events, h.event.Type) {
			continue
		}
		holds, err := s.holds(ctx, h, j, version, rule)
		if err != nil {
			return nil, err
		}
		if holds {
			ids = append(ids, rule.ID)
		}
	}
	return ids, nil
}

func (s *scene) holds(ctx context.Context, h *happening, j store.OpenJourney, version *store.Version, rule campaign.Rule) (bool, error) {
	trigger, err := s.stored(ctx, j.TriggerEventID)
	if err != nil {
		return false, err
	}
	own, err := s.owns(ctx, h, j)
	if err != nil || !reaches(h, trigger, rule.Match, own) {
		return false, err
	}
	q := question{where: rule.Where, campaign: version.Campaign.Name, event: h.event}
	if q.where != nil {
		if q.contact, err = s.contact(ctx, j.ContactID); err != nil {
			return false, err
		}
		entered, err := s.stored(ctx, j.EntryEventID)
		if err != nil {
			return false, err
		}
		key, _ := version.Campaign.EntryKey(entered.ID, entered.Fields)
		if q.data.Trigger, err = s.view(ctx, trigger, q.where); err != nil {
			return false, err
		}
		q.data.Entry = map[string]any{"key": key, "at": j.CreatedAt, "number": j.EntryNo}
		if err := s.addCodes(ctx, &q, j.ID); err != nil {
			return false, err
		}
	}
	v, err := s.ask(ctx, q)
	return v == holdsTrue, err
}

// owns says whether the event is the journey's by itself: it is about its code, or
// its contact's.
func (s *scene) owns(ctx context.Context, h *happening, j store.OpenJourney) (bool, error) {
	if h.code {
		return slices.Contains(h.holders, j.ID), nil
	}
	c, err := s.contact(ctx, h.event.ContactID)
	return c != nil && c.ID == j.ContactID, err
}

// reaches says whether an event concerns whoever entered with the trigger: a rule
// with `match` asks for an equal value, whoever's the event is; others for the
// same contact.
func reaches(h *happening, trigger *store.StoredEvent, match string, own bool) bool {
	if match == "" {
		return own
	}
	value := campaign.Text(campaign.Lookup(h.event.Fields, match))
	return value != "" && value == campaign.Text(campaign.Lookup(trigger.Fields, match))
}

// addCodes adds a journey's codes for conditions that read them.
func (s *scene) addCodes(ctx context.Context, q *question, journeyID string) error {
	if !strings.Contains(q.where.Source(), "code") {
		return nil
	}
	codes, err := s.Store.JourneyCodes(ctx, s.tx, journeyID)
	if err != nil {
		return err
	}
	q.data.Codes = map[string]any{}
	for _, c := range codes {
		q.data.Code = map[string]any{"code": c.Code, "coupon": c.Coupon, "state": c.State, "expires_at": c.ExpiresAt}
		q.data.Codes[c.Coupon] = q.data.Code
	}
	return nil
}

// exitPending removes debounced entries that an exit of their campaign applies to:
// nobody hears of a cart that was bought.
func (s *scene) exitPending(ctx context.Context) error {
	for _, h := range s.happened {
		if h.code || !s.catalogue.listened[h.event.Type] {
			continue
		}
		contactIDs, err := s.contactIDs(ctx, h)
		if err != nil {
			return err
		}
		pending, err := s.Store.PendingEntries(ctx, s.tx, contactIDs, h.matched)
		if err != nil {
			return err
		}
		for _, p := range pending {
			if err := s.exitOne(ctx, h, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *scene) exitOne(ctx context.Context, h *happening, p store.PendingEntry) error {
	e := s.catalogue.current[p.CampaignID]
	if e == nil {
		return nil
	}
	trigger, err := s.stored(ctx, p.EventID)
	if err != nil {
		return err
	}
	a := attempt{entrance: e, event: trigger, trace: p.Trace}
	if a.contact, err = s.contact(ctx, p.ContactID); err != nil {
		return err
	}
	exited, err := s.exitApplies(ctx, a, h)
	if err != nil || !exited {
		return err
	}
	if waited, err := s.Store.DeletePending(ctx, s.tx, p.ID); err != nil || !waited {
		return err
	}
	return s.refuse(ctx, a, store.RefusedMeanwhile, h.event.Type)
}
