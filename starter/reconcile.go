package starter

import (
	"context"
	"time"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// reconcile makes the vendors' webhook subscriptions what they should be, once at
// start. A vendor that can't be reached is tried again until it answers.
func reconcile(ctx context.Context, deps Deps) {
	pending := map[string]integrations.Reconciler{}
	for _, name := range deps.Connections.Names() {
		if opened, err := deps.Connections.Get(name); err == nil {
			if reconciler, ok := opened.Vendor.(integrations.Reconciler); ok {
				pending[name] = reconciler
			}
		}
	}
	for wait := 5 * time.Second; len(pending) > 0; wait = min(2*wait, 10*time.Minute) {
		for name, reconciler := range pending {
			changes, err := reconciler.Reconcile(ctx, deps.Config.PublicURL+"/hooks/"+name)
			seen := store.Subscriptions{At: time.Now().UTC(), OK: err == nil, Changes: append([]string{}, changes...)}
			if err := deps.Store.SawSubscriptions(ctx, name, seen); err != nil && ctx.Err() == nil {
				deps.Log.WarnContext(ctx, "the state of webhook subscriptions was not kept", "connection", name, "error", err)
			}
			if err != nil {
				deps.Log.WarnContext(ctx, "webhook subscriptions could not be checked; `scrip doctor` says more", "connection", name, "error", err)
				continue
			}
			for _, change := range changes {
				deps.Log.InfoContext(ctx, "webhook subscription", "connection", name, "change", change)
			}
			delete(pending, name)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
