package postgres

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	embedded "github.com/fergusstrange/embedded-postgres"

	"scrip.dev/scrip/dev/process"
)

// oldest is the first major version that has everything the store uses.
const oldest = 15

// candidate is a folder with the binaries of one server.
type candidate struct {
	dir   string
	major int
}

// findBinaries gives the folder of the server binaries: the newest on the
// machine, the ones that fit where a data folder was made by an older version,
// or, with none on the machine, fetched ones.
func findBinaries(home, made string, log *slog.Logger) (string, error) {
	found := installed()
	if made != "" {
		found = slices.DeleteFunc(found, func(c candidate) bool { return strconv.Itoa(c.major) != made })
	}
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b candidate) int { return a.major - b.major }).dir, nil
	}
	fetched, err := fetch(filepath.Join(home, "binaries"), log)
	if err != nil {
		if made != "" {
			return "", fmt.Errorf("finding PostgreSQL %s, by which the data in %s were made: it is not on this machine and can't be fetched (%w); install it, or dump and restore the data with it", made, home, err)
		}
		return "", fmt.Errorf("finding PostgreSQL's server: it is not on this machine and can't be fetched (%w); install it (Debian and Ubuntu: apt-get install postgresql), or set DATABASE_URL to a running server", err)
	}
	if made != "" && strconv.Itoa(fetched.major) != made {
		return "", fmt.Errorf("finding PostgreSQL %s, by which the data in %s were made: only version %d is there; install version %s", made, home, fetched.major, made)
	}
	return fetched.dir, nil
}

// installed lists the servers on this machine that are new enough.
func installed() []candidate {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	var found []candidate
	for _, dir := range dirs {
		if c, ok := inspect(dir); ok && c.major >= oldest {
			found = append(found, c)
		}
	}
	return found
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

func inspect(dir string) (candidate, bool) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return candidate{}, false
	}
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return candidate{}, false
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return candidate{}, false
	}
	major, err := strconv.Atoi(string(m[1]))
	return candidate{dir, major}, err == nil
}

// fetch unpacks a server into dir with the embedded-postgres library. The library
// only fetches on the way to starting a server of its own, so it is given a
// scratch one, which is stopped at once; as root it gets no further than the
// binaries, which is far enough.
func fetch(dir string, log *slog.Logger) (candidate, error) {
	if c, ok := inspect(filepath.Join(dir, "bin")); ok {
		return c, nil
	}
	log.Info("fetching PostgreSQL, once", "system", runtime.GOOS+"/"+runtime.GOARCH)
	port, err := process.Port(0, "Postgres", "DATABASE_URL")
	if err != nil {
		return candidate{}, err
	}
	scratch := dir + ".scratch"
	defer os.RemoveAll(scratch)
	server := embedded.NewDatabase(embedded.DefaultConfig().
		Port(uint32(port)).Logger(io.Discard). // #nosec G115 -- a port
		CachePath(filepath.Join(scratch, "cache")).RuntimePath(filepath.Join(scratch, "run")).
		DataPath(filepath.Join(scratch, "data")).BinariesPath(dir))
	startErr := server.Start()
	if startErr == nil {
		_ = server.Stop()
	}
	c, ok := inspect(filepath.Join(dir, "bin"))
	if !ok {
		return candidate{}, fmt.Errorf("fetching PostgreSQL: %w", startErr)
	}
	return c, nil
}
