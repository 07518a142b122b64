package exact

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"scrip.dev/scrip/store"
)

// claimPlan says which key each claim asks for: three of ten ask for a key that
// another one asks for, too, at the same moment or long before.
type claimPlan struct {
	Claims, Journeys int
}

func (p claimPlan) keys() int { return p.Claims / 10 * 7 }

// key of the n-th claim; a journey has several, by ordinal.
func (p claimPlan) key(n int) int {
	block, place := n/10, n%10
	if place < 7 {
		return block*7 + place
	}
	scattered := int(uint32(n) * 2654435761 >> 1)
	if scattered%2 == 0 {
		return block*7 + scattered/2%7
	}
	return scattered / 2 % (block*7 + 7)
}

func (p claimPlan) journey(key int) int { return key % p.Journeys }
func (p claimPlan) ordinal(key int) int { return key / p.Journeys }

// claimTask is one process of claimers: it makes every Slots-th claim of the plan,
// beginning with those that were asked under this slot before without an answer.
type claimTask struct {
	URL         string
	Plan        claimPlan
	Slot, Slots int
	Claimers    int
	Dir         string // of the histories
	Single      bool   // each claim is of a journey of its own
	Generation  int    // of this slot's process
}

func historyFile(dir string, slot, generation int) string {
	return filepath.Join(dir, fmt.Sprintf("claims-%02d-%03d", slot, generation))
}

func (c *claimTask) run(ctx context.Context) error {
	todo, err := c.todo()
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, c.URL, min(int32(c.Claimers), 24))
	if err != nil {
		return err
	}
	defer s.Close()
	file, err := os.OpenFile(historyFile(c.Dir, c.Slot, c.Generation), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	next := make(chan int)
	go func() {
		defer close(next)
		for _, n := range todo {
			next <- n
		}
	}()
	var claimers sync.WaitGroup
	failed := make(chan error, c.Claimers)
	for range c.Claimers {
		claimers.Go(func() {
			for n := range next {
				if err := c.claim(ctx, s, file, n); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { claimers.Wait(); close(finished) }()
	select {
	case err := <-failed:
		return err
	case <-finished:
		return nil
	}
}

// claim asks until there is an answer that stands, and writes down when it asked
// and what it heard. Each line is one write, so that a kill cuts off at most the
// last one.
func (c *claimTask) claim(ctx context.Context, s *store.Store, file *os.File, n int) error {
	key := n
	if !c.Single {
		key = c.Plan.key(n)
	}
	claim := claimOf(c.Plan.journey(key), c.Plan.ordinal(key))
	for {
		if _, err := fmt.Fprintf(file, "ask %d %d\n", n, time.Now().UnixNano()); err != nil {
			return err
		}
		result, err := s.Claim(ctx, claim)
		if err != nil {
			return fmt.Errorf("claim %d of %s: %w", n, claim.Key, err)
		}
		heard := fmt.Sprintf("heard %d %d %s %s %s\n", n, time.Now().UnixNano(), result.Status,
			orDash(result.Assignment.Code), orDash(result.Assignment.State))
		if _, err := file.WriteString(heard); err != nil {
			return err
		}
		if result.Status != store.ClaimEmpty && result.Status != store.ClaimWaiting {
			return nil
		}
		time.Sleep(5 * time.Millisecond) // until it asks again
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// todo lists the slot's claims that have no answer yet. Those that were under way
// when the process before was killed come first.
func (c *claimTask) todo() ([]int, error) {
	asked, settled := map[int]bool{}, map[int]bool{}
	for generation := range c.Generation {
		err := eachLine(historyFile(c.Dir, c.Slot, generation), func(word string, n int, _ int64, rest []string) error {
			if word == "ask" {
				asked[n] = true
			} else if status := store.ClaimStatus(rest[0]); status != store.ClaimEmpty && status != store.ClaimWaiting {
				settled[n] = true
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var again, fresh []int
	for n := c.Slot; n < c.Plan.Claims; n += c.Slots {
		switch {
		case settled[n]:
		case asked[n]:
			again = append(again, n)
		default:
			fresh = append(fresh, n)
		}
	}
	return append(again, fresh...), nil
}

// eachLine reads a history. A last line that a kill cut off is not heard.
func eachLine(path string, do func(word string, n int, at int64, rest []string) error) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // killed before it began
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil
		}
		words := strings.Fields(line)
		n, errN := strconv.Atoi(words[1])
		at, errAt := strconv.ParseInt(words[2], 10, 64)
		if err := errors.Join(errN, errAt); err != nil {
			return fmt.Errorf("reading %q of %s: %w", line, path, err)
		}
		if err := do(words[0], n, at, words[3:]); err != nil {
			return err
		}
	}
}
