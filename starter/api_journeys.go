package starter

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"scrip.dev/scrip/store"
	"scrip.dev/scrip/workflows"
)

type JourneyID struct {
	ID string `path:"id" maxLength:"64" doc:"the journey's id"`
}

// journeyAnswer is a journey with what its workflow says of itself.
type journeyAnswer struct {
	store.JourneyDetail
	Status json.RawMessage `json:"status,omitempty" doc:"where the workflow stands, asked from Temporal; absent where it can't be reached"`
	Note   string          `json:"note,omitempty" doc:"why status is absent"`
}

// statusTimeout is how long a journey's worker may take to answer.
const statusTimeout = 3 * time.Second

type signalBody struct {
	Signal  string        `json:"signal" enum:"redeemed,applied,exit,skip,pause,resume" doc:"what a person may say"`
	Payload signalPayload `json:"payload,omitzero" doc:"redeemed: {\"order\": \"1001\"}; exit: {\"outcome\": \"stopped\"}"`
}

// signalPayload travels through histories, so it takes an id and a label and
// nothing that could be somebody's data.
type signalPayload struct {
	Order   string `json:"order,omitempty" pattern:"^[A-Za-z0-9#][A-Za-z0-9#._:/-]{0,63}$" doc:"the shop's id of the order"`
	Outcome string `json:"outcome,omitempty" pattern:"^[a-z][a-z0-9_]{0,63}$" doc:"what the journey ends as; default: stopped"`
}

func (a *api) journeyRoutes() {
	const tag = "Journeys"
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/journeys", "list-journeys", tag, "List journeys, the newest first"),
		func(ctx context.Context, in *struct {
			PageQuery
			Campaign string `query:"campaign" maxLength:"64"`
			Contact  string `query:"contact" maxLength:"64"`
			State    string `query:"state" enum:"pending,running,parked,ended"`
			Outcome  string `query:"outcome" maxLength:"64"`
		}) (*answer[pageOf[store.JourneySummary]], error) {
			page, err := in.page()
			if err != nil {
				return nil, err
			}
			journeys, err := a.Store.Journeys(ctx, store.JourneyFilter{Campaign: in.Campaign, Contact: in.Contact, State: in.State, Outcome: in.Outcome}, page)
			if err != nil {
				return nil, err
			}
			return reply(paged(in.PageQuery, journeys, func(j store.JourneySummary) string { return j.ID }))
		})
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/journeys/{id}", "show-journey", tag, "Show a journey: codes, steps, and where it stands"),
		func(ctx context.Context, in *JourneyID) (*answer[journeyAnswer], error) {
			journey, err := a.Store.Journey(ctx, a.Store.Pool, in.ID)
			if err != nil {
				return nil, err
			}
			// The workflow is asked first: its answer may take a while, and what it has
			// done by then has to stand in the rest.
			var out journeyAnswer
			if journey.State != "ended" {
				out.Status, out.Note = a.workflowStatus(ctx, workflows.JourneyWorkflowID(journey.Campaign, journey.ID))
			}
			if out.JourneyDetail, err = a.Store.JourneyDetail(ctx, in.ID); err != nil {
				return nil, err
			}
			if out.State == "ended" {
				out.Status, out.Note = nil, ""
			}
			return reply(out)
		})
	handle(a, store.ScopeWrite, creates(describe(op(http.MethodPost, "/v1/journeys/{id}/signal", "signal-journey", tag, "Tell a journey something"),
		"The same as signalling the workflow by hand: it reaches the journey after everything that came in before."), http.StatusAccepted),
		func(ctx context.Context, in *struct {
			JourneyID
			Body signalBody
		}) (*answer[accepted], error) {
			return a.signal(ctx, in.ID, in.Body.Signal, in.Body.Payload)
		})
	handle(a, store.ScopeWrite, creates(describe(op(http.MethodPost, "/v1/journeys/{id}/cancel", "cancel-journey", tag, "End a journey"),
		"It ends as `stopped`; codes that nobody saw go back."), http.StatusAccepted),
		func(ctx context.Context, in *JourneyID) (*answer[accepted], error) {
			return a.signal(ctx, in.ID, "exit", signalPayload{Outcome: "stopped"})
		})
}

func (a *api) signal(ctx context.Context, id, name string, payload signalPayload) (*answer[accepted], error) {
	journey, err := a.Store.Journey(ctx, a.Store.Pool, id)
	if err != nil {
		return nil, err
	}
	if journey.State == "ended" {
		return nil, problem(http.StatusConflict, "journey_over", "the journey ended as %s; there is nobody to tell", journey.Outcome)
	}
	return a.once(ctx, accepted{Accepted: 1}, func(tx *store.Tx) error {
		if err := a.Store.EnqueueSignal(ctx, tx, id, name, payload); err != nil {
			return err
		}
		return store.Audit(ctx, tx, actor(ctx), "journey."+name, id, nil)
	})
}

// workflowStatus asks the workflow itself; it says why where nobody answers.
func (a *api) workflowStatus(ctx context.Context, workflow string) (json.RawMessage, string) {
	if a.Temporal == nil {
		return nil, "Temporal is not configured here"
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	value, err := a.Temporal.QueryWorkflow(ctx, workflow, "", "status")
	if err != nil {
		return nil, "Temporal or its worker did not answer; check that both run"
	}
	var status json.RawMessage
	if err := value.Get(&status); err != nil {
		return nil, "the workflow's answer could not be read"
	}
	return status, ""
}
