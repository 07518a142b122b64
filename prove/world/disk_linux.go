package world

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// mountDisk gives Postgres a disk of its own, of so many megabytes, which takes
// root.
func (w *World) mountDisk(t testing.TB) {
	folder := filepath.Join(w.Dir, "postgres")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", w.options.Disk)); err != nil {
		t.Skipf("a small disk for Postgres needs root on Linux: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(folder, unix.MNT_DETACH) })
}
