package starter

import (
	"context"
	"slices"
	"strings"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/store"
)

// exitedBefore looks whether an exit of the campaign applied already: vendors'
// order is not the order in which things happened, so a cart's last update may
// come in after the order that it became. Events of the trigger's own webhook
// don't count; they happened together with it.
func (s *scene) exitedBefore(ctx context.Context, a attempt) (reason string, err error) {
	for _, exit := range a.version.Campaign.Exits {
		want := store.EventsSince{Types: withoutCodes(exit.Events), At: a.event.OccurredAt, ContactID: a.contact.ID}
		if len(want.Types) == 0 {
			continue
		}
		if exit.Match != "" {
			want.Field = strings.TrimPrefix(exit.Match, "event.")
			if want.Value = campaign.Text(campaign.Lookup(a.event.Fields, exit.Match)); want.Value == "" {
				continue
			}
		}
		events, err := s.Store.EventsSince(ctx, s.tx, want)
		if err != nil {
			return "", err
		}
		for _, e := range events {
			if e.ID == a.event.ID || e.DeliveryID == a.event.DeliveryID {
				continue
			}
			holds, err := s.exitHolds(ctx, a, exit, &happening{event: e})
			if err != nil {
				return "", err
			}
			if holds {
				return store.RefusedExited, nil
			}
		}
	}
	return "", nil
}

// withoutCodes leaves out what can't concern somebody who holds no code yet.
func withoutCodes(types []string) []string {
	return slices.DeleteFunc(slices.Clone(types), func(t string) bool { return strings.HasPrefix(t, "code.") })
}

// exitApplies says whether one of the campaign's exits takes an event.
func (s *scene) exitApplies(ctx context.Context, a attempt, h *happening) (bool, error) {
	for _, exit := range a.version.Campaign.Exits {
		if !slices.Contains(exit.Events, h.event.Type) {
			continue
		}
		holds, err := s.exitHolds(ctx, a, exit, h)
		if err != nil || holds {
			return holds, err
		}
	}
	return false, nil
}

func (s *scene) exitHolds(ctx context.Context, a attempt, exit campaign.ExitDoc, h *happening) (bool, error) {
	c, err := s.contact(ctx, h.event.ContactID)
	if err != nil || !reaches(h, a.event, exit.Match, c != nil && c.ID == a.contact.ID) {
		return false, err
	}
	q := question{where: exit.Where, campaign: a.Name, contact: a.contact, event: h.event}
	key, _ := a.version.Campaign.EntryKey(a.event.ID, a.event.Fields)
	if exit.Where != nil {
		if q.data.Trigger, err = s.view(ctx, a.event, exit.Where); err != nil {
			return false, err
		}
	}
	q.data.Entry = map[string]any{"key": key, "at": s.now, "number": 1}
	v, err := s.ask(ctx, q)
	return v == holdsTrue, err
}
