package world

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// vendors is where one process reaches the sandbox; it can be away.
type vendors struct {
	address string
	handler http.Handler

	mu     sync.Mutex
	server *http.Server // nil while they are away
}

func (v *vendors) open() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	listener, err := net.Listen("tcp", v.address)
	if err != nil {
		return err
	}
	v.address = listener.Addr().String()
	v.server = quietServer(v.handler)
	go func(s *http.Server) { _ = s.Serve(listener) }(v.server)
	return nil
}

func (v *vendors) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.server != nil {
		_ = v.server.Close()
		v.server = nil
	}
}

// CloseVendors makes every vendor refuse connections, until OpenVendors.
func (w *World) CloseVendors() {
	for _, name := range w.Names() {
		w.processes[name].vendors.close()
	}
}

// OpenVendors ends CloseVendors.
func (w *World) OpenVendors() error {
	var errs []error
	for _, name := range w.Names() {
		errs = append(errs, w.processes[name].vendors.open())
	}
	return errors.Join(errs...)
}

// FillDisk leaves no room on Postgres's disk, until FreeDisk.
func (w *World) FillDisk() error {
	file, err := os.Create(filepath.Join(w.Dir, "postgres", "filler"))
	if err != nil {
		return err
	}
	defer file.Close()
	chunk := make([]byte, 64<<10)
	for {
		if _, err := file.Write(chunk); err != nil {
			if errors.Is(err, syscall.ENOSPC) {
				return nil
			}
			return err
		}
	}
}

// FreeDisk ends FillDisk.
func (w *World) FreeDisk() error { return os.Remove(filepath.Join(w.Dir, "postgres", "filler")) }

// PostgresRuns says whether the server is there: a full disk can end it.
func (w *World) PostgresRuns() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.postgres.Done():
		return false
	default:
		return true
	}
}
