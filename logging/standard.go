package logging

import (
	"log"
	"log/slog"
	"strings"
)

// TakeStandard sends what libraries write to Go's standard logger to l, without
// what they quote: net/http quotes a vendor's answer there that nobody asked for,
// and with it whatever the vendor repeats of a message.
func TakeStandard(l *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(standard{l})
}

type standard struct{ log *slog.Logger }

func (s standard) Write(line []byte) (int, error) {
	said, quoted, _ := strings.Cut(strings.TrimSpace(string(line)), `"`)
	s.log.Warn("a library says: "+strings.TrimSpace(said), "left_out_bytes", len(quoted))
	return len(line), nil
}
