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
		text, err := template.RenderText(s.doc.Notify[team], vars)
		if err != nil {
			a.Log.WarnContext(ctx, "a notify text can't be rendered", "journey", s.Journey, "step", s.ID, "error", err)
			continue
		}
		for i, address := range a.Project.Teams[team] {
			if err := a.notifyOne(ctx, s, fmt.Sprintf("%s/%s/%s/%d", s.Journey, s.ID, team, i), address, text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *Activities) notifyOne(ctx context.Context, s *scene, key, address, text string) error {
	known, err := a.Store.MessageByKey(ctx, a.Store.Pool, key)
	if err != nil || (known != nil && known.State != store.MessageReserved) {
		return err
	}
	outlet, ok := a.Connections.Outlet(event.ChannelEmail, "")
	m := store.Message{SendKey: key, JourneyID: s.Journey, Step: s.ID, Channel: event.ChannelEmail, Kind: "internal",
		Connection: outlet.Name, Address: address}
	if !ok || !outlet.Open(address) {
		return a.Store.SkipMessage(ctx, a.Store.Pool, m, NotLive)
	}
	begun, err := a.Store.BeginCall(ctx, m, a.limits().Attempt(), func(tx store.Tx) (bool, error) {
		return true, a.letOut(ctx, tx, s, 0, text)
	})
	if err != nil || begun == nil {
		return err
	}
	_, err = a.call(ctx, nil, begun, outlet, integrations.Message{
		Subject: "Scrip: " + s.journey.Campaign, Text: text, HTML: template.TextAsHTML(text),
	})
	return err
}
