package secrets_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	hexadecimal "encoding/hex"
	"fmt"
	"math/big"
	"slices"
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
	mu    sync.Mutex
	kind  map[string]string   // marker, in lower case -> kind
	forms map[string][][]byte // marker, in lower case -> what it looks like where case counts
}

func newMarkers() *markers {
	return &markers{kind: map[string]string{}, forms: map[string][][]byte{}}
}

func (m *markers) add(kind, marker string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(marker) < 8 {
		panic("too short to be found by chance only: " + marker)
	}
	lower := strings.ToLower(marker)
	m.kind[lower] = kind
	if m.forms[lower] == nil {
		for _, spelt := range slices.Compact(slices.Sorted(slices.Values([]string{marker, lower, strings.ToUpper(marker)}))) {
			m.forms[lower] = append(m.forms[lower], encoded(spelt)...)
		}
	}
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

// in gives the markers that a text holds, with their kinds: as they are in any case
// of letters, and, in the cases in which they are written, as hex and as base64
// wherever in it they begin.
func (m *markers) in(text []byte) map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string]string{}
	lower := bytes.ToLower(text)
	for marker, kind := range m.kind {
		if bytes.Contains(lower, []byte(marker)) || slices.ContainsFunc(m.forms[marker], func(form []byte) bool { return bytes.Contains(text, form) }) {
			found[marker] = kind
		}
	}
	return found
}

// encoded is what a text looks like in hex and in base64, in which it may begin at
// any of three places: of each what doesn't hang on the letters around it. Markers
// have no letters that the two alphabets of base64 write differently.
func encoded(text string) [][]byte {
	digits := hexadecimal.EncodeToString([]byte(text))
	forms := [][]byte{[]byte(digits), []byte(strings.ToUpper(digits))}
	for before := range 3 {
		inside := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), text...))
		forms = append(forms, []byte(inside[(before*8+5)/6:(before+len(text))*8/6]))
	}
	return forms
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
