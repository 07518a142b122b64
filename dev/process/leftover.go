package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// writePID notes the pid together with the moment at which the process began, so
// that another process which later gets the same number is never taken for it.
func writePID(path string, pid int) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, fmt.Appendf(nil, "%d %s\n", pid, born(pid)), 0o600)
}

// EndLeftover ends a child of an earlier run that is still there: one that is
// just shutting down because its parent died, or one that was left behind. It
// waits until the child is gone. No leftover is no error.
func EndLeftover(pidFile string, stop syscall.Signal, grace time.Duration) error {
	b, err := os.ReadFile(pidFile)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ending a leftover process: %w", err)
	}
	number, since, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	pid, err := strconv.Atoi(number)
	if err == nil && pid > 1 && since != "" && born(pid) == since {
		if err := end(pid, since, stop, grace); err != nil {
			return err
		}
	}
	if err := os.Remove(pidFile); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("ending a leftover process: %w", err)
	}
	return nil
}

func end(pid int, since string, stop syscall.Signal, grace time.Duration) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil
	}
	_ = p.Signal(stop)
	gone := func(within time.Duration) bool {
		for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if born(pid) != since {
				return true
			}
		}
		return false
	}
	if gone(grace) {
		return nil
	}
	killGroup(pid)
	if gone(5 * time.Second) {
		return nil
	}
	return fmt.Errorf("ending a leftover process: pid %d does not end; end it yourself and start again", pid)
}
