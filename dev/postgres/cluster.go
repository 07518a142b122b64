package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"scrip.dev/scrip/dev/process"
)

// cluster is a data folder and what is needed to run a server on it.
type cluster struct {
	bin      string // folder of the server binaries
	data     string
	password string
	account  process.Account
}

// openCluster finds the binaries and the account, makes the data folder on the
// first start, and clears what a crash left behind.
func openCluster(ctx context.Context, o Options) (cluster, error) {
	c := cluster{}
	home, account, err := chooseAccount(ctx, o.Dir)
	if err != nil {
		return c, err
	}
	c.account, c.data = account, filepath.Join(home, "data")
	made := majorOf(c.data)
	if c.bin, err = findBinaries(home, made, o.Log); err != nil {
		return c, err
	}
	if c.password, err = password(o.Dir, made != ""); err != nil {
		return c, err
	}
	if made == "" {
		o.Log.Info("making a Postgres database cluster", "folder", c.data)
		if err := c.initialise(ctx); err != nil {
			return c, err
		}
	}
	return c, c.clearStaleLock()
}

// initialise runs initdb beside the data folder and renames the result, so that
// one that was interrupted is never taken for a whole one.
func (c cluster) initialise(ctx context.Context) error {
	fresh, secret := c.data+".new", c.data+".password"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("making a database cluster: %w", err)
	}
	if err := os.WriteFile(secret, []byte(c.password), 0o600); err != nil {
		return fmt.Errorf("making a database cluster: %w", err)
	}
	defer os.Remove(secret)
	if err := chown(c.account, secret); err != nil {
		return fmt.Errorf("making a database cluster: %w", err)
	}
	_, err := process.Run(ctx, c.account, filepath.Join(c.bin, "initdb"),
		"--pgdata", fresh, "--username", user, "--pwfile", secret,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", locale(), "--no-instructions")
	if err != nil {
		return fmt.Errorf("making a database cluster: %w", err)
	}
	if err := os.Rename(fresh, c.data); err != nil {
		return fmt.Errorf("making a database cluster: %w", err)
	}
	return nil
}

// locale is one that knows letters beyond ASCII and exists wherever the system
// does.
func locale() string {
	if runtime.GOOS == "linux" {
		return "C.UTF-8"
	}
	return "en_US.UTF-8"
}

// clearStaleLock removes a postmaster.pid whose process is gone. Postgres does so
// itself unless the number now belongs to another process of the same user, as
// it often does in a container.
func (c cluster) clearStaleLock() error {
	path := filepath.Join(c.data, "postmaster.pid")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Postgres's lock file: %w", err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err == nil && process.Name(pid) == "postgres" {
		return fmt.Errorf("starting Postgres: a server with pid %d already runs on %s; stop it first", pid, c.data)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clearing Postgres's lock file: %w", err)
	}
	return nil
}

// majorOf is the version that a data folder was made by; empty where there is none.
func majorOf(data string) string {
	b, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func password(dir string, made bool) (string, error) {
	path := filepath.Join(dir, "password")
	b, err := os.ReadFile(path)
	switch {
	case err == nil && len(b) > 0:
		return strings.TrimSpace(string(b)), nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("reading the database password: %w", err)
	case made:
		return "", fmt.Errorf("reading the database password: %s is missing; put it back, or remove %s to start with an empty database", path, dir)
	}
	secret := rand.Text()
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing the database password: %w", err)
	}
	return secret, nil
}
