package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	barWidth  = 30
	barRedraw = 100 * time.Millisecond
)

// progress shows how far long work has come, on a terminal only.
type progress struct {
	out   io.Writer // nil: nobody watches
	label string
	total int64 // bytes; 0 is unknown
	done  int64
	drawn time.Time
	begun time.Time
}

func (a *app) progress(label string, total int64) *progress {
	p := &progress{label: label, total: total, begun: time.Now()}
	if onTerminal(a.err) && !a.json {
		p.out = a.err
	}
	return p
}

// reader counts what is read through it.
func (p *progress) reader(r io.Reader) io.Reader {
	return io.TeeReader(r, p)
}

// Write counts; it never fails.
func (p *progress) Write(b []byte) (int, error) {
	p.done += int64(len(b))
	p.draw(false)
	return len(b), nil
}

func (p *progress) draw(last bool) {
	sent := p.total > 0 && p.done >= p.total // from here on the other side works
	if p.out == nil || (!last && !sent && time.Since(p.drawn) < barRedraw) {
		return
	}
	p.drawn = time.Now()
	if p.total <= 0 {
		fmt.Fprintf(p.out, "\r%s %s ", p.label, size(p.done))
		return
	}
	share := min(float64(p.done)/float64(p.total), 1)
	full := int(share * barWidth)
	fmt.Fprintf(p.out, "\r%s [%s%s] %3.0f %% of %s ", p.label, strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), share*100, size(p.total))
	if sent && !last {
		fmt.Fprintf(p.out, "– storing … ")
	}
}

// end leaves the line.
func (p *progress) end() {
	if p.out != nil {
		fmt.Fprintf(p.out, "\r\x1b[K")
	}
}

// size gives 1.5 MB.
func size(bytes int64) string {
	units := []string{"B", "kB", "MB", "GB"}
	value, unit := float64(bytes), 0
	for value >= 1000 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
