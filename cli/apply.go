package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
)

type applied struct {
	Applied  bool                   `json:"applied"`
	Changes  []store.Change         `json:"changes"`
	Warnings []starter.FieldProblem `json:"warnings"`
}

// changed counts what applying would do.
func (a applied) changed() int {
	n := 0
	for _, c := range a.Changes {
		if c.Action != store.ApplyUnchanged && c.Action != store.ApplyMissing {
			n++
		}
	}
	return n
}

func (a *app) applyCommand() *cobra.Command {
	var yes, dryRun, prune bool
	command := &cobra.Command{Use: "apply", Short: "Make the running system hold what the project folder holds", Args: noArgs,
		Long: "Shows the difference and how many journeys are inside which version, asks, and\napplies the folder as a whole or not at all. Journeys keep the version they\nentered with; templates are used in their newest version by everybody.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := config.ReadFolder(a.project)
			if errors.Is(err, os.ErrNotExist) {
				return usage("there is no folder %s; name the project folder with --project, or begin one with `scrip init`", a.project)
			}
			if err != nil {
				return err
			}
			if len(files) == 0 {
				return usage("%s holds no campaigns, coupons or templates; name the project folder with --project, or begin one with `scrip init`", a.project)
			}
			ask := request{method: "POST", path: "/v1/apply", body: map[string]any{"files": files, "dry_run": true, "prune": prune}}
			answer, err := a.call(cmd.Context(), ask)
			if err != nil {
				return err
			}
			var plan applied
			if err := json.Unmarshal(answer, &plan); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			if dryRun {
				return print(a, answer, showChanges)
			}
			if !a.json {
				showChanges(a.out, plan)
			}
			if plan.changed() == 0 {
				if a.json {
					return print(a, answer, showChanges)
				}
				return nil
			}
			if !yes {
				ok, err := a.confirm("Apply this?")
				if err != nil || !ok {
					return err
				}
			}
			return show(cmd.Context(), a, request{method: "POST", path: "/v1/apply", body: map[string]any{"files": files, "prune": prune}}, func(w io.Writer, done applied) {
				fmt.Fprintf(w, "Applied: %s.\n", count(int64(done.changed()), "change"))
			})
		}}
	flags := command.Flags()
	flags.BoolVar(&yes, "yes", false, "don't ask")
	flags.BoolVar(&dryRun, "dry-run", false, "only show the difference")
	flags.BoolVar(&prune, "prune", false, "campaigns that aren't in the folder any more take nobody in")
	return command
}

func showChanges(w io.Writer, plan applied) {
	marks := map[string]string{store.ApplyCreate: "+", store.ApplyUpdate: "~", store.ApplyDrain: "-", store.ApplyMissing: "?"}
	unchanged := 0
	for _, c := range plan.Changes {
		if c.Action == store.ApplyUnchanged {
			unchanged++
			continue
		}
		fmt.Fprintf(w, "%s %s %s%s\n", marks[c.Action], c.Kind, c.Name, versions(c))
		for _, line := range c.Diff {
			fmt.Fprintln(w, "    "+line)
		}
		for _, v := range c.Journeys {
			if v.Journeys > 0 {
				fmt.Fprintf(w, "    %s inside version %d, which they keep\n", count(v.Journeys, "journey"), v.Version)
			}
		}
	}
	for _, warning := range plan.Warnings {
		fmt.Fprintf(w, "! %s: %s\n", warning.Location, warning.Message)
	}
	if plan.changed() == 0 {
		fmt.Fprintln(w, "Nothing to apply: the running system holds what the folder holds.")
		return
	}
	if unchanged > 0 {
		fmt.Fprintf(w, "  %d unchanged\n", unchanged)
	}
}

// versions says in brackets what happens to a document's version.
func versions(c store.Change) string {
	switch {
	case c.Action == store.ApplyMissing:
		return " (not in the folder; left as it is, --prune drains it)"
	case c.Action == store.ApplyDrain:
		return " (not in the folder; takes nobody in any more)"
	case c.To == 0:
		return ""
	case c.From == 0:
		return fmt.Sprintf(" (version %d)", c.To)
	case c.To < c.From:
		return fmt.Sprintf(" (version %d, back to %d)", c.From, c.To)
	}
	return fmt.Sprintf(" (version %d to %d)", c.From, c.To)
}
