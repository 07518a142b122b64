package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

// passed counts the requests that a vendor let through within one second.
type passed struct {
	second int64 // Unix
	count  int
}

// limited counts a request against the vendor's rate and says whether it is over
// it; limit is 0 without one.
func (f *faults) limited(vendor string, now time.Time) (limit int, over bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.list {
		if fault.Kind == FaultRate && fault.Vendor == vendor {
			limit = fault.PerSecond
		}
	}
	if limit == 0 {
		return 0, false
	}
	if f.passed == nil {
		f.passed = map[string]passed{}
	}
	p := f.passed[vendor]
	if p.second != now.Unix() {
		p = passed{second: now.Unix()}
	}
	if over = p.count >= limit; !over {
		p.count++
	}
	f.passed[vendor] = p
	return limit, over
}

// tooMany answers a request above the vendor's rate, with the headers that the
// vendor sends: SendGrid names the moment from which it takes requests again,
// Twilio nothing.
// https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits
// https://www.twilio.com/docs/api/errors/20429
func (s *Sandbox) tooMany(w http.ResponseWriter, vendor string) bool {
	now := s.o.Now()
	limit, over := s.faults.limited(vendor, now)
	if !over {
		return false
	}
	s.watchers.notify()
	switch vendor {
	case vendorShopify:
		throttled(w)
		return true
	case vendorSendGrid:
		w.Header().Set("X-RateLimit-Limit", strconv.Itoa(limit))
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(now.Unix()+1, 10))
	}
	s.refuse(w, vendor, Fault{Status: http.StatusTooManyRequests})
	return true
}
