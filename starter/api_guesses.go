package starter

import (
	"context"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// patience is how much guessing is put up with.
type patience struct {
	misses  float64 // codes that don't exist, at once
	perSec  float64 // of them that are forgiven a second
	looking int     // look-ups at a time; what is more waits for its turn
}

var (
	addressPatience = patience{misses: 30, perSec: 0.5, looking: 15}
	keyPatience     = patience{misses: 120, perSec: 2, looking: 60} // from all addresses together
)

const (
	guessSweep  = time.Minute
	maxGuessers = 100_000 // beyond that all new ones count as one
)

// guesses slows down whoever tries out codes: each code that doesn't exist costs
// its address and its key one of a few misses. Codes that do exist cost nothing,
// so that a busy checkout is never slowed down.
type guesses struct {
	mu    sync.Mutex
	all   map[string]*guesser
	swept time.Time
}

func newGuesses() *guesses { return &guesses{all: map[string]*guesser{}} }

// look runs a look-up of a code, unless its caller has missed too often; then
// nothing is looked up, so that the caller learns nothing. lookUp reports whether
// the code was there.
func (g *guesses) look(ctx context.Context, keyID string, address netip.Addr, lookUp func() bool) error {
	// The address comes first: one that waits for its own turn holds none of the
	// key's, which other addresses use too.
	exists := true
	for _, who := range []*guesser{g.of("address "+neighbourhood(address), addressPatience), g.of("key "+keyID, keyPatience)} {
		if err := who.begin(ctx); err != nil {
			return err
		}
		defer func() { who.end(exists) }()
	}
	exists = lookUp()
	return nil
}

func (g *guesses) of(name string, p patience) *guesser {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if now.Sub(g.swept) > guessSweep {
		for name, who := range g.all {
			if who.forgiven(now) {
				delete(g.all, name)
			}
		}
		g.swept = now
	}
	if _, known := g.all[name]; !known && len(g.all) >= maxGuessers {
		name = "others"
	}
	who, known := g.all[name]
	if !known {
		who = &guesser{patience: p, turns: make(chan struct{}, p.looking), left: p.misses, at: now}
		g.all[name] = who
	}
	return who
}

// neighbourhood is the address as it counts: of IPv6 the network, as whoever has
// one address there has all of them.
func neighbourhood(address netip.Addr) string {
	if network, err := address.Prefix(64); address.Is6() && err == nil {
		return network.String()
	}
	return address.String()
}

// guesser is one address or one key.
type guesser struct {
	patience
	turns chan struct{} // of the look-ups under way

	mu   sync.Mutex
	left float64 // misses
	at   time.Time
}

// begin takes a turn, and a miss in advance: a thousand look-ups at once must not
// be a thousand guesses.
func (g *guesser) begin(ctx context.Context) error {
	select {
	case g.turns <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	wait := g.change(-1)
	if wait == 0 {
		return nil
	}
	<-g.turns
	return problem(http.StatusTooManyRequests, "too_many_unknown_codes",
		"too many codes in a row that don't exist; try again in %d seconds", wait).with("Retry-After", strconv.Itoa(wait))
}

// end gives the miss back where it was none.
func (g *guesser) end(exists bool) {
	if exists {
		g.change(1)
	}
	<-g.turns
}

// change adds misses, or takes them: then it changes nothing where there are too
// few, and gives the seconds until there are enough.
func (g *guesser) change(by float64) (wait int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.left = min(g.misses, g.left+now.Sub(g.at).Seconds()*g.perSec)
	g.at = now
	if g.left+by < 0 {
		return int(math.Ceil(-(g.left + by) / g.perSec))
	}
	g.left = min(g.misses, g.left+by)
	return 0
}

// forgiven says that it is as if it had never asked.
func (g *guesser) forgiven(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.turns) == 0 && g.left+now.Sub(g.at).Seconds()*g.perSec >= g.misses
}
