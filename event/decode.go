package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// OwnRealm is the realm of an External identity that is Scrip's own contact id.
const OwnRealm = "scrip"

const (
	maxEvents   = 1000 // in one body
	maxKey      = 200  // bytes of an id, a token or a code
	maxFields   = 64 << 10
	maxDigits   = 24  // of an amount
	maxIdentity = 320 // bytes of an address; the longest e-mail address (RFC 3696)
)

// wireEvent is the public shape of an event; see DecodeJSON.
type wireEvent struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	OccurredAt *time.Time      `json:"occurred_at"`
	Contact    json.RawMessage `json:"contact"`
	Token      string          `json:"token"`
	Code       string          `json:"code"`
	Order      json.RawMessage `json:"order"`
	Fields     json.RawMessage `json:"fields"`
}

type wireContact struct {
	ID         string                     `json:"id"`
	Email      string                     `json:"email"`
	Phone      string                     `json:"phone"`
	ExternalID string                     `json:"external_id"`
	FirstName  string                     `json:"first_name"`
	LastName   string                     `json:"last_name"`
	Locale     string                     `json:"locale"`
	TimeZone   string                     `json:"time_zone"`
	Country    string                     `json:"country"`
	Tags       []string                   `json:"tags"`
	Attributes map[string]any             `json:"attributes"`
	Consent    map[string]json.RawMessage `json:"consent"`
}

type wireOrder struct {
	ID       string          `json:"id"`
	Total    json.RawMessage `json:"total"`
	Discount json.RawMessage `json:"discount"`
	Currency string          `json:"currency"`
}

type wireConsent struct {
	State  string    `json:"state"`
	At     time.Time `json:"at"`
	Source string    `json:"source"`
}

var (
	typeForm = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)
	nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
	// currencyForm is ISO 4217's alphabetic code.
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
)

// DecodeJSON reads events as own systems send them: one object, or an array of at
// most a thousand.
//
//	{"type": "order.paid", "id": "A-1001", "occurred_at": "2026-11-21T10:00:00Z",
//	 "contact": {"email": "anna@example.com", "external_id": "17", "consent": {"email": true}},
//	 "code": "TEN-4711", "order": {"id": "A-1001", "total": "49.90", "discount": 4.99, "currency": "EUR"},
//	 "fields": {"coffee": true}}
//
// Only type is required. The contact's id is Scrip's own, external_id the
// sender's, whose realm the caller fills in; consent is true, false, a state, or
// {state, at, source} by channel. The id is left in Fields as "id"; the same
// event sent twice has the same. What is given of the order is in Fields too,
// under "order", beside whatever fields the sender chose.
//
// A key that isn't known is an error that names the nearest one that is. Errors
// name the place, never the value.
func DecodeJSON(data []byte) ([]Event, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil, errors.New("the body is empty; send an event as a JSON object, or an array of them")
	}
	if data[0] != '[' {
		e, err := decodeEvent(data)
		if err != nil {
			return nil, err
		}
		return []Event{e}, nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, syntax(err)
	}
	if len(raw) == 0 || len(raw) > maxEvents {
		return nil, fmt.Errorf("the array holds %d events; send 1 to %d at once", len(raw), maxEvents)
	}
	events := make([]Event, len(raw))
	for i, one := range raw {
		e, err := decodeEvent(one)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i+1, err)
		}
		events[i] = e
	}
	return events, nil
}

var eventKeys = []string{"id", "type", "occurred_at", "contact", "token", "code", "order", "fields"}

