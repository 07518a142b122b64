package cli

import (
	"context"
	"errors"
	"sync"

	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	return a.listening("scrip", a.serve, &cobra.Command{Use: "serve", Short: "Be starter and worker in one process",
		Long: "What `scrip starter` and `scrip worker` do, for one machine: a journey begins in the\nprocess that starts it, without a way through Temporal's queue. Further starters and\nworkers may stand beside it."})
}

// serve runs starter and worker until ctx ends or one of them fails. The starter ends
// first: what it starts last may begin here.
func (a *app) serve(ctx context.Context, s *system, listen string) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	working, endWorker := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.runWorker(working); working.Err() == nil {
			stop(err)
		}
	})
	err := a.runStarter(ctx, s, listen)
	endWorker()
	running.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}
