package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/workflows"
)

// Deps is what a worker works with.
type Deps struct {
	Store       *store.Store
	Config      *config.Config
	Connections *config.Connections
	Temporal    client.Client
	Log         *slog.Logger
	Observe     activities.Observer
	Options     Options
	// Upkeep is how often the regular upkeep runs; zero is the usual minute.
	Upkeep time.Duration
}

// OptionsOf sizes a worker as its settings say.
func OptionsOf(w config.Worker) Options {
	return Options{CachedJourneys: w.CachedWorkflows, Activities: w.ConcurrentActivities, Pollers: w.Pollers, StepTimeout: w.StepTimeout}
}

// Hands makes the activities from what a worker works with.
func Hands(d Deps) *activities.Activities {
	teams := map[string][]string{}
	for name, team := range d.Config.Teams {
		teams[name] = []string{team.Email}
	}
	return &activities.Activities{
		Store:       d.Store,
		Connections: Connections{d.Connections},
		Executions:  Executions{d.Temporal},
		Log:         d.Log,
		Observe:     d.Observe,
		Project: activities.Project{
			Zone:       d.Config.Zone(),
			Currency:   d.Config.Currency,
			PublicURL:  d.Config.PublicURL,
			QuietHours: d.Config.QuietHours,
			Teams:      teams,
			KeepBodies: d.Config.KeepBodies,
			Clock:      campaign.Clock{Scale: d.Config.Clock(time.Time{}).Scale},
		},
		Limits: activities.Limits{
			Call: d.Config.Worker.CallTimeout, Report: d.Config.Worker.ReportTimeout,
			Backoff: d.Config.Worker.VendorBackoff, Settle: d.Config.Worker.SettlePause,
		},
	}
}

// Run does journeys' work until ctx ends, then lets what is under way finish. It
// waits for Temporal to be there.
func Run(ctx context.Context, d Deps) error {
	if err := Await(ctx, d.Temporal, d.Log); err != nil {
		return err
	}
	every := d.Upkeep
	if every == 0 {
		every = workflows.MaintenanceEvery
	}
	if err := Schedule(ctx, d.Temporal, every); err != nil {
		return err
	}
	w := New(d.Temporal, Hands(d), d.Options)
	if err := w.Start(); err != nil {
		return fmt.Errorf("starting the worker: %w", err)
	}
	<-ctx.Done()
	w.Stop()
	return nil
}
