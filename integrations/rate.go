package integrations

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// Rate is a limit as it stands in scrip.yaml: `10/s`, `600/m`, `5000/h`. The zero
// value is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

var (
	rateForm  = regexp.MustCompile(`^([1-9][0-9]{0,6})/(s|m|h)$`)
	rateUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}
)

// ParseRate reads the written form.
func ParseRate(text string) (Rate, error) {
	parts := rateForm.FindStringSubmatch(text)
	if parts == nil {
		return Rate{}, fmt.Errorf("reading a rate: write a number, a slash, and s, m or h, like 10/s")
	}
	count, err := strconv.Atoi(parts[1])
	if err != nil {
		return Rate{}, fmt.Errorf("reading a rate: %w", err)
	}
	return Rate{count, rateUnits[parts[2]]}, nil
}

// UnmarshalText reads the written form, for settings.
func (r *Rate) UnmarshalText(text []byte) error {
	parsed, err := ParseRate(string(text))
	if err != nil {
		return Problems{{"rate", "is not a rate; write a number, a slash, and s, m or h, like 10/s"}}
	}
	*r = parsed
	return nil
}

// longestPace is how long a call waits for its turn before it is put off.
const longestPace = time.Second

// Pacer keeps a connection's calls under its rate in this process.
type Pacer struct {
	limiter *rate.Limiter
	vendor  string
}

// NewPacer makes a connection's pacer; a zero rate never holds anything up.
func NewPacer(vendor string, r Rate) *Pacer {
	limit := rate.Inf
	if r.Count > 0 {
		limit = rate.Limit(float64(r.Count) / r.Per.Seconds())
	}
	// A second's worth may go at once; more would be a burst the vendor refuses.
	burst := max(1, int(float64(r.Count)/max(r.Per.Seconds(), 1)))
	return &Pacer{rate.NewLimiter(limit, burst), vendor}
}

// Take waits for a turn, at most a second. A longer wait is answered with an
// *Error of class RateLimited whose RetryAfter is that wait, so that nobody
// sleeps inside an activity.
func (p *Pacer) Take(ctx context.Context, doing string) error {
	turn := p.limiter.Reserve()
	wait := turn.Delay()
	if wait == 0 {
		return nil
	}
	if wait > longestPace {
		turn.Cancel()
		return &Error{Class: RateLimited, Vendor: p.vendor, Doing: doing, Code: "own_rate", RetryAfter: wait}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		turn.Cancel()
		return &Error{Class: Retry, Vendor: p.vendor, Doing: doing, Code: "cancelled"}
	}
}
