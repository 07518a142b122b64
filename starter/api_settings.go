package starter

import (
	"context"
	"net/http"
	"time"

	"scrip.dev/scrip/store"
)

type killSwitch struct {
	On    bool       `json:"on" doc:"all marketing messages are held"`
	Since *time.Time `json:"since,omitempty"`
}

type why struct {
	Contact      string              `json:"contact"`
	Explanations []store.Explanation `json:"explanations"`
}

func (a *api) settingRoutes() {
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/kill-switch", "show-kill-switch", "Operation", "Is marketing held?"),
		func(ctx context.Context, _ *struct{}) (*answer[killSwitch], error) {
			state, err := a.Store.KillSwitch(ctx)
			if err != nil {
				return nil, err
			}
			return reply(killSwitchOf(state))
		})
	handle(a, store.ScopeAdmin, describe(op(http.MethodPut, "/v1/kill-switch", "set-kill-switch", "Operation", "Hold all marketing messages, or let them go on"),
		"Transactional messages go out all the same. Held messages go out once it is off, unless they are too late by then."),
		func(ctx context.Context, in *struct {
			Body struct {
				On bool `json:"on"`
			}
		}) (*answer[killSwitch], error) {
			state, err := a.Store.SetKillSwitch(ctx, in.Body.On, actor(ctx))
			if err != nil {
				return nil, err
			}
			return reply(killSwitchOf(state))
		})
	handle(a, store.ScopeRead, describe(op(http.MethodGet, "/v1/why", "why", "Operation", "Why did or didn't a contact enter, and what was not sent?"),
		"One sentence for each journey, waiting entry, refused entry and message that was not sent; also for campaigns that nothing of the contact ever reached."),
		func(ctx context.Context, in *struct {
			Contact  string `query:"contact" required:"true" maxLength:"64" doc:"the contact's id"`
			Campaign string `query:"campaign" maxLength:"64" doc:"only this one"`
		}) (*answer[why], error) {
			explanations, err := a.Store.Why(ctx, in.Contact, in.Campaign)
			if err != nil {
				return nil, err
			}
			if explanations == nil {
				explanations = []store.Explanation{}
			}
			return reply(why{in.Contact, explanations})
		})
}

func killSwitchOf(state store.KillSwitch) killSwitch {
	out := killSwitch{On: state.On}
	if !state.Since.IsZero() {
		out.Since = &state.Since
	}
	return out
}
