package starter

import (
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	guessBurst  = 30               // misses that are free
	guessPerSec = 0.5              // misses that are forgiven a second
	guessForget = 10 * time.Minute // a full bucket is the same as none
	maxGuessers = 100_000
)

// guesses slows down whoever tries out codes: each code that doesn't exist costs
// its key and address one of a few misses. Codes that do exist cost nothing, so
// that a busy checkout is never slowed down.
type guesses struct {
	mu      sync.Mutex
	buckets map[string]*guesser
	swept   time.Time
}

type guesser struct {
	misses *rate.Limiter
	last   time.Time
}

func newGuesses() *guesses { return &guesses{buckets: map[string]*guesser{}} }

// allow is asked before a code is looked up, so that a blocked caller learns
// nothing.
func (g *guesses) allow(who string, now time.Time) error {
	left := g.of(who, now).misses.TokensAt(now)
	if left >= 1 {
		return nil
	}
	wait := int(math.Ceil((1 - left) / guessPerSec))
	return problem(http.StatusTooManyRequests, "too_many_unknown_codes",
		"too many codes in a row that don't exist; try again in %d seconds", wait).with("Retry-After", strconv.Itoa(wait))
}

// missed counts a code that doesn't exist.
func (g *guesses) missed(who string, now time.Time) { g.of(who, now).misses.AllowN(now, 1) }

func (g *guesses) of(who string, now time.Time) *guesser {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.swept) > guessForget || len(g.buckets) > maxGuessers {
		for name, bucket := range g.buckets {
			if now.Sub(bucket.last) > guessForget {
				delete(g.buckets, name)
			}
		}
		g.swept = now
	}
	bucket, ok := g.buckets[who]
	if !ok {
		bucket = &guesser{misses: rate.NewLimiter(guessPerSec, guessBurst)}
		g.buckets[who] = bucket
	}
	bucket.last = now
	return bucket
}

// caller names who asks, for the guesses: the key and the address together.
func caller(keyID, remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	return keyID + " " + host
}
