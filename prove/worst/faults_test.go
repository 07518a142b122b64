package worst

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
)

// faults is every way in which a vendor's answer, or what it tells later, goes
// wrong. None of them lies about having taken nothing.
var faults = map[string]sandbox.Fault{
	"5xx after accepting":        {Kind: sandbox.FaultStatus, Status: 500, Accept: true},
	"502 after accepting":        {Kind: sandbox.FaultStatus, Status: 502, Accept: true},
	"503 after accepting":        {Kind: sandbox.FaultStatus, Status: 503, Accept: true},
	"5xx":                        {Kind: sandbox.FaultStatus, Status: 500},
	"503 with Retry-After":       {Kind: sandbox.FaultStatus, Status: 503, RetryAfter: 7},
	"refused":                    {Kind: sandbox.FaultStatus, Status: 400},
	"the key is not taken":       {Kind: sandbox.FaultStatus, Status: 401},
	"time-out":                   {Kind: sandbox.FaultTimeout},
	"time-out after accepting":   {Kind: sandbox.FaultTimeout, Accept: true},
	"reset":                      {Kind: sandbox.FaultReset},
	"reset after accepting":      {Kind: sandbox.FaultReset, Accept: true},
	"truncated":                  {Kind: sandbox.FaultTruncated},
	"answered twice":             {Kind: sandbox.FaultTwice},
	"body doubled":               {Kind: sandbox.FaultDoubled},
	"a page instead":             {Kind: sandbox.FaultHTML},
	"a page after accepting":     {Kind: sandbox.FaultHTML, Accept: true},
	"a page and 502":             {Kind: sandbox.FaultHTML, Status: 502},
	"a page and 502, accepted":   {Kind: sandbox.FaultHTML, Status: 502, Accept: true},
	"429":                        {Kind: sandbox.FaultStatus, Status: 429},
	"429 with Retry-After":       {Kind: sandbox.FaultStatus, Status: 429, RetryAfter: 7},
	"429 with a date":            {Kind: sandbox.FaultStatus, Status: 429, RetryAfter: 7, RetryDate: true},
	"webhooks duplicated":        {Kind: sandbox.FaultDuplicate},
	"webhooks lost":              {Kind: sandbox.FaultSilent},
	"webhooks reordered":         {Kind: sandbox.FaultReordered},
	"webhooks late":              {Kind: sandbox.FaultLate, DelayMS: 400},
	"webhooks before the answer": {Kind: sandbox.FaultEarly},
}

// lookups is how Twilio's list goes wrong while it is asked for a message.
var lookups = map[string]sandbox.Fault{
	"list: 500":          {Kind: sandbox.FaultStatus, Status: 500, Lookups: true},
	"list: 429":          {Kind: sandbox.FaultStatus, Status: 429, RetryAfter: 3, Lookups: true},
	"list: time-out":     {Kind: sandbox.FaultTimeout, Lookups: true},
	"list: truncated":    {Kind: sandbox.FaultTruncated, Lookups: true},
	"list: twice":        {Kind: sandbox.FaultTwice, Lookups: true},
	"list: body doubled": {Kind: sandbox.FaultDoubled, Lookups: true},
	"list: a page":       {Kind: sandbox.FaultHTML, Lookups: true},
}

var vendors = map[string]string{"email": "sendgrid", "sms": "twilio"}

// set lets a fault meet the next requests, webhooks or messages of a channel.
func (w *world) set(channel string, f sandbox.Fault, times int) {
	w.Helper()
	f.Vendor, f.Times = vendors[channel], times
	require.NoError(w, w.sandbox.SetFault(f))
}

// taken says whether the vendor takes every message that this fault meets, at once
// or when it is asked again, and tells of it.
func taken(f sandbox.Fault) bool {
	switch f.Kind {
	case sandbox.FaultSilent:
		return false
	case sandbox.FaultStatus:
		return f.Accept || f.Status == http.StatusTooManyRequests || f.Status == http.StatusUnauthorized || f.RetryAfter > 0
	case sandbox.FaultTimeout, sandbox.FaultReset, sandbox.FaultHTML:
		return f.Accept
	}
	return true
}

// met waits until the faults that were set have met what they were set for, but for
// some times that may be left, and clears those.
func (w *world) met(name string, rest int) {
	defer w.sandbox.ClearFaults()
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		left := 0
		for _, f := range w.sandbox.Faults() {
			left += f.Times
		}
		if left <= rest {
			return
		}
		if w.Failed() || time.Now().After(until) {
			w.Errorf("%s: %d times it met nothing", name, left)
			return
		}
	}
}

// pick gives any one of them.
func pick[T any](dice *rand.Rand, some map[string]T, names []string) T {
	return some[names[dice.IntN(len(names))]]
}
