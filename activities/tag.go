package activities

import "context"

// Tag puts the step's tags on the contact.
func (a *Activities) Tag(ctx context.Context, step Step) (Result, error) {
	return a.perform(ctx, "tagging", step, func(s *scene) (Result, error) {
		return Result{Status: Done}, a.Store.AddTags(ctx, a.Store.Pool, s.contact.ID, s.doc.Tags)
	})
}

// Untag takes the step's tags off the contact.
func (a *Activities) Untag(ctx context.Context, step Step) (Result, error) {
	return a.perform(ctx, "untagging", step, func(s *scene) (Result, error) {
		return Result{Status: Done}, a.Store.RemoveTags(ctx, a.Store.Pool, s.contact.ID, s.doc.Tags)
	})
}
