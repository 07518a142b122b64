package process

import (
	"fmt"
	"os"
	"path/filepath"
)

// Lock is held by one process at a time and let go by the kernel when that
// process ends, however it ends.
type Lock struct{ f *os.File }

// TryLock takes the lock at path. ok is false where another process holds it.
func TryLock(path string) (lock *Lock, ok bool, err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, false, err
	}
	ok, err = lockFile(f, false)
	if err != nil || !ok {
		f.Close()
		return nil, false, wrapLock(path, err)
	}
	return &Lock{f}, true, nil
}

// WaitLock takes the lock at path, waiting for whoever holds it.
func WaitLock(path string) (*Lock, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	if _, err := lockFile(f, true); err != nil {
		f.Close()
		return nil, wrapLock(path, err)
	}
	return &Lock{f}, nil
}

// Release lets the lock go.
func (l *Lock) Release() { l.f.Close() }

func openLock(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, wrapLock(path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	return f, wrapLock(path, err)
}

func wrapLock(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("locking %s: %w", path, err)
}
