package secrets_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"log"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// stderr is what goes to the standard error output beside the log: by libraries, by
// the standard loggers, by a line that somebody forgot.
type stderr struct{ buffer }

// catch reads along from here on; what it reads is passed on.
func catch(t *testing.T) *stderr {
	t.Helper()
	before, logged, def := os.Stderr, log.Writer(), slog.Default()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	c, done := &stderr{}, make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.MultiWriter(&c.buffer, before), read)
	}()
	os.Stderr = write
	slog.SetDefault(slog.New(slog.NewTextHandler(write, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log.SetOutput(write)
	t.Cleanup(func() {
		os.Stderr = before
		slog.SetDefault(def)
		log.SetOutput(logged)
		_ = write.Close()
		<-done
		_ = read.Close()
	})
	return c
}

// erred is all that was written there up to now.
func (w *world) erred() []byte {
	w.Helper()
	end := []byte("all before " + rand.Text() + " is read")
	log.Printf("%s", end)
	w.until(func() bool { return bytes.Contains(w.stderr.text(), end) }, "the standard error output to be read")
	return w.stderr.text()
}
