package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	osuser "os/user"
	"path/filepath"
	"strconv"

	"scrip.dev/scrip/dev/process"
)

// chooseAccount says whom Postgres runs as, which refuses to run as root, and
// where its data then lives.
//
// Root's own folders are closed to everybody else, so root first tries a user
// namespace, in which the server owns root's files without being root. Where the
// system refuses that, the data live under /var/lib/scrip and belong to an
// unprivileged user.
func chooseAccount(ctx context.Context, dir string) (home string, account process.Account, err error) {
	if os.Geteuid() != 0 {
		return dir, process.Account{}, nil
	}
	elsewhere := filepath.Join("/var/lib/scrip", digest(dir))
	if _, err := os.Stat(elsewhere); os.IsNotExist(err) {
		account := process.Account{Namespace: true}
		if _, err := process.Run(ctx, account, "/bin/sh", "-c", `test "$(id -u)" != 0 && test -w "$0"`, dir); err == nil {
			return dir, account, nil
		}
	}
	account, err = unprivileged()
	if err != nil {
		return "", account, err
	}
	if err := os.MkdirAll(elsewhere, 0o700); err != nil {
		return "", account, fmt.Errorf("making Postgres's folder: %w", err)
	}
	// MkdirAll gave the parents to root alone as well.
	if err := os.Chmod(filepath.Dir(elsewhere), 0o711); err != nil { // #nosec G302 -- another account has to pass through it
		return "", account, fmt.Errorf("opening Postgres's folder: %w", err)
	}
	return elsewhere, account, chown(account, elsewhere)
}

func unprivileged() (process.Account, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := osuser.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return process.Account{UID: uint32(uid), GID: uint32(gid)}, nil
		}
	}
	return process.Account{}, fmt.Errorf("starting Postgres as root: it refuses to run as root, and there is no user postgres or nobody to run it as; start Scrip as another user, or set DATABASE_URL")
}

func chown(a process.Account, path string) error {
	if a.UID == 0 {
		return nil
	}
	return os.Chown(path, int(a.UID), int(a.GID))
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}
