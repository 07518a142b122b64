package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

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
	notices, err := a.notices(ctx, s)
	if err != nil {
		return err
	}
	for _, n := range notices {
		if err := a.notifyOne(ctx, s, n); err != nil {
			return err
		}
	}
	return nil
}

// notice is one message to one member of a team.
type notice struct {
	key, address, text string
	broken             bool // its text can't be rendered
}

// notices are what a step has to say, with a key for each member of each team.
func (a *Activities) notices(ctx context.Context, s *scene) ([]notice, error) {
	vars, err := a.variables(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	var all []notice
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
			all = append(all, notice{key: fmt.Sprintf("%s/%s/%s/%d", s.Journey, s.ID, team, i), address: address, text: text, broken: broken != nil})
		}
	}
	return all, nil
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
	begun, err := a.Store.BeginCall(ctx, m, a.limits().Attempt(), func(tx *store.Tx) (bool, error) {
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

// lapse looks at a message whose attempt never reported. Once nobody can be making it
// any more it stands on the list of those whose outcome nobody knows; no journey waits
// for that.
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

const (
	noticeBatch = 50              // notices that one round of upkeep looks at
	noticeTime  = 5 * time.Second // after which it begins no other: the round has a time-out
)

// notifyAgain sends the notices that a person wants sent again: their steps are done,
// their journeys may be over. What isn't taken this time has its turn in a later round.
func (a *Activities) notifyAgain(ctx context.Context) (int, error) {
	waiting, err := a.Store.NoticesToSend(ctx, noticeBatch)
	if err != nil {
		return 0, err
	}
	sent, began := 0, time.Now()
	var errs []error
	for _, m := range waiting {
		if time.Since(began) > noticeTime {
			break
		}
		done, err := a.notifyOnceMore(ctx, m)
		if done && err == nil {
			sent++
		}
		errs = append(errs, notForLater(err))
	}
	return sent, errors.Join(errs...)
}

// notifyOnceMore returns false where it sent nothing.
func (a *Activities) notifyOnceMore(ctx context.Context, m *store.Message) (bool, error) {
	s, err := a.look(ctx, Step{Journey: m.JourneyID, ID: m.Step, Index: byID})
	if err != nil || s.journey.CampaignState == "paused" {
		return false, err
	}
	notices, err := a.notices(ctx, s)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(notices, func(n notice) bool { return n.key == m.SendKey })
	if i < 0 { // nobody stands at this place of the team any more
		return false, a.Store.SkipMessage(ctx, a.Store.Pool, *m, NoAddress)
	}
	return m.State == store.MessageReserved, a.notifyOne(ctx, s, notices[i])
}
