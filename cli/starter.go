package cli

import (
	"context"
	"net"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/starter"
)

func (a *app) starterCommand() *cobra.Command {
	return a.listening("scrip-starter", a.runStarter, &cobra.Command{Use: "starter", Short: "Serve webhooks, the API and the dispatcher",
		Long: "Reads scrip.yaml and DATABASE_URL, and Temporal's own variables (TEMPORAL_ADDRESS …).\nWorks while Temporal is away: events are kept and dispatched later. SIGINT and SIGTERM\nlet what is under way finish."})
}

// listening makes a command run something that listens where a flag says.
func (a *app) listening(service string, run func(context.Context, *system, string) error, command *cobra.Command) *cobra.Command {
	listen := command.Flags().String("listen", "", "host:port; default: listen of scrip.yaml")
	command.Args = noArgs
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := a.openSystem(cmd.Context(), service)
		if err != nil {
			return err
		}
		defer s.close()
		return run(cmd.Context(), s, *listen)
	}
	return command
}

func (a *app) runStarter(ctx context.Context, s *system, listen string) error {
	return starter.Run(ctx, starter.Deps{
		Store: s.store, Config: s.config, Connections: s.connections, Temporal: s.temporal, Clock: s.clock, Log: s.log, Metrics: s.metrics, Version: a.version,
	}, starter.RunOptions{Listen: listen, Ready: func(at net.Addr) { s.log.Info("serving", "address", at.String(), "public_url", s.config.PublicURL) }})
}
