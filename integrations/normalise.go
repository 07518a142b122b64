package integrations

import (
	"fmt"
	"math"
	"runtime/debug"
	"strings"

	"scrip.dev/scrip/event"
)

// Normalise asks a source for a delivery's batch and makes it fit for Postgres
// and JSON whatever the vendor sent: NUL characters and broken UTF-8 go, numbers
// that JSON doesn't have become null. A panic becomes an error, so that one
// delivery can't stop the queue.
func Normalise(s Source, d Delivery) (batch event.Batch, err error) {
	defer func() {
		if r := recover(); r != nil {
			batch, err = event.Batch{}, fmt.Errorf("normalising a delivery: panic of %T\n%s", r, debug.Stack())
		}
	}()
	batch, err = s.Normalise(d)
	if err != nil {
		return event.Batch{}, fmt.Errorf("normalising a delivery: %w", err)
	}
	for i := range batch.Events {
		cleanEvent(&batch.Events[i])
	}
	for i := range batch.Evidence {
		e := &batch.Evidence[i]
		cleanText(&e.MessageID, &e.VendorID, &e.Status, &e.Reason, &e.Address)
	}
	return batch, nil
}

func cleanEvent(e *event.Event) {
	cleanText(&e.Type, &e.Token, &e.Code)
	p := &e.Person
	cleanText(&p.FirstName, &p.LastName, &p.Locale, &p.TimeZone, &p.Country)
	for i := range p.Identities {
		cleanText(&p.Identities[i].Kind, &p.Identities[i].Realm, &p.Identities[i].Value)
	}
	for i := range p.Consents {
		cleanText(&p.Consents[i].Channel, &p.Consents[i].State, &p.Consents[i].Source)
	}
	for i := range p.Tags {
		cleanText(&p.Tags[i])
	}
	if e.Order != nil {
		cleanText(&e.Order.ID, &e.Order.Currency)
	}
	p.Attributes, _ = cleanValue(p.Attributes).(map[string]any)
	e.Fields, _ = cleanValue(e.Fields).(map[string]any)
}

func cleanText(texts ...*string) {
	for _, t := range texts {
		*t = Storable(*t)
	}
}

// Storable is a text as Postgres can keep it: what somebody else sent may hold bytes
// that are no letters, or a NUL.
func Storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

func cleanValue(v any) any {
	switch v := v.(type) {
	case string:
		return Storable(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = cleanValue(v[i])
		}
	case map[string]any:
		for key, value := range v {
			if tidy := Storable(key); tidy != key {
				delete(v, key)
				key = tidy
			}
			v[key] = cleanValue(value)
		}
	}
	return v
}
