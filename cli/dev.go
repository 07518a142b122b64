package cli

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev"
)

func (a *app) devCommand() *cobra.Command {
	o := dev.Options{Version: a.version, Out: a.out}
	command := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine: Postgres, Temporal, worker, starter, sandbox",
		Long: `Runs all of Scrip on this machine, with a sandbox that stands in for the
vendors. Nothing has to be configured. What happens is kept in the state folder;
the next run goes on with it. DATABASE_URL and TEMPORAL_ADDRESS, where they are
set, name servers to use instead of starting own ones.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Project = a.devProject()
			log, end, err := devLog(o.State)
			if err != nil {
				return err
			}
			defer end()
			o.Log = log
			return dev.Run(cmd.Context(), o)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.State, "state", orEnv(a.env, "SCRIP_STATE", ".scrip"), "the folder for what is kept between runs")
	flags.IntVar(&o.Port, "port", a.port("SCRIP_PORT", 8080), "Scrip's own port: API, webhooks, docs, sandbox")
	flags.IntVar(&o.PostgresPort, "postgres-port", a.port("SCRIP_POSTGRES_PORT", 0), "Postgres's port; 0 takes a free one")
	flags.IntVar(&o.TemporalPort, "temporal-port", a.port("SCRIP_TEMPORAL_PORT", 7233), "Temporal's port")
	flags.IntVar(&o.UIPort, "ui-port", a.port("SCRIP_UI_PORT", 8233), "the port of Temporal's UI")
	return command
}

func (a *app) port(name string, otherwise int) int {
	if port, err := strconv.Atoi(a.env(name)); err == nil {
		return port
	}
	return otherwise
}

// devProject is the folder named, or, from a checkout of Scrip, its examples.
func (a *app) devProject() string {
	if a.project != "." {
		return a.project
	}
	if _, err := os.Stat(config.File); err == nil {
		return a.project
	}
	if _, err := os.Stat(filepath.Join("examples", config.File)); err == nil {
		return "examples"
	}
	return a.project
}

// devLog writes everything to scrip.log in the state folder and what somebody
// should see to the terminal.
func devLog(state string) (*slog.Logger, func(), error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(filepath.Join(state, "scrip.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	log := slog.New(slog.NewMultiHandler(
		slog.NewJSONHandler(file, nil),
		slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}),
	))
	return log, func() { _ = file.Close() }, nil
}
