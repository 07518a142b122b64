package process

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

func attributes(c Command) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: c.StopSignal}
	switch {
	case c.Account.Namespace:
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getgid(), Size: 1}}
	case c.Account.UID != 0:
		attr.Credential = &syscall.Credential{Uid: c.Account.UID, Gid: c.Account.GID}
	}
	return attr
}

// guard has nothing to do here: the kernel sends the parent-death signal.
func guard(int, syscall.Signal) (release func(), err error) { return func() {}, nil }

// born is when a process began, in clock ticks since boot (field 22 of its
// stat); empty where there is no such process or it is only waited for.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func born(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The name in field 2 may hold spaces and brackets; the fields after it don't.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

// Name is what a running process is called; empty where there is none.
func Name(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
