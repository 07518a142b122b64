package cli

import (
	"context"
	"sync"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/worker"
)

func (a *app) workerCommand() *cobra.Command {
	return &cobra.Command{Use: "worker", Short: "Do journeys' work: decide, assign, send", Args: noArgs,
		Long: "Reads scrip.yaml and DATABASE_URL, and Temporal's own variables (TEMPORAL_ADDRESS …).\nWaits for Temporal to be there. SIGINT and SIGTERM let what is under way finish.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openSystem(cmd.Context(), "scrip-worker")
			if err != nil {
				return err
			}
			defer s.close()
			ctx, stop := context.WithCancelCause(cmd.Context())
			defer stop(nil)
			var serving sync.WaitGroup
			defer serving.Wait()
			if addr := s.config.Worker.Listen; addr != "" {
				serving.Go(func() {
					if err := starter.ServeMetrics(ctx, addr, s.metrics, s.store, s.temporal, s.log); err != nil {
						stop(err)
					}
				})
			}
			defer stop(nil)
			err = s.runWorker(ctx)
			if cmd.Context().Err() != nil {
				return nil // somebody asked it to end
			}
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}}
}

func (s *system) runWorker(ctx context.Context) error {
	return worker.Run(ctx, worker.Deps{Store: s.store, Config: s.config, Connections: s.connections, Temporal: s.temporal, Log: s.log, Observe: s.metrics,
		Options: worker.OptionsOf(s.config.Worker)})
}
