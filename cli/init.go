package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/config"
)

//go:embed all:skeleton
var skeleton embed.FS

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{Use: "init [FOLDER]", Short: "Begin a project folder of your own", Long: "Writes scrip.yaml, a campaign, its coupon and its template. Files that are there already are left as they are.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("%s takes one folder; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			dir := a.project
			if len(args) == 1 {
				dir = args[0]
			}
			return a.begin(dir)
		}}
}

func (a *app) begin(dir string) error {
	written := 0
	err := fs.WalkDir(skeleton, "skeleton", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(skeleton, name)
		if err != nil {
			return err
		}
		relative := strings.TrimPrefix(name, "skeleton/")
		if relative == "gitignore" { // a dot file would apply to this repository too
			relative = ".gitignore"
		}
		if relative == "scrip.yaml" {
			text = []byte(strings.NewReplacer("PROJECT", projectName(dir), "ZONE", machineZone(a.env)).Replace(string(text)))
		}
		done, err := a.write(filepath.Join(dir, filepath.FromSlash(relative)), relative, text)
		if done {
			written++
		}
		return err
	})
	if err == nil {
		var done bool
		if done, err = a.write(filepath.Join(dir, "schema.json"), "schema.json", campaign.Schema()); done {
			written++
		}
	}
	if err != nil {
		return fmt.Errorf("writing the project folder: %w", err)
	}
	if written == 0 {
		fmt.Fprintln(a.out, "Everything is there already.")
		return nil
	}
	fmt.Fprintf(a.out, `
Next:
  scrip validate --project %[1]s
  scrip dev --project %[1]s        # runs it with a sandbox in place of the vendors
and, in another terminal, somebody who subscribes:
  scrip event send contact.opted_in channel=email --email you@example.com --consent email
  scrip why you@example.com
Your own accounts go into %[2]s.
`, dir, path.Join(filepath.ToSlash(dir), config.File))
	return nil
}

// write makes a file that isn't there yet.
func (a *app) write(name, shown string, text []byte) (bool, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { // #nosec G301 -- a project is for a team to read
		return false, err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) // #nosec G302 -- as above
	if errors.Is(err, fs.ErrExist) {
		fmt.Fprintf(a.out, "kept     %s\n", shown)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := file.Write(text); err != nil {
		return false, errors.Join(err, file.Close())
	}
	fmt.Fprintf(a.out, "written  %s\n", shown)
	return true, file.Close()
}

var notName = regexp.MustCompile(`[^a-z0-9]+`)

// projectName makes a name of a folder's.
func projectName(dir string) string {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "scrip"
	}
	if name := strings.Trim(notName.ReplaceAllString(strings.ToLower(filepath.Base(absolute)), "-"), "-"); name != "" {
		return name
	}
	return "scrip"
}

// machineZone is this machine's time zone by its IANA name, UTC where it has
// none.
func machineZone(env func(string) string) string {
	if zone := strings.TrimPrefix(env("TZ"), ":"); zone != "" {
		if _, err := time.LoadLocation(zone); err == nil {
			return zone
		}
	}
	if target, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
		if _, zone, ok := strings.Cut(target, "/zoneinfo/"); ok {
			if _, err := time.LoadLocation(zone); err == nil {
				return zone
			}
		}
	}
	return "UTC"
}
