package temporal

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Version is the release of Temporal's CLI that holds the server. Another one is
// never used: an existing database belongs to the version that made it.
const Version = "1.5.1"

const (
	pkg    = "github.com/temporalio/cli/cmd/temporal"
	module = "scrip.dev/scrip"
)

// CLI gives the path of the `temporal` executable: TEMPORAL_CLI where it is set,
// one on the PATH that is the right version, one that was built before, or one
// built now, which takes minutes the first time.
func CLI(ctx context.Context, p Progress) (string, error) {
	if path := os.Getenv("TEMPORAL_CLI"); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("finding Temporal: TEMPORAL_CLI: %w", err)
		}
		return path, nil
	}
	if path, err := exec.LookPath("temporal"); err == nil && versionOf(ctx, path) == Version {
		return path, nil
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, ".scrip", "bin", "temporal-"+Version)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	return path, build(ctx, root, path, p)
}

var versionLine = regexp.MustCompile(`^temporal version v?(\S+)`)

// versionOf reads what the executable was built from, and asks it where that
// isn't recorded: released ones know it only themselves.
func versionOf(ctx context.Context, path string) string {
	if info, err := buildinfo.ReadFile(path); err == nil && strings.HasPrefix(info.Main.Version, "v") {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return ""
	}
	if m := versionLine.FindSubmatch(out); m != nil {
		return string(m[1])
	}
	return ""
}

var moduleLine = regexp.MustCompile(`(?m)^module\s+` + regexp.QuoteMeta(module) + `\s*$`)

// moduleRoot finds Scrip's own checkout, which pins the CLI in tools/go.mod: above
// the working directory, or above this program, which `make` leaves in it.
func moduleRoot() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding Temporal: %w", err)
	}
	starts := []string{here}
	if self, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(self))
	}
	for _, dir := range starts {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && moduleLine.Match(b) {
				return dir, nil
			}
		}
	}
	return "", errors.New("finding Temporal: there is no `temporal` " + Version + " on the PATH, and it can only be built inside a checkout of Scrip; " +
		"run this there, install the CLI (https://github.com/temporalio/cli/releases/tag/v" + Version + "), point TEMPORAL_CLI at it, or set TEMPORAL_ADDRESS to a running server")
}
