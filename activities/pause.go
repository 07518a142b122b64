package activities

import "context"

// NotePause says in Postgres that a person holds the journey before a step. The
// workflow alone knows it: the signal may have come past the API.
func (a *Activities) NotePause(ctx context.Context, step Step) (Result, error) {
	s, err := a.load(ctx, step)
	if err == nil {
		err = a.account(ctx, s, held(Paused))
	}
	return Result{Status: Done}, a.wrap(ctx, "noting a pause", step, err)
}

// NoteResume says that the journey goes on.
func (a *Activities) NoteResume(ctx context.Context, step Step) (Result, error) {
	err := a.Store.UnparkJourney(ctx, a.Store.Pool, step.Journey)
	return Result{Status: Done}, a.wrap(ctx, "noting the end of a pause", step, err)
}
