package sandbox

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Message is one message that a vendor took from Scrip, or that somebody sent
// from the phone.
type Message struct {
	ID         string            `json:"id"`      // the vendor's: X-Message-Id, or the message SID
	Channel    string            `json:"channel"` // "email" or "sms"
	Inbound    bool              `json:"inbound,omitempty"`
	At         time.Time         `json:"at"`
	From       string            `json:"from"`
	FromName   string            `json:"from_name,omitempty"`
	To         string            `json:"to"`
	ToName     string            `json:"to_name,omitempty"`
	Subject    string            `json:"subject,omitempty"`
	Text       string            `json:"text,omitempty"`
	HTML       string            `json:"html,omitempty"`
	Headers    map[string]string `json:"headers,omitempty"`
	CustomArgs map[string]string `json:"custom_args,omitempty"`
	TemplateID string            `json:"template_id,omitempty"` // a template kept at the vendor
	Data       map[string]any    `json:"data,omitempty"`        // what fills it
	Service    string            `json:"service,omitempty"`     // messaging service SID
	StatusURL  string            `json:"status_url,omitempty"`
	Statuses   []Status          `json:"statuses"` // newest last
}

// Status is what the vendor says became of a message, in the vendor's words.
type Status struct {
	Name string    `json:"name"`           // "delivered"
	Code string    `json:"code,omitempty"` // the vendor's error code
	At   time.Time `json:"at"`
}

// Status is the newest one.
func (m Message) Status() Status {
	if len(m.Statuses) == 0 {
		return Status{}
	}
	return m.Statuses[len(m.Statuses)-1]
}

func (m Message) had(status string) bool {
	return slices.ContainsFunc(m.Statuses, func(s Status) bool { return s.Name == status })
}

// mailbox holds every message, oldest first, in memory and in messages.jsonl.
type mailbox struct {
	mu    sync.RWMutex
	order []string
	byID  map[string]Message
	// optedOut holds the numbers that wrote STOP and no START since.
	optedOut map[string]bool
	file     *journal[Message]
}

func openMailbox(dir string) (*mailbox, error) {
	m := &mailbox{byID: map[string]Message{}, optedOut: map[string]bool{}}
	var err error
	m.file, err = openJournal(filepath.Join(dir, "messages.jsonl"), m.put)
	return m, err
}

func (m *mailbox) put(v Message) {
	if _, known := m.byID[v.ID]; !known {
		m.order = append(m.order, v.ID)
	}
	m.byID[v.ID] = v
	if v.Channel != "sms" || !v.Inbound {
		return
	}
	switch optOutType(v.Text) {
	case "STOP":
		m.optedOut[v.From] = true
	case "START":
		delete(m.optedOut, v.From)
	}
}

func (m *mailbox) add(v Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(v)
	return m.file.append(v)
}

// mark adds a status and returns the message; ok is false where there is none.
func (m *mailbox) mark(id string, status Status) (v Message, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok = m.byID[id]; !ok {
		return v, false
	}
	v.Statuses = append(slices.Clone(v.Statuses), status)
	m.put(v)
	return v, m.file.append(v) == nil
}

func (m *mailbox) get(id string) (Message, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.byID[id]
	return v, ok
}

func (m *mailbox) all() []Message {
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := make([]Message, 0, len(m.order))
	for _, id := range m.order {
		list = append(list, m.byID[id])
	}
	return list
}

func (m *mailbox) close() error { return m.file.close() }

// Messages gives every message that was taken, oldest first.
func (s *Sandbox) Messages() []Message { return s.messages.all() }

// listMessages is GET /sandbox/messages?channel=&to=: {"messages": […]}, oldest
// first.
func (s *Sandbox) listMessages(w http.ResponseWriter, r *http.Request) {
	channel, to := r.URL.Query().Get("channel"), r.URL.Query().Get("to")
	list := slices.DeleteFunc(s.Messages(), func(m Message) bool {
		return channel != "" && m.Channel != channel || to != "" && m.To != to
	})
	writeJSON(w, http.StatusOK, map[string]any{"messages": list})
}

func (s *Sandbox) take(m Message) error {
	defer s.watchers.notify()
	return s.messages.add(m)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
