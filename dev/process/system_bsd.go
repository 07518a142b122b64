//go:build unix && !linux

package process

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func attributes(c Command) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if c.Account.UID != 0 {
		attr.Credential = &syscall.Credential{Uid: c.Account.UID, Gid: c.Account.GID}
	}
	return attr
}

// guard stands in for Linux's parent-death signal: a shell that reads from this
// process, and signals the child when the reading ends because nobody is left.
func guard(pid int, sig syscall.Signal) (release func(), err error) {
	cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf("cat >/dev/null; kill -%d %d 2>/dev/null", int(sig), pid))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		// The child is gone; the guard must not signal whoever has its number now.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = in.Close()
		_ = cmd.Wait()
	}, nil
}

func born(pid int) string { return ps(pid, "lstart=") }

// Name is what a running process is called; empty where there is none.
func Name(pid int) string { return filepath.Base(ps(pid, "comm=")) }

func ps(pid int, field string) string {
	out, err := exec.Command("ps", "-o", field, "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
