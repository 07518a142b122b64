package secrets_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"sync"
)

// Kinds of what must stay where it belongs. Each has a row in the table of places.
const (
	email     = "e-mail address"
	phone     = "phone number"
	name      = "name"
	postal    = "postal address"
	note      = "note of an order or an event" // free text that somebody wrote
	attribute = "attribute of a contact"       // what templates and conditions read
	reply     = "text of an inbound message"
	code      = "code"
	typo      = "wrong input of the API" // an address or a code where it can't be one
	secret    = "secret"
)

// markers are strings that exist nowhere but where this test planted them.
type markers struct {
	mu   sync.Mutex
	kind map[string]string // marker, in lower case -> kind
}

func (m *markers) add(kind, marker string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(marker) < 8 {
		panic("too short to be found by chance only: " + marker)
	}
	m.kind[strings.ToLower(marker)] = kind
	return marker
}

// word makes a marker of letters and digits, which no encoding changes.
func (m *markers) word(kind string) string {
	return m.add(kind, "mk"+strings.ToLower(rand.Text()[:14]))
}

// number makes a German mobile number, whose digits are the marker.
func (m *markers) number() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1e8))
	if err != nil {
		panic(err)
	}
	return "+" + m.add(phone, fmt.Sprintf("49151%08d", n))
}

// in gives the markers that a text holds, with their kinds; also those in its
// base64 and in what decodes as base64 are found.
func (m *markers) in(text []byte) map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string]string{}
	lower := strings.ToLower(string(text))
	for marker, kind := range m.kind {
		if strings.Contains(lower, marker) || strings.Contains(string(text), inner(marker)) {
			found[marker] = kind
		}
	}
	return found
}

// inner is the part of a marker's base64 that stays the same when the marker
// stands alone at the start.
func inner(marker string) string {
	encoded := base64.StdEncoding.EncodeToString([]byte(marker))
	return encoded[:len(marker)/3*4]
}

// person is somebody whose data are markers.
type person struct {
	Email, Phone, First, Last, Street, Note, Attribute string
}

func (m *markers) person() *person {
	return &person{
		Email: m.word(email) + "@example.com", Phone: m.number(), First: m.word(name), Last: m.word(name),
		Street: m.word(postal), Note: m.word(note), Attribute: m.word(attribute),
	}
}

// event is what the API and own webhooks are sent about a person.
func (p *person) event(kind string) map[string]any {
	return map[string]any{
		"type": kind, "fields": map[string]any{"note": p.Note, "street": p.Street, "to": map[string]any{"email": p.Email, "phone": p.Phone}},
		"contact": map[string]any{
			"email": p.Email, "phone": p.Phone, "first_name": p.First, "last_name": p.Last, "country": "DE", "tags": []string{"vip"},
			"attributes": map[string]any{"street": p.Street, "likes": p.Attribute}, "consent": map[string]any{"email": true, "sms": true},
		},
	}
}
