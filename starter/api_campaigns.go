package starter

import (
	"context"
	"net/http"

	"scrip.dev/scrip/store"
)

type CampaignName struct {
	Name string `path:"name" maxLength:"64" doc:"the campaign's name"`
}

type stateChange struct {
	Campaign string `json:"campaign"`
	State    string `json:"state" enum:"running,paused,draining,stopped"`
	Journeys int64  `json:"journeys" doc:"how many were told: those that go on, or those that end"`
}

func (a *api) campaignRoutes() {
	const tag = "Campaigns"
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/campaigns", "list-campaigns", tag, "List campaigns"),
		func(ctx context.Context, in *PageQuery) (*answer[pageOf[store.CampaignSummary]], error) {
			page, err := in.page()
			if err != nil {
				return nil, err
			}
			campaigns, err := a.Store.Campaigns(ctx, page)
			if err != nil {
				return nil, err
			}
			return reply(paged(*in, campaigns, func(c store.CampaignSummary) string { return c.Name }))
		})
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/campaigns/{name}", "show-campaign", tag, "Show a campaign: its versions, outcomes, refusals and skips"),
		func(ctx context.Context, in *CampaignName) (*answer[store.CampaignDetail], error) {
			campaign, err := a.Store.CampaignDetail(ctx, in.Name)
			if err != nil {
				return nil, err
			}
			return reply(campaign)
		})
	for _, change := range []struct{ verb, state, summary, description string }{
		{"pause", store.CampaignPaused, "Pause a campaign", "Nobody enters and due steps are held; resuming lets them go on, unless they are too late by then."},
		{"resume", store.CampaignRunning, "Resume a campaign", "Contacts enter again, held steps go on."},
		{"drain", store.CampaignDraining, "Drain a campaign", "Nobody enters any more; journeys go on to their end."},
		{"stop", store.CampaignStopped, "Stop a campaign", "All journeys end as `stopped`; codes that nobody saw go back."},
	} {
		handle(a, store.ScopeWrite, describe(op(http.MethodPost, "/v1/campaigns/{name}/"+change.verb, change.verb+"-campaign", tag, change.summary), change.description),
			func(ctx context.Context, in *CampaignName) (*answer[stateChange], error) {
				told, err := a.Store.SetCampaignState(ctx, in.Name, change.state, actor(ctx))
				if err != nil {
					return nil, err
				}
				return reply(stateChange{in.Name, change.state, told})
			})
	}
	handle(a, store.ScopeWrite, creates(describe(op(http.MethodPost, "/v1/campaigns/{name}/start", "start-campaign", tag, "Start a journey by hand"),
		"For campaigns whose trigger is `manual`. Entry rules apply as for events; `GET /v1/why` says what became of it."), http.StatusAccepted),
		func(ctx context.Context, in *struct {
			CampaignName
			Body struct {
				Contact string         `json:"contact" maxLength:"64" doc:"the contact's id"`
				Key     string         `json:"key,omitempty" maxLength:"200" doc:"the same key never enters twice; default: a new one"`
				Fields  map[string]any `json:"fields,omitempty" doc:"what the campaign reads as trigger.NAME"`
			}
		}) (*answer[accepted], error) {
			contact, err := a.contactOf(ctx, in.Body.Contact)
			if err != nil {
				return nil, err
			}
			if _, err := a.Store.CampaignDetail(ctx, in.Name); err != nil {
				return nil, err
			}
			return a.once(ctx, accepted{Accepted: 1}, func(tx *store.Tx) error {
				return a.Store.RaiseManualStart(ctx, tx, in.Name, contact.ID, in.Body.Key, in.Body.Fields)
			})
		})
}
