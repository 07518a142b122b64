package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

var contactKeys = []string{"id", "email", "phone", "external_id", "first_name", "last_name", "locale",
	"time_zone", "country", "tags", "attributes", "consent"}

func (e *Event) readContact(raw json.RawMessage) error {
	if absent(raw) {
		return nil
	}
	var w wireContact
	if err := decodeStrictly(raw, &w, "contact", contactKeys); err != nil {
		return err
	}
	p := &e.Person
	*p = Person{FirstName: w.FirstName, LastName: w.LastName, Locale: w.Locale, TimeZone: w.TimeZone,
		Country: strings.ToUpper(w.Country), Tags: w.Tags, Attributes: w.Attributes}
	for _, identity := range []Identity{
		{Kind: External, Realm: OwnRealm, Value: w.ID}, {Kind: Email, Value: w.Email},
		{Kind: Phone, Value: w.Phone}, {Kind: External, Value: w.ExternalID},
	} {
		if identity.Value == "" {
			continue
		}
		if len(identity.Value) > maxIdentity {
			return fmt.Errorf("a contact's address or id is longer than %d bytes", maxIdentity)
		}
		p.Identities = append(p.Identities, identity)
	}
	if p.TimeZone != "" {
		if _, err := time.LoadLocation(p.TimeZone); err != nil || p.TimeZone == "Local" {
			return errors.New("contact.time_zone is not known; write an IANA name, like Europe/Berlin")
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(w.Consent)) {
		consent, err := consentOf(channel, w.Consent[channel])
		if err != nil {
			return err
		}
		p.Consents = append(p.Consents, consent)
	}
	return nil
}

func consentOf(channel string, raw json.RawMessage) (Consent, error) {
	at := "contact.consent." + channel
	if !nameForm.MatchString(channel) {
		return Consent{}, errors.New("contact.consent has a channel whose name is malformed; write email or sms")
	}
	var w wireConsent
	switch text := string(raw); {
	case text == "true":
		w.State = Granted
	case text == "false":
		w.State = Denied
	case strings.HasPrefix(text, `"`):
		if err := json.Unmarshal(raw, &w.State); err != nil {
			return Consent{}, syntax(err)
		}
	default:
		if err := decodeStrictly(raw, &w, at, []string{"state", "at", "source"}); err != nil {
			return Consent{}, err
		}
	}
	if w.State != Granted && w.State != Denied && w.State != Pending {
		return Consent{}, fmt.Errorf("%s must be true, false, granted, denied or pending", at)
	}
	return Consent{Channel: channel, State: w.State, Source: w.Source, At: w.At}, nil
}
