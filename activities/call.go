package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/template"
)

// callAttempts bounds the tries of a `call` whose system is away; then the
// step's else is taken.
const callAttempts = 10

// Call asks another system and keeps its JSON answer for later conditions. A
// request whose answer doesn't come, or is no word about it, is repeated: what the
// campaign writes into it has to tell the other system that it is the same.
func (a *Activities) Call(ctx context.Context, step Step) (Result, error) {
	return a.perform(ctx, "calling another system", step, func(s *scene) (Result, error) { return a.callOut(ctx, s) })
}

func (a *Activities) callOut(ctx context.Context, s *scene) (Result, error) {
	results, err := a.Store.StepResults(ctx, a.Store.Pool, s.Journey)
	if err != nil {
		return Result{}, err
	}
	if known, ok := results[s.ID]; ok {
		return Result{Status: known.Status, Reason: known.Reason}, nil
	}
	answer, err := a.request(ctx, s)
	result := store.StepResult{Status: Done, JSON: answer}
	if err != nil {
		var vendor *integrations.Error
		var broken *renderError
		var missing *unconfigured
		last := activity.GetInfo(ctx).Attempt >= callAttempts
		switch {
		case errors.As(err, &broken):
			result = store.StepResult{Status: Failed, Reason: RenderError}
		case errors.As(err, &missing):
			result = store.StepResult{Status: Failed, Reason: NoConnection}
		case !errors.As(err, &vendor):
			return Result{}, err
		case vendor.Class == integrations.Invalid || vendor.Class == integrations.Auth || last:
			result = store.StepResult{Status: Failed, Reason: VendorRefused}
		case vendor.RetryAfter > 0:
			return Result{}, again(ErrorNotAccepted, "the other system asks to wait", vendor.RetryAfter)
		default:
			return Result{}, err
		}
	}
	if err := a.Store.SaveStepResult(ctx, s.Journey, s.ID, result); err != nil {
		return Result{}, err
	}
	return Result{Status: result.Status, Reason: result.Reason}, nil
}

func (a *Activities) request(ctx context.Context, s *scene) (any, error) {
	doc := s.doc.Call
	caller, ok := a.Connections.Caller(doc.Connection)
	if !ok {
		return nil, &unconfigured{doc.Connection}
	}
	vars, err := a.variables(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	path, err := template.RenderText(doc.Path, vars)
	if err != nil {
		return nil, &renderError{err}
	}
	body, err := renderJSON(doc.JSON, vars)
	if err != nil {
		return nil, &renderError{err}
	}
	if err := a.letOut(ctx, a.Store.Pool, s, 0, textOfCall(path, body)); err != nil {
		return nil, err
	}
	return caller.Call(ctx, doc.Method, path, body)
}

// unconfigured is a connection that the worker's scrip.yaml doesn't have.
type unconfigured struct{ connection string }

func (u *unconfigured) Error() string { return "there is no connection " + u.connection }

// renderJSON renders the strings inside a JSON value; its shape stays as written.
func renderJSON(value any, vars map[string]any) (any, error) {
	switch v := value.(type) {
	case string:
		return template.RenderText(v, vars)
	case map[string]any:
		if v == nil {
			return nil, nil
		}
		out := make(map[string]any, len(v))
		for key, inner := range v {
			rendered, err := renderJSON(inner, vars)
			if err != nil {
				return nil, err
			}
			out[key] = rendered
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			rendered, err := renderJSON(inner, vars)
			if err != nil {
				return nil, err
			}
			out[i] = rendered
		}
		return out, nil
	default:
		return v, nil
	}
}
