package exact

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"scrip.dev/scrip/store"
)

// importTask is a process that refills the pool while codes are claimed, file by
// file, a little ahead of the claims. A killed one is begun again and goes on
// where the one before stopped.
type importTask struct {
	URL   string
	Files int
	Codes int // in each file
	Every int // codes that are given between two files
	Dir   string
}

func (i *importTask) run(ctx context.Context) error {
	s, err := store.Open(ctx, i.URL, 4)
	if err != nil {
		return err
	}
	defer s.Close()
	for n := range i.Files {
		done := filepath.Join(i.Dir, fmt.Sprintf("imported-%03d", n))
		if _, err := os.Stat(done); err == nil {
			continue
		}
		if err := i.pace(ctx, s, n); err != nil {
			return err
		}
		// A process that was killed may still hold the import's lock for a moment.
		err := store.ErrImportRunning
		for errors.Is(err, store.ErrImportRunning) {
			_, err = s.ImportCodes(ctx, store.ImportCodes{Coupon: "gift", Format: store.ImportLines},
				strings.NewReader(codeList(n*i.Codes, (n+1)*i.Codes)), nil)
		}
		if err != nil {
			return fmt.Errorf("importing file %d: %w", n, err)
		}
		if err := os.WriteFile(done, nil, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// pace waits until the claims have come near the end of what is there.
func (i *importTask) pace(ctx context.Context, s *store.Store, file int) error {
	for {
		given, err := assigned(ctx, s)
		if err != nil || given >= (file-1)*i.Every {
			return err
		}
		time.Sleep(10 * time.Millisecond) // until it looks again
	}
}

// assigned is about how many codes were given: the ids of assignments count up.
func assigned(ctx context.Context, s *store.Store) (n int, err error) {
	err = s.Pool.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM assignment`).Scan(&n)
	return n, err
}
