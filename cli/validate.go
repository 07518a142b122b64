package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/config"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{Use: "validate", Short: "Check the project folder, and point at file, line and column", Args: noArgs,
		Long: "Needs nothing that runs. Variables of scrip.yaml may be unset: their values aren't looked at.",
		RunE: func(*cobra.Command, []string) error {
			// A check in CI needs no secrets.
			settings, err := config.Load(a.project, config.WithoutSecrets(a.env))
			var wrong config.Problems
			if err != nil && !errors.As(err, &wrong) {
				return err
			}
			files, err := config.ReadFolder(a.project)
			if errors.Is(err, os.ErrNotExist) {
				return usage("there is no folder %s; name the project folder with --project, or begin one with `scrip init`", a.project)
			}
			if err != nil {
				return err
			}
			if err := a.isProject(files); err != nil {
				return err
			}
			var problems campaign.Problems
			if settings.Readable() { // else everything that it names would be missing
				_, problems = settings.Compose(files)
			}
			if a.json {
				return a.validateJSON(wrong, problems)
			}
			for _, p := range wrong {
				fmt.Fprintln(a.out, p)
			}
			for _, p := range problems {
				fmt.Fprintln(a.out, p)
			}
			errorsFound := len(wrong) + len(problems.Errors())
			if errorsFound > 0 {
				return fmt.Errorf("%s found", count(int64(errorsFound), "mistake"))
			}
			fmt.Fprintf(a.out, "%s and %s are right.\n", config.File, count(int64(len(files)), "file"))
			return nil
		}}
}

// isProject says what to do where the folder isn't a project's.
func (a *app) isProject(files map[string]string) error {
	if _, err := os.Stat(filepath.Join(a.project, config.File)); len(files) == 0 && errors.Is(err, os.ErrNotExist) {
		return usage("%s is no project folder: it holds no %s and no campaigns; name one with --project, or begin one with `scrip init`", a.project, config.File)
	}
	return nil
}

// validateJSON prints what an editor or a pipeline reads.
func (a *app) validateJSON(wrong config.Problems, problems campaign.Problems) error {
	type problem struct {
		File     string `json:"file"`
		Line     int    `json:"line"`
		Column   int    `json:"column"`
		Severity string `json:"severity"`
		Message  string `json:"message"`
	}
	out := []problem{}
	for _, p := range wrong {
		out = append(out, problem{p.Pos.File, p.Pos.Line, max(p.Pos.Column, 1), "error", strings.TrimPrefix(p.Key+": "+p.Message, ": ")})
	}
	for _, p := range problems {
		severity := map[campaign.Severity]string{campaign.Error: "error", campaign.Warning: "warning"}[p.Severity]
		out = append(out, problem{p.Pos.File, p.Pos.Line, p.Pos.Column, severity, p.Message})
	}
	if err := json.NewEncoder(a.out).Encode(map[string]any{"problems": out}); err != nil {
		return fmt.Errorf("printing the problems: %w", err)
	}
	if n := len(wrong) + len(problems.Errors()); n > 0 {
		return fmt.Errorf("%s found", count(int64(n), "mistake"))
	}
	return nil
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{Use: "schema", Short: "Print the JSON Schema of campaign files, for editors", Args: noArgs, RunE: func(*cobra.Command, []string) error {
		_, err := a.out.Write(campaign.Schema())
		return err
	}}
}
