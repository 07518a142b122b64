package dev

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/term"

	"scrip.dev/scrip/dev/temporal"
)

// banner says once where everything is and what to try.
func (e *environment) banner(server *temporal.Server) {
	ui := server.UIURL
	if ui == "" {
		ui = "(at the Temporal server of TEMPORAL_ADDRESS)"
	}
	fmt.Fprintf(e.Out, `
  Scrip is up.

  Sandbox       %s/sandbox     a shop, an inbox, a phone
  Temporal UI   %s
  API and docs  %s/docs
  API key       %s

  Try           %s try cart-recovery
  Stop          Ctrl-C; what happened is kept in %s

`, e.baseURL, ui, e.baseURL, filepath.Join(e.State, "key"), command(), e.State)
}

// command is how this program is called from here.
func command() string {
	self, err := os.Executable()
	if err != nil {
		return "scrip"
	}
	here, err := os.Getwd()
	if err != nil {
		return self
	}
	if relative, err := filepath.Rel(here, self); err == nil && filepath.IsLocal(relative) {
		return "./" + relative
	}
	return self
}

// buildProgress shows the first build of Temporal, which takes minutes.
type buildProgress struct {
	out     io.Writer
	baseURL string
	told    bool
	last    time.Time
}

func (p *buildProgress) step(done, total int, elapsed time.Duration) {
	if !p.told {
		p.told = true
		fmt.Fprintf(p.out, "\n  Building Temporal's development server, once; this takes some minutes.\n"+
			"  Scrip itself is up already at %s/sandbox: events that come in are kept and\n  dispatched when Temporal is there.\n\n", p.baseURL)
	}
	file, isFile := p.out.(*os.File)
	if isFile && term.IsTerminal(int(file.Fd())) {
		fmt.Fprintf(p.out, "\r  %s  %s\033[K", bar(done, total), elapsed.Round(time.Second))
		return
	}
	if time.Since(p.last) > 20*time.Second {
		p.last = time.Now()
		fmt.Fprintf(p.out, "  %s  %s\n", bar(done, total), elapsed.Round(time.Second))
	}
}

func (p *buildProgress) end() {
	if p.told {
		fmt.Fprintln(p.out)
	}
}

func bar(done, total int) string {
	const width = 30
	full := 0
	if total > 0 {
		full = min(width, width*done/total)
	}
	line := make([]byte, width)
	for i := range line {
		line[i] = '.'
		if i < full {
			line[i] = '#'
		}
	}
	if total == 0 { // they are still being counted
		return fmt.Sprintf("[%s] %d packages", line, done)
	}
	return fmt.Sprintf("[%s] %d of %d packages", line, done, total)
}
