// Package logging makes the program's logs. They carry ids, never people.
package logging

import (
	"io"
	"log/slog"
)

// JSON writes for machines.
func JSON(w io.Writer, level slog.Level) slog.Handler {
	return slog.NewJSONHandler(w, options(level))
}

// Text writes for a person at a terminal.
func Text(w io.Writer, level slog.Level) slog.Handler {
	return slog.NewTextHandler(w, options(level))
}

func options(level slog.Level) *slog.HandlerOptions {
	return &slog.HandlerOptions{Level: level, ReplaceAttr: private}
}