func decodeEvent(data []byte) (Event, error) {
	var w wireEvent
	if err := decodeStrictly(data, &w, "", eventKeys); err != nil {
		return Event{}, err
	}
	if !typeForm.MatchString(w.Type) || len(w.Type) > maxKey {
		return Event{}, errors.New("type is missing or malformed; write it dotted and in lower case, like order.paid")
	}
	for key, value := range map[string]string{"id": w.ID, "token": w.Token, "code": w.Code} {
		if len(value) > maxKey {
			return Event{}, fmt.Errorf("%s is longer than %d bytes", key, maxKey)
		}
	}
	e := Event{Type: w.Type, Token: w.Token, Code: w.Code, Fields: map[string]any{}}
	if w.OccurredAt != nil {
		e.OccurredAt = *w.OccurredAt
	}
	if err := e.readFields(w); err != nil {
		return Event{}, err
	}
	if err := e.readOrder(w.Order); err != nil {
		return Event{}, err
	}
	if err := e.readContact(w.Contact); err != nil {
		return Event{}, err
	}
	if strings.HasPrefix(e.Type, "code.") && e.Code == "" {
		return Event{}, fmt.Errorf("code is missing; %s tells about a code", e.Type)
	}
	return e, nil
}

func (e *Event) readFields(w wireEvent) error {
	if len(w.Fields) > maxFields {
		return fmt.Errorf("fields are larger than %d bytes", maxFields)
	}
	if !absent(w.Fields) {
		if err := json.Unmarshal(w.Fields, &e.Fields); err != nil {
			return errors.New("fields must be an object")
		}
	}
	for key, value := range map[string]string{"id": w.ID, "token": w.Token, "code": w.Code} {
		if value != "" {
			e.Fields[key] = value
		}
	}
	return nil
}

func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

var orderKeys = []string{"id", "total", "discount", "currency"}

func (e *Event) readOrder(raw json.RawMessage) error {
	if absent(raw) {
		return nil
	}
	var w wireOrder
	if err := decodeStrictly(raw, &w, "order", orderKeys); err != nil {
		return err
	}
	if w.ID == "" || len(w.ID) > maxKey {
		return fmt.Errorf("order.id is missing or longer than %d bytes", maxKey)
	}
	total, err := amountOf(w.Total, "order.total")
	if err != nil {
		return err
	}
	discount, err := amountOf(w.Discount, "order.discount")
	if err != nil {
		return err
	}
	currency := strings.ToUpper(w.Currency)
	if currency == "" && (w.Total != nil || w.Discount != nil) {
		return errors.New("order.currency is missing; amounts need one, like EUR")
	}
	if currency != "" && !currencyForm.MatchString(currency) {
		return errors.New("order.currency must be an ISO 4217 code, like EUR")
	}
	e.Order = &Order{ID: w.ID, Total: total, Discount: discount, Currency: currency}
	order := map[string]any{"id": w.ID, "total": total.InexactFloat64(), "discount": discount.InexactFloat64(), "currency": currency}
	if given, ok := e.Fields["order"].(map[string]any); ok {
		maps.Copy(given, order)
		order = given
	}
	e.Fields["order"] = order
	return nil
}

func amountOf(raw json.RawMessage, key string) (decimal.Decimal, error) {
	text := strings.Trim(string(raw), `"`)
	if text == "" || text == "null" {
		return decimal.Decimal{}, nil
	}
	amount, err := ParseAmount(text)
	if err != nil {
		return decimal.Decimal{}, fmt.Errorf("%s must be an amount, like 49.90", key)
	}
	return amount, nil
}

// ParseAmount reads a decimal amount as vendors write them. It refuses what no
// amount looks like, exponents first of all: 1e999999999 would take the memory
// of a machine to print.
func ParseAmount(text string) (decimal.Decimal, error) {
	if len(text) > maxDigits || strings.ContainsAny(text, "eE") {
		return decimal.Decimal{}, errors.New("reading an amount: write plain digits with a point, like 49.90")
	}
	amount, err := decimal.NewFromString(text)
	if err != nil {
		return decimal.Decimal{}, errors.New("reading an amount: write plain digits with a point, like 49.90")
	}
	return amount, nil
}

// InOrder puts the events of one delivery into the order in which campaigns see
// them: those of codes first, else as they came.
func InOrder(events []Event) []Event {
	slices.SortStableFunc(events, func(a, b Event) int { return rank(a) - rank(b) })
	return events
}

func rank(e Event) int {
	if strings.HasPrefix(e.Type, "code.") {
		return 0
	}
	return 1
}
