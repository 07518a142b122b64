package process

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Lock is held by one process at a time, until Release or until the process ends,
// however it ends: then the kernel lets go of it.
type Lock struct{ f *os.File }

// held keeps locks that nobody refers to any more from the garbage collector,
// which would close their files and so let go of them.
var held sync.Map // of *Lock

func hold(f *os.File) *Lock {
	l := &Lock{f}
	held.Store(l, nil)
	return l
}

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
	return hold(f), true, nil
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
	return hold(f), nil
}

// Release lets the lock go.
func (l *Lock) Release() {
	held.Delete(l)
	// Closing alone isn't enough: a child that another goroutine is starting has
	// the file open too until it runs its own program.
	unlockFile(l.f)
	l.f.Close()
}

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
