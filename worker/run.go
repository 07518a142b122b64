package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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
	hands := Hands(d)
	w, err := start(ctx, d, hands)
	if err != nil {
		return err
	}
	<-ctx.Done()
	w.Stop()
	activities.AwaitSteps(hands)
	return nil
}

// start starts a worker. A server that answers may still have its database to wait for.
func start(ctx context.Context, d Deps, hands *activities.Activities) (worker.Worker, error) {
	every := d.Upkeep
	if every == 0 {
		every = workflows.MaintenanceEvery
	}
	for {
		if err := Await(ctx, d.Temporal, d.Log); err != nil {
			return nil, err
		}
		err := Schedule(ctx, d.Temporal, every)
		if err == nil {
			w := New(d.Temporal, hands, d.Options)
			if err = w.Start(); err == nil {
				return w, nil
			}
			err = fmt.Errorf("starting the worker: %w", err)
		}
		if ctx.Err() != nil || final(err) {
			return nil, err
		}
		d.Log.WarnContext(ctx, "Temporal answers but can't be worked for yet; trying again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// final says whether Temporal would answer the same again.
func final(err error) bool {
	var (
		noNamespace *serviceerror.NamespaceNotFound
		notFound    *serviceerror.NotFound
		denied      *serviceerror.PermissionDenied
		invalid     *serviceerror.InvalidArgument
		unsupported *serviceerror.Unimplemented
	)
	return errors.As(err, &noNamespace) || errors.As(err, &notFound) || errors.As(err, &denied) || errors.As(err, &invalid) || errors.As(err, &unsupported) || status.Code(err) == codes.Unauthenticated
}
