package starter

import (
	"context"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/workflows"
)

// attempt is one contact about to enter one campaign.
type attempt struct {
	*entrance
	event   *store.StoredEvent
	contact *store.Contact
	key     []byte
	trace   string
}

// trigger offers each event to the campaigns that it starts.
func (s *scene) trigger(ctx context.Context) error {
	for _, h := range s.happened {
		for _, u := range s.catalogue.unreadable[h.event.Type] {
			if h.event.Type == store.ManualStart && h.event.Fields["campaign"] != u.DispatchCampaign.Name {
				continue
			}
			if err := s.refuse(ctx, attempt{entrance: &entrance{DispatchCampaign: u.DispatchCampaign}, event: h.event}, store.RefusedUnreadable, ""); err != nil {
				return err
			}
		}
		for _, e := range s.catalogue.triggers[h.event.Type] {
			if h.event.Type == store.ManualStart && h.event.Fields["campaign"] != e.Name {
				continue
			}
			if err := s.offer(ctx, attempt{entrance: e, event: h.event, trace: s.trace}); err != nil {
				return err
			}
		}
	}
	return nil
}

// offer lets somebody in, puts the entry off for its debounce, or refuses it.
func (s *scene) offer(ctx context.Context, a attempt) error {
	subject, err := s.subject(ctx, a)
	if err != nil {
		return err
	}
	if subject == nil {
		if a.event.Token != "" {
			return nil // stored; looked at again when the token gets a person
		}
		return s.refuse(ctx, a, store.RefusedNoContact, "")
	}
	a.contact = subject
	if subject.Erased { // a code that the person held tells of itself still
		return s.refuse(ctx, a, store.RefusedErased, "")
	}
	key, hasKey := a.version.Campaign.EntryKey(a.event.ID, a.event.Fields)
	a.key = store.EntryKey(key)
	if quiet := a.version.Campaign.Trigger.Debounce; quiet > 0 && hasKey {
		return s.putOff(ctx, a, quiet)
	}
	reason, err := s.qualifies(ctx, a)
	if err == nil && reason == "" && !hasKey {
		reason = store.RefusedNoKey
	}
	if err != nil || reason != "" {
		return s.refuseUnless(ctx, err, a, reason)
	}
	reason, err = s.admit(ctx, a)
	return s.refuseUnless(ctx, err, a, reason)
}

// putOff writes or renews a debounced entry. Whatever the newest event says
// replaces what stands there; the campaign's `where` is asked again at the end.
func (s *scene) putOff(ctx context.Context, a attempt, quiet time.Duration) error {
	known, err := s.Store.Entered(ctx, s.tx, a.ID, a.contact, a.key)
	if err != nil {
		return err
	}
	if known.PendingID == 0 {
		reason, err := s.qualifies(ctx, a)
		if err == nil && reason == "" && known.SameKey && !s.updates(a, known) {
			reason = store.RefusedEntered
		}
		if err == nil && reason == "" {
			reason, err = s.exitedBefore(ctx, a)
		}
		if err != nil || reason != "" {
			return s.refuseUnless(ctx, err, a, reason)
		}
	}
	return s.Store.PutPending(ctx, s.tx, a.entry(), s.Clock.Shorten(quiet), s.Clock.Shorten(store.MaxDebounce))
}

// subject is whose journey it would be: the event's contact, or the one that the
// trigger's `contact` points at.
func (s *scene) subject(ctx context.Context, a attempt) (*store.Contact, error) {
	path := a.version.Campaign.Trigger.Contact
	if path == "" {
		return s.contact(ctx, a.event.ContactID)
	}
	value := campaign.Text(campaign.Lookup(a.event.Fields, path))
	if value == "" {
		return nil, nil
	}
	for _, realm := range []string{a.event.Connection, store.ConnectionScrip} {
		id, err := s.Store.ContactByIdentity(ctx, s.tx, realm, event.Identity{Kind: event.External, Realm: realm, Value: value})
		if err != nil || id != "" {
			if err != nil {
				return nil, err
			}
			return s.contact(ctx, id)
		}
	}
	return nil, nil
}

