package starter

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"scrip.dev/scrip/store"
	"scrip.dev/scrip/workflows"
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
			if _, err := a.contactOf(ctx, in.Contact); err != nil {
				return nil, err
			}
			explanations, err := a.Store.Why(ctx, in.Contact, in.Campaign)
			if err != nil {
				return nil, missing(err, "Campaigns")
			}
			a.tellWhereTheyStand(ctx, explanations)
			return reply(why{in.Contact, present(explanations)})
		})
}

func killSwitchOf(state store.KillSwitch) killSwitch {
	out := killSwitch{On: state.On}
	if !state.Since.IsZero() {
		out.Since = &state.Since
	}
	return out
}

// maxAsked bounds how many workflows one explanation asks.
const maxAsked = 5

// tellWhereTheyStand adds to journeys that are inside what their workflows wait
// for, where Temporal answers.
func (a *api) tellWhereTheyStand(ctx context.Context, explanations []store.Explanation) {
	asked := 0
	for i := range explanations {
		e := &explanations[i]
		if e.Verdict != store.WhyInside || e.Reason != "" || e.Journey == "" || asked == maxAsked {
			continue
		}
		asked++
		answer, _ := a.workflowStatus(ctx, workflows.JourneyWorkflowID(e.Campaign, e.Journey))
		var status workflows.Status
		if answer == nil || json.Unmarshal(answer, &status) != nil {
			continue
		}
		switch {
		case status.Held != "":
			e.Sentence += ", held at " + status.Step + " for " + status.Held
		case status.Waiting != "":
			e.Sentence += ", waiting for " + status.Waiting
		case status.Says != "":
			e.Sentence += ", at: " + status.Says
		}
	}
}
