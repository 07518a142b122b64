package temporal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"scrip.dev/scrip/dev/process"
)

// TypicalBuild is how long the first build takes on two cores; later ones are
// served from Go's cache.
const TypicalBuild = 4 * time.Minute

// Progress is told how far the build is: packages compiled and packages to
// compile (0 while they are still being counted), and the time since it began.
// It is called at least once a second.
type Progress func(done, total int, elapsed time.Duration)

// build makes the CLI unless it is there. Only one process builds; the others
// wait for it. The file appears whole or not at all.
func build(ctx context.Context, root, path string, p Progress) error {
	if built(path) {
		return nil
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("building Temporal: there is no Go toolchain on the PATH; install Go, point TEMPORAL_CLI at the `temporal` " + Version + " executable, or set TEMPORAL_ADDRESS to a running server")
	}
	lock, err := process.WaitLock(path + ".lock")
	if err != nil {
		return fmt.Errorf("building Temporal: %w", err)
	}
	defer lock.Release()
	if built(path) {
		return nil
	}
	fresh := fmt.Sprintf("%s.%d.new", path, os.Getpid())
	defer os.Remove(fresh)
	if err := compile(ctx, root, fresh, p); err != nil {
		return fmt.Errorf("building Temporal: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("building Temporal: %w", err)
	}
	return nil
}

func built(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// compile runs go build and counts the packages that it names.
func compile(ctx context.Context, root, output string, p Progress) error {
	if p == nil {
		p = func(int, int, time.Duration) {}
	}
	began, compiled, total := time.Now(), make(chan struct{}, 1024), make(chan int, 1)
	go func() { total <- stale(ctx, root) }()

	cmd := goCommand(ctx, root, "build", "-v", "-o", output, pkg)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var complaints bytes.Buffer
	go func() {
		defer close(compiled)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			line := lines.Text()
			if strings.ContainsAny(line, " \t:") {
				complaints.WriteString(line + "\n")
				continue
			}
			compiled <- struct{}{}
		}
	}()
	follow(p, began, compiled, total)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w\n%s", err, complaints.Bytes())
	}
	return nil
}

// follow reports until compiled is closed.
func follow(p Progress, began time.Time, compiled <-chan struct{}, total <-chan int) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	done, of := 0, 0
	for {
		select {
		case _, more := <-compiled:
			if !more {
				return
			}
			done++
		case of = <-total:
		case <-tick.C:
			if of > 0 {
				of = max(of, done)
			}
			p(done, of, time.Since(began))
		}
	}
}

// stale counts the packages that have to be compiled; 0 where that can't be told.
func stale(ctx context.Context, root string) int {
	out, err := goCommand(ctx, root, "list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", pkg).Output()
	if err != nil {
		return 0
	}
	return len(bytes.Fields(out))
}

func goCommand(ctx context.Context, root, verb string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", append([]string{verb, "-modfile=" + filepath.Join("tools", "go.mod")}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	return cmd
}
