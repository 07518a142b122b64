// Package cli is the scrip command: one file a noun. Commands that look at or
// change the running system talk to its API; those that are the system
// (starter, worker, serve, migrate) and key create use the database.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/dev"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it was tried and did not work
	exitUsage  = 2 // it was not asked for in the right way
)

// app is what the commands share.
type app struct {
	version string
	in      io.Reader
	out     io.Writer // answers
	err     io.Writer // progress, questions, errors
	env     func(string) string

	project string // the project folder
	state   string // the folder of scrip dev
	url     string // of the API
	json    bool   // print the API's answer as it is
}

// IO is where a command reads and writes; the zero value is the process's own.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Env      func(string) string
}

// Run runs the command that args name and returns the exit code: 0 it worked, 1
// it failed, 2 it was used wrongly.
func Run(ctx context.Context, version string, args []string, streams IO) int {
	a := &app{version: version, in: streams.In, out: streams.Out, err: streams.Err, env: streams.Env}
	if a.in == nil {
		a.in = os.Stdin
	}
	if a.out == nil {
		a.out = os.Stdout
	}
	if a.err == nil {
		a.err = os.Stderr
	}
	if a.env == nil {
		a.env = os.Getenv
	}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(a.err, "scrip: "+err.Error())
	if isUsage(err) {
		return exitUsage
	}
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "scrip",
		Short: "Turns what happened into a promo code in the right person's hands, once",
		Long: `Scrip turns something that happened into a promo code in the right person's
hands, once, and follows that code until it is redeemed or expires.

Most commands ask the running system: SCRIP_URL says where it is and
SCRIP_API_KEY holds the key. Without them it is the one that scrip dev runs here,
which leaves both in .scrip.`,
		Version:       a.version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetVersionTemplate("scrip {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%s; see `%s --help`", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.project, "project", orEnv(a.env, "SCRIP_DIR", "."), "the project folder")
	flags.StringVar(&a.url, "url", a.env("SCRIP_URL"), "where the running system is; default: what scrip dev left in the state folder, or "+defaultURL)
	flags.StringVar(&a.state, "state", orEnv(a.env, "SCRIP_STATE", dev.StateFolder), "the folder in which scrip dev keeps everything between runs")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return a.locate() }
	flags.BoolVar(&a.json, "json", false, "print the API's answer as it is")
	root.AddGroup(&cobra.Group{ID: groupProject, Title: "The project:"}, &cobra.Group{ID: groupSystem, Title: "The running system:"}, &cobra.Group{ID: groupServe, Title: "Running it:"})
	for _, group := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{groupProject, []*cobra.Command{a.initCommand(), a.validateCommand(), a.applyCommand(), a.schemaCommand(), a.templateCommand()}},
		{groupSystem, []*cobra.Command{a.campaignCommand(), a.journeyCommand(), a.whyCommand(), a.contactCommand(), a.codesCommand(), a.codeCommand(), a.eventCommand(),
			a.messageCommand(), a.unknownCommand(), a.inboxCommand(), a.killSwitchCommand(), a.sendCommand(), a.doctorCommand()}},
		{groupServe, []*cobra.Command{a.devCommand(), a.tryCommand(), a.serveCommand(), a.starterCommand(), a.workerCommand(), a.codecCommand(), a.migrateCommand(), a.keyCommand(), a.healthzCommand()}},
	} {
		for _, command := range group.commands {
			command.GroupID = group.id
			root.AddCommand(command)
		}
	}
	root.AddCommand(&cobra.Command{Use: "version", Short: "Print the version", Args: noArgs, RunE: func(*cobra.Command, []string) error {
		_, err := fmt.Fprintln(a.out, "scrip "+a.version)
		return err
	}})
	return root
}

const (
	groupProject = "project"
	groupSystem  = "system"
	groupServe   = "serve"
)

func orEnv(env func(string) string, name, otherwise string) string {
	if value := env(name); value != "" {
		return value
	}
	return otherwise
}

// usageError says that the command was used wrongly.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

func isUsage(err error) bool {
	var wrong *usageError
	// Cobra has no type for a command that it doesn't know.
	return errors.As(err, &wrong) || strings.HasPrefix(err.Error(), "unknown command")
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no arguments, and got %q; see `%s --help`", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// unknownCommand names the command that was probably meant.
func unknownCommand(parent *cobra.Command, name string) error {
	parent.SuggestionsMinimumDistance = 2
	if near := parent.SuggestionsFor(name); len(near) > 0 {
		return usage("%s has no command %q; did you mean `%s %s`?", parent.CommandPath(), name, parent.CommandPath(), near[0])
	}
	return usage("%s has no command %q; see `%s --help`", parent.CommandPath(), name, parent.CommandPath())
}

// needs asks for exactly the named arguments.
func needs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usage("%s needs %s; see `%s --help`", cmd.CommandPath(), strings.Join(names, " and "), cmd.CommandPath())
		}
		return nil
	}
}

// parent is a noun: it only has commands below it.
func parent(name, short string, commands ...*cobra.Command) *cobra.Command {
	noun := &cobra.Command{Use: name, Short: short, Args: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return nil
	}, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	noun.AddCommand(commands...)
	return noun
}
