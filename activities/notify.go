package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/template"
)

// Notify writes to teams of our own, over the project's e-mail connection. It
// goes through the same ledger as messages to people, so a retry doesn't write
// twice; what can't be sent is skipped and never stops a journey.
func (a *Activities) Notify(ctx context.Context, step Step) (Result, error) {
	return a.perform(ctx, "notifying a team", step, func(s *scene) (Result, error) {
		return Result{Status: Done}, a.notify(ctx, s)
	})
}

func (a *Activities) notify(ctx context.Context, s *scene) error {
	vars, err := a.variables(ctx, s)
	if err != nil {
		return err
	}
	for _, team := range slices.Sorted(maps.Keys(s.doc.Notify)) {
		addresses := a.Project.Teams[team]
		if len(addresses) == 0 {
			addresses = []string{""} // skipped below, and said so
		}
		text, broken := template.RenderText(s.doc.Notify[team], vars)
		if broken != nil {
			a.Log.WarnContext(ctx, "a notify text can't be rendered", "journey", s.Journey, "step", s.ID, "error", broken)
		}
		for i, address := range addresses {
			n := notice{key: fmt.Sprintf("%s/%s/%s/%d", s.Journey, s.ID, team, i), address: address, text: text, broken: broken != nil}
			if err := a.notifyOne(ctx, s, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// notice is one message to one member of a team.
type notice struct {
	key, address, text string
	broken             bool // its text can't be rendered
}

func (a *Activities) notifyOne(ctx context.Context, s *scene, n notice) error {
	known, err := a.Store.MessageByKey(ctx, a.Store.Pool, n.key)
	if err != nil {
		return err
	}
	if known != nil && known.State == store.MessageCalling {
		return a.lapse(ctx, known)
	}
	if known != nil && known.State != store.MessageReserved {
		return nil
	}
	outlet, ok := a.Connections.Outlet(event.ChannelEmail, "")
	m := store.Message{SendKey: n.key, JourneyID: s.Journey, Step: s.ID, Channel: event.ChannelEmail, Kind: "internal",
		Connection: outlet.Name, Address: n.address}
	reason := ""
	switch {
	case n.broken:
		reason = RenderError
	case n.address == "":
		reason = NoAddress
	case !ok:
		reason = NoConnection
	default:
		reason = outlet.Guard(n.address)
	}
	if reason != "" {
		a.Observe.Skipped(m.Channel, reason)
		return a.Store.SkipMessage(ctx, a.Store.Pool, m, reason)
	}
	begun, err := a.Store.BeginCall(ctx, m, a.limits().Attempt(), func(tx store.Tx) (bool, error) {
		return true, a.letOut(ctx, tx, s, 0, n.text)
	})
	if err != nil || begun == nil {
		return err
	}
	_, err = a.call(ctx, nil, begun, outlet, integrations.Message{
		Subject: "Scrip: " + s.journey.Campaign, Text: n.text, HTML: template.TextAsHTML(n.text),
	})
	return err
}

// lapse looks at a notice whose attempt never reported. Once nobody can be making
// it any more it stands on the list of those whose outcome nobody knows; the
// journey doesn't wait for that.
func (a *Activities) lapse(ctx context.Context, m *store.Message) error {
	if rest := m.Left(); rest > 0 {
		return again(ErrorUnderWay, "another attempt is under way", rest)
	}
	moved, err := a.Store.EndCall(ctx, m, store.Outcome{State: store.MessageUnknown, Reason: UnknownOutcome})
	if moved {
		a.Observe.Sent(m.Channel, m.Connection, store.MessageUnknown)
	}
	return err
}
