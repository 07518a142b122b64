package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// webhook is one call to Scrip, signed when it is made.
type webhook struct {
	vendor string
	topic  string
	url    string
	header http.Header
	body   []byte
	events []map[string]any // of SendGrid, which may also go with others
}

// Webhook is what became of one.
type Webhook struct {
	At     time.Time `json:"at"`
	Vendor string    `json:"vendor"`
	Topic  string    `json:"topic"`
	URL    string    `json:"url"`
	Status int       `json:"status"` // 0: no answer yet
	Tries  int       `json:"tries"`
	Error  string    `json:"error,omitempty"` // why there was no answer
}

// maxTries is how often an unanswered webhook is sent, a second after the first
// time and twice as long after each further one, up to half a minute. Vendors go
// on for hours.
const maxTries = 10

// webhookLog keeps the newest webhooks for the overview.
type webhookLog struct {
	mu   sync.Mutex
	list []*Webhook
}

func (l *webhookLog) add(w Webhook) *Webhook {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := &w
	l.list = append(l.list, entry)
	if len(l.list) > 200 {
		l.list = l.list[1:]
	}
	return entry
}

func (l *webhookLog) update(entry *Webhook, status int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry.Tries++
	entry.Status, entry.Error = status, ""
	if err != nil {
		entry.Error = err.Error()
	}
}

// Webhooks gives the newest webhooks that were sent to Scrip, newest first.
func (s *Sandbox) Webhooks() []Webhook {
	s.webhooks.mu.Lock()
	defer s.webhooks.mu.Unlock()
	list := make([]Webhook, 0, len(s.webhooks.list))
	for _, w := range s.webhooks.list {
		list = append(list, *w)
	}
	slices.Reverse(list)
	return list
}

// later runs work beside the request that caused it; Settle waits for it.
func (s *Sandbox) later(work func(context.Context)) {
	s.pending.Add(1)
	go func() {
		defer s.pending.Done()
		work(s.ctx)
	}()
}

// pause is the vendor's own time between one thing and the next.
func (s *Sandbox) pause(ctx context.Context) {
	if s.o.Delay > 0 {
		sleep(ctx, s.o.Delay)
	}
}

// post sends a webhook until it is taken, tries run out, or the sandbox closes.
func (s *Sandbox) post(ctx context.Context, w webhook) {
	times := 1
	if f, ok := s.faults.next(w.vendor, meetsWebhooks); ok {
		if f.Kind == FaultSilent {
			return
		}
		times = 2
	}
	for range times {
		entry := s.webhooks.add(Webhook{At: s.o.Now(), Vendor: w.vendor, Topic: w.topic, URL: w.url})
		for try := range maxTries {
			if try > 0 {
				sleep(ctx, min(time.Second<<(try-1), 30*time.Second))
			}
			if ctx.Err() != nil {
				return
			}
			status, err := s.call(ctx, w)
			s.webhooks.update(entry, status, err)
			s.watchers.notify()
			if err == nil && final(status) {
				break
			}
		}
		if entry.Status >= 300 || entry.Status == 0 {
			s.o.Logger.Warn("sandbox: a webhook was not taken", "vendor", w.vendor, "topic", w.topic, "status", entry.Status)
		}
	}
}

// final is an answer after which a webhook is not sent again. Vendors also repeat
// what was refused for good; here it is shown once, on the overview.
func final(status int) bool {
	return status < 500 && status != http.StatusTooManyRequests
}

func (s *Sandbox) call(ctx context.Context, w webhook) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(w.body))
	if err != nil {
		return 0, fmt.Errorf("calling the webhook: %w", err)
	}
	req.Header = w.header.Clone()
	res, err := s.o.HTTP.Do(req)
	if err != nil {
		return 0, fmt.Errorf("calling the webhook: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16))
	return res.StatusCode, nil
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// watchers are the open pages that want to know when something happened.
type watchers struct {
	mu     sync.Mutex
	set    map[chan struct{}]struct{}
	closed bool
}

func (w *watchers) watch() (changes <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		close(c)
		return c, func() {}
	}
	if w.set == nil {
		w.set = map[chan struct{}]struct{}{}
	}
	w.set[c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.set, c)
	}
}

func (w *watchers) notify() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.set {
		select {
		case c <- struct{}{}:
		default: // it has not looked at the last change yet
		}
	}
}

func (w *watchers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for c := range w.set {
		close(c)
	}
	w.set = nil
}
