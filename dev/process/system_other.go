//go:build !unix

package process

import (
	"errors"
	"os"
	"syscall"
)

var errUnsupported = errors.New("servers can be started on Linux, macOS and the BSDs only; set DATABASE_URL and TEMPORAL_ADDRESS to running ones, or use docker compose")

func attributes(Command) *syscall.SysProcAttr { return nil }

func guard(int, syscall.Signal) (func(), error) { return nil, errUnsupported }

func born(int) string { return "" }

// Name is what a running process is called; empty where there is none.
func Name(int) string { return "" }

func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

func lockFile(*os.File, bool) (bool, error) { return false, errUnsupported }

func unlockFile(*os.File) {}
