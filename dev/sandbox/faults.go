package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Fault is a way in which a vendor fails. It meets the next Times requests that
// would change something at the vendor, or else those that look something up.
type Fault struct {
	Vendor string `json:"vendor"` // "sendgrid", "twilio" or "shopify"
	Kind   string `json:"kind"`   // one of the constants below
	// Accept lets the vendor do the work before it fails: the caller can't tell.
	Accept     bool `json:"accept,omitempty"`
	Lookups    bool `json:"lookups,omitempty"`     // meets requests that only read
	Status     int  `json:"status,omitempty"`      // FaultStatus: what is answered; default 500
	RetryAfter int  `json:"retry_after,omitempty"` // seconds, in the Retry-After header
	RetryDate  bool `json:"retry_date,omitempty"`  // Retry-After names the moment instead
	PerSecond  int  `json:"per_second,omitempty"`  // FaultRate: how many requests a second are let through
	DelayMS    int  `json:"delay_ms,omitempty"`    // FaultLate: how long webhooks are kept back; default 2000
	Times      int  `json:"times,omitempty"`       // zero: until it is cleared
}

// Kinds of faults. Those of requests are counted by the request, those of webhooks
// by the webhook, those of a message's webhooks by the message.
const (
	FaultStatus    = "status"    // an answer with Status
	FaultTimeout   = "timeout"   // no answer until the caller gives up
	FaultTruncated = "truncated" // the answer breaks off in the middle; implies Accept
	FaultReset     = "reset"     // the connection closes without an answer
	FaultThrottled = "throttled" // Shopify's 200 that says the query cost is used up
	FaultTwice     = "twice"     // the answer comes twice on its connection; implies Accept
	FaultDoubled   = "doubled"   // the answer's body stands in it twice; implies Accept
	FaultHTML      = "html"      // a page of HTML, as something in between would answer; with Accept under the vendor's status
	FaultRate      = "rate"      // 429 above PerSecond requests a second; set again, it changes

	FaultDuplicate = "duplicate" // a webhook is sent twice
	FaultSilent    = "silent"    // a webhook is not sent

	FaultReordered = "reordered" // a message's webhooks come in the wrong order
	FaultLate      = "late"      // they come DelayMS later
	FaultEarly     = "early"     // they come before the answer to the call
)

// What a fault meets.
type meets int

const (
	meetsRequests meets = iota
	meetsLookups
	meetsWebhooks
	meetsMessages
)

var kinds = map[string]meets{
	FaultStatus: meetsRequests, FaultTimeout: meetsRequests, FaultTruncated: meetsRequests, FaultReset: meetsRequests,
	FaultThrottled: meetsRequests, FaultTwice: meetsRequests, FaultDoubled: meetsRequests, FaultHTML: meetsRequests, FaultRate: meetsRequests,
	FaultDuplicate: meetsWebhooks, FaultSilent: meetsWebhooks,
	FaultReordered: meetsMessages, FaultLate: meetsMessages, FaultEarly: meetsMessages,
}

func (f Fault) meets() meets {
	if what := kinds[f.Kind]; what != meetsRequests || !f.Lookups {
		return what
	}
	return meetsLookups
}

func (f Fault) validate() error {
	if !slices.Contains([]string{vendorSendGrid, vendorTwilio, vendorShopify}, f.Vendor) {
		return errors.New(`vendor: say "sendgrid", "twilio" or "shopify"`)
	}
	if _, known := kinds[f.Kind]; !known {
		return fmt.Errorf("kind: say one of %s", strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	if f.Kind == FaultThrottled && f.Vendor != vendorShopify {
		return errors.New(`kind: "throttled" is Shopify's; say "status" with 429`)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return errors.New("status: say a number from 200 to 599")
	}
	if f.Times < 0 || f.RetryAfter < 0 || f.PerSecond < 0 || f.DelayMS < 0 {
		return errors.New("times, retry_after, per_second and delay_ms: say numbers from 0")
	}
	if f.Kind == FaultRate && f.Times != 0 {
		return errors.New("times: a rate lasts until it is cleared, or set to another")
	}
	if f.Lookups && (kinds[f.Kind] != meetsRequests || f.Kind == FaultRate || f.Vendor != vendorTwilio) {
		return errors.New(`lookups: only Twilio is asked; say a fault of requests, no "rate"`)
	}
	if kinds[f.Kind] == meetsMessages && f.Vendor == vendorShopify {
		return errors.New("kind: Shopify sends no messages; say \"duplicate\" or \"silent\"")
	}
	return nil
}

type faults struct {
	mu     sync.Mutex
	list   []Fault
	passed map[string]passed // by vendor, for FaultRate
}

// next gives the fault that meets this request, webhook or message, and counts it.
func (f *faults) next(vendor string, what meets) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.list {
		if fault.Vendor != vendor || fault.meets() != what || fault.Kind == FaultRate {
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
	if f.Kind == FaultRate {
		s.faults.list = slices.DeleteFunc(s.faults.list, func(old Fault) bool { return old.Kind == FaultRate && old.Vendor == f.Vendor })
	}
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
