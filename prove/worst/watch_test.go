package worst

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"scrip.dev/scrip/store"
)

// arrivals is what the vendors saw come in, and what they told that was taken.
type arrivals struct {
	mu   sync.Mutex
	to   map[string][]time.Time // address -> when a message to it came in
	told map[string]bool        // ids of messages that "delivered" was told of
}

// calls notes the moment of every message that comes to a vendor.
func (a *arrivals) calls(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				a.came(body)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		next.ServeHTTP(w, r)
	})
}

func (a *arrivals) came(body []byte) {
	var mail struct {
		Personalizations []struct{ To []struct{ Email string } }
	}
	to := ""
	if json.Unmarshal(body, &mail) == nil && len(mail.Personalizations) == 1 {
		to = mail.Personalizations[0].To[0].Email
	} else if form, err := url.ParseQuery(string(body)); err == nil {
		to = form.Get("To")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.to == nil {
		a.to = map[string][]time.Time{}
	}
	a.to[to] = append(a.to[to], time.Now())
}

func (a *arrivals) of(to string) []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]time.Time{}, a.to[to]...)
}

// hooks notes which deliveries were told and taken.
func (a *arrivals) hooks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(status, r)
		if id := deliveredIn(r, body); id != "" && status.status < 300 {
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.told == nil {
				a.told = map[string]bool{}
			}
			a.told[id] = true
		}
	})
}

func deliveredIn(r *http.Request, body []byte) string {
	var events []struct {
		Event   string
		Message string `json:"scrip_message"`
	}
	if json.Unmarshal(body, &events) == nil {
		if len(events) == 1 && events[0].Event == "delivered" {
			return events[0].Message
		}
		return ""
	}
	if strings.Contains(string(body), "MessageStatus=delivered") {
		return r.URL.Query().Get("m")
	}
	return ""
}

func (a *arrivals) delivered() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	told := map[string]bool{}
	for id := range a.told {
		told[id] = true
	}
	return told
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// resumes stands for Temporal at the end of the outbox: it counts the signals that
// would wake a held journey.
type resumes struct {
	mu sync.Mutex
	by map[string]int
}

func (r *resumes) Start(context.Context, store.OutboxRow) error  { return nil }
func (r *resumes) Cancel(context.Context, store.OutboxRow) error { return nil }
func (r *resumes) Signal(_ context.Context, row store.OutboxRow) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.by[row.JourneyID]++
	return nil
}

func (r *resumes) of(journey string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.by[journey]
}

// silence counts nothing.
type silence struct{}

func (silence) Sent(string, string, string)            {}
func (silence) Skipped(string, string)                 {}
func (silence) Claimed(string, string, time.Duration)  {}
func (silence) Ended(string, string)                   {}
func (silence) NotDone(string, string, string, string) {}
