package cli

import (
	"net"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/starter"
)

func (a *app) starterCommand() *cobra.Command {
	var listen string
	command := &cobra.Command{Use: "starter", Short: "Serve webhooks, the API and the dispatcher", Args: noArgs,
		Long: "Reads scrip.yaml and DATABASE_URL, and Temporal's own variables (TEMPORAL_ADDRESS …).\nWorks while Temporal is away: events are kept and dispatched later. SIGINT and SIGTERM\nlet what is under way finish.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openSystem(cmd.Context(), "scrip-starter")
			if err != nil {
				return err
			}
			defer s.close()
			return starter.Run(cmd.Context(), starter.Deps{
				Store: s.store, Config: s.config, Connections: s.connections, Temporal: s.temporal, Clock: s.clock, Log: s.log, Metrics: s.metrics, Version: a.version,
			}, starter.RunOptions{Listen: listen, Ready: func(at net.Addr) { s.log.Info("serving", "address", at.String(), "public_url", s.config.PublicURL) }})
		}}
	command.Flags().StringVar(&listen, "listen", "", "host:port; default: listen of scrip.yaml")
	return command
}