// qualifies asks the trigger's `where` and the campaign's state.
func (s *scene) qualifies(ctx context.Context, a attempt) (reason string, err error) {
	v, err := s.ask(ctx, question{where: a.version.Campaign.Trigger.Where, campaign: a.Name, contact: a.contact, event: a.event})
	switch {
	case err != nil:
		return "", err
	case v == broken:
		return store.RefusedExpression, nil
	case v == untrue:
		return store.RefusedWhere, nil
	case a.State != "running":
		return a.State, nil // paused, draining and stopped are reasons as they are
	}
	return "", nil
}

// admit applies the campaign's entry policy and writes the journey.
func (s *scene) admit(ctx context.Context, a attempt) (reason string, err error) {
	known, err := s.Store.Entered(ctx, s.tx, a.ID, a.contact, a.key)
	if err != nil {
		return "", err
	}
	policy := a.version.Campaign.Entry
	switch {
	case s.updates(a, known):
		return "", s.update(ctx, a, known)
	case known.SameKey:
		return store.RefusedEntered, nil
	case len(known.Open) > 0 && policy.WhileInside != campaign.Restart && policy.WhileInside != campaign.Parallel:
		return store.RefusedInside, nil
	case policy.Cooldown > 0 && known.Entries > 0 && known.Since < s.Clock.Shorten(policy.Cooldown):
		return store.RefusedCooldown, nil
	}
	if reason, err = s.exitedBefore(ctx, a); err != nil || reason != "" {
		return reason, err
	}
	if policy.WhileInside == campaign.Restart {
		for _, id := range known.Open {
			if err := s.Store.EnqueueSignal(ctx, s.tx, id, workflows.SignalExit, workflows.ExitRequest{Outcome: campaign.OutcomeRestarted}); err != nil {
				return "", err
			}
		}
	}
	if _, err := s.Store.Enter(ctx, s.tx, a.entry()); err != nil {
		return "", err
	}
	s.later(s.Metrics.Entries.WithLabelValues(a.Name).Inc)
	return "", nil
}

// updates says whether the event becomes the trigger of a journey that is under
// way instead of starting one.
func (s *scene) updates(a attempt, known store.Entered) bool {
	return a.version.Campaign.Entry.WhileInside == campaign.Update && len(known.Open) > 0 && (!known.SameKey || known.SameKeyOpen != "")
}

func (s *scene) update(ctx context.Context, a attempt, known store.Entered) error {
	id := known.SameKeyOpen
	if id == "" {
		id = known.Open[len(known.Open)-1]
	}
	if err := s.Store.SetTrigger(ctx, s.tx, id, a.event.ID, a.entry().Matches); err != nil {
		return err
	}
	return s.Store.EnqueueSignal(ctx, s.tx, id, workflows.SignalTrigger, map[string]string{"event": a.event.ID})
}

// entry is the attempt as it is written, with the values by which other people's
// events find it.
func (a attempt) entry() store.Entry {
	e := store.Entry{
		CampaignID: a.ID, Version: a.Version, ContactID: a.contact.ID, Key: a.key, EventID: a.event.ID, Trace: a.trace, Matches: [][]byte{},
	}
	seen := map[string]bool{}
	for _, rule := range a.version.Program.Rules {
		value := campaign.Text(campaign.Lookup(a.event.Fields, rule.Match))
		if rule.Match == "" || value == "" || seen[rule.Match] {
			continue
		}
		seen[rule.Match] = true
		e.Matches = append(e.Matches, store.MatchHash(a.ID, rule.Match, value))
	}
	return e
}

// refuse records an entry that doesn't happen.
func (s *scene) refuse(ctx context.Context, a attempt, reason, detail string) error {
	r := store.Refusal{CampaignID: a.ID, ContactID: a.event.ContactID, EventID: a.event.ID, Reason: reason, Detail: detail}
	if a.contact != nil {
		r.ContactID = a.contact.ID
	}
	s.later(s.Metrics.Refusals.WithLabelValues(a.Name, reason).Inc)
	return s.Store.Refuse(ctx, s.tx, r)
}

func (s *scene) refuseUnless(ctx context.Context, err error, a attempt, reason string) error {
	if err != nil || reason == "" {
		return err
	}
	return s.refuse(ctx, a, reason, "")
}
