// Command buildcli has Temporal's command line tool ready before tests run: it
// builds the tool unless it is there, shows how far that is, and prints its path.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"scrip.dev/scrip/dev/temporal"
)

// every is how often a line of progress is written.
const every = 15 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	path, err := temporal.CLI(ctx, progress())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(path)
}

func progress() temporal.Progress {
	next := time.Duration(0)
	return func(done, total int, elapsed time.Duration) {
		if elapsed < next {
			return
		}
		switch {
		case next == 0:
			fmt.Fprintf(os.Stderr, "building Temporal's command line tool, once; about %.0f minutes on two cores\n", temporal.TypicalBuild.Minutes())
		case total == 0: // they are still being counted
			fmt.Fprintf(os.Stderr, "  %d packages, %s\n", done, elapsed.Round(time.Second))
		default:
			fmt.Fprintf(os.Stderr, "  %d of %d packages, %s\n", done, total, elapsed.Round(time.Second))
		}
		next = elapsed.Truncate(every) + every
	}
}
