package cli

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev"
	"scrip.dev/scrip/logging"
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
			o.Project, o.State = a.devProject(), a.state
			if err := a.ports(cmd, &o); err != nil {
				return err
			}
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
	for _, port := range devPorts(&o) {
		flags.IntVar(port.to, port.flag, port.otherwise, port.what+" ("+port.env+")")
	}
	return command
}

// devPort is a port that can be chosen by a flag or in the environment.
type devPort struct {
	to              *int
	flag, env, what string
	otherwise       int
}

func devPorts(o *dev.Options) []devPort {
	return []devPort{
		{&o.Port, "port", "SCRIP_PORT", "Scrip's own port: API, webhooks, docs, sandbox", 8080},
		{&o.PostgresPort, "postgres-port", "SCRIP_POSTGRES_PORT", "Postgres's port; 0 takes a free one", 0},
		{&o.TemporalPort, "temporal-port", "SCRIP_TEMPORAL_PORT", "Temporal's port", 7233},
		{&o.UIPort, "ui-port", "SCRIP_UI_PORT", "the port of Temporal's UI", 8233},
	}
}

// ports takes from the environment what the flags leave open.
func (a *app) ports(command *cobra.Command, o *dev.Options) error {
	for _, port := range devPorts(o) {
		value := a.env(port.env)
		if value == "" || command.Flags().Changed(port.flag) {
			continue
		}
		number, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return usage("%s: %q is not a port; write a number up to 65535", port.env, value)
		}
		*port.to = int(number)
	}
	return nil
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
	log := slog.New(slog.NewMultiHandler(logging.JSON(file, slog.LevelInfo), logging.Text(os.Stderr, slog.LevelError)))
	logging.TakeStandard(log)
	return log, func() { _ = file.Close() }, nil
}
