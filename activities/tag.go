package activities

import "context"

// Tag puts the step's tags on the contact.
func (a *Activities) Tag(ctx context.Context, step Step) (Result, error) {
	s, err := a.load(ctx, step)
	if err == nil {
		err = a.Store.AddTags(ctx, a.Store.Pool, s.contact.ID, s.doc.Tags)
	}
	return Result{Status: Done}, a.wrap(ctx, "tagging", step, err)
}

// Untag takes the step's tags off the contact.
func (a *Activities) Untag(ctx context.Context, step Step) (Result, error) {
	s, err := a.load(ctx, step)
	if err == nil {
		err = a.Store.RemoveTags(ctx, a.Store.Pool, s.contact.ID, s.doc.Tags)
	}
	return Result{Status: Done}, a.wrap(ctx, "untagging", step, err)
}
