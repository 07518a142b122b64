package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// Fault is a way in which a vendor fails. It meets the next Times requests that
// would change something at the vendor.
type Fault struct {
	Vendor string `json:"vendor"` // "sendgrid", "twilio" or "shopify"
	Kind   string `json:"kind"`   // one of the constants below
	// Accept lets the vendor do the work before it fails: the caller can't tell.
	Accept     bool `json:"accept,omitempty"`
	Status     int  `json:"status,omitempty"`      // FaultStatus: what is answered; default 500
	RetryAfter int  `json:"retry_after,omitempty"` // seconds, in the Retry-After header
	Times      int  `json:"times,omitempty"`       // zero: until it is cleared
}

// Kinds of faults.
const (
	FaultStatus    = "status"    // an answer with Status
	FaultTimeout   = "timeout"   // no answer until the caller gives up
	FaultTruncated = "truncated" // the answer breaks off in the middle; implies Accept
	FaultReset     = "reset"     // the connection closes without an answer
	FaultThrottled = "throttled" // Shopify's 200 that says the query cost is used up
	FaultDuplicate = "duplicate" // webhooks are sent twice
	FaultSilent    = "silent"    // webhooks are not sent
)

func (f Fault) validate() error {
	if !slices.Contains([]string{vendorSendGrid, vendorTwilio, vendorShopify}, f.Vendor) {
		return errors.New(`vendor: say "sendgrid", "twilio" or "shopify"`)
	}
	if !slices.Contains([]string{FaultStatus, FaultTimeout, FaultTruncated, FaultReset, FaultThrottled, FaultDuplicate, FaultSilent}, f.Kind) {
		return errors.New(`kind: say "status", "timeout", "truncated", "reset", "throttled", "duplicate" or "silent"`)
	}
	if f.Kind == FaultThrottled && f.Vendor != vendorShopify {
		return errors.New(`kind: "throttled" is Shopify's; say "status" with 429`)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return errors.New("status: say a number from 200 to 599")
	}
	if f.Times < 0 || f.RetryAfter < 0 {
		return errors.New("times and retry_after: say numbers from 0")
	}
	return nil
}

func (f Fault) ofWebhooks() bool { return f.Kind == FaultDuplicate || f.Kind == FaultSilent }

type faults struct {
	mu   sync.Mutex
	list []Fault
}

// next gives the fault that meets this request or webhook, and counts it.
func (f *faults) next(vendor string, webhook bool) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.list {
		if fault.Vendor != vendor || fault.ofWebhooks() != webhook {
			continue
		}
		if fault.Times == 1 {
			f.list = slices.Delete(f.list, i, i+1)
		} else if fault.Times > 1 {
			f.list[i].Times--
		}
		return fault, true
	}
	return Fault{}, false
}

// SetFault makes a vendor fail from the next request on. Faults of one vendor
// come in the order in which they were set.
func (s *Sandbox) SetFault(f Fault) error {
	if err := f.validate(); err != nil {
		return fmt.Errorf("setting a fault: %w", err)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, f)
	s.watchers.notify()
	return nil
}

// Faults gives the faults that are set.
func (s *Sandbox) Faults() []Fault {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return slices.Clone(s.faults.list)
}

// ClearFaults makes every vendor well again.
func (s *Sandbox) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
	s.watchers.notify()
}

func (s *Sandbox) listFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"faults": s.Faults()})
}

func (s *Sandbox) addFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	dec.DisallowUnknownFields()
	err := dec.Decode(&f)
	if err == nil {
		err = s.SetFault(f)
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	s.listFaults(w, r)
}

func (s *Sandbox) clearFaults(w http.ResponseWriter, r *http.Request) {
	s.ClearFaults()
	s.listFaults(w, r)
}

// failing wraps the requests of a vendor that change something.
func (s *Sandbox) failing(vendor string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, ok := s.faults.next(vendor, false)
		if !ok {
			next(w, r)
			return
		}
		s.watchers.notify()
		answer := &answer{header: http.Header{}, status: http.StatusOK}
		if f.Accept || f.Kind == FaultTruncated {
			next(answer, r)
		}
		switch f.Kind {
		case FaultTimeout:
			select {
			case <-r.Context().Done():
			case <-s.ctx.Done():
			}
			panic(http.ErrAbortHandler)
		case FaultReset:
			panic(http.ErrAbortHandler)
		case FaultThrottled:
			throttled(w)
		case FaultTruncated:
			// Promising more bytes than come makes net/http close the connection.
			w.Header().Set("Content-Length", strconv.Itoa(answer.body.Len()+1024))
			w.WriteHeader(answer.status)
			_, _ = w.Write(answer.body.Bytes()[:answer.body.Len()/2])
			panic(http.ErrAbortHandler)
		default:
			s.refuse(w, vendor, f)
		}
	}
}

// refuse answers as the vendor words its refusals.
func (s *Sandbox) refuse(w http.ResponseWriter, vendor string, f Fault) {
	status := f.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	text := http.StatusText(status)
	switch vendor {
	case vendorTwilio:
		code := 20000 + status // Twilio counts the HTTP statuses so: 20429, 20503
		writeJSON(w, status, map[string]any{"code": code, "message": text, "more_info": "https://www.twilio.com/docs/errors/" + strconv.Itoa(code), "status": status})
	case vendorShopify:
		writeJSON(w, status, map[string]any{"errors": text})
	default:
		writeJSON(w, status, map[string]any{"errors": []any{map[string]any{"message": text, "field": nil, "help": nil}}})
	}
}

// answer collects what a handler says instead of sending it.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
