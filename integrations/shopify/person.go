package shopify

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

// person is who is at a checkout or bought: its contact addresses and its
// customer, but not the people at its addresses, who may be others.
func (c cart) person(realm string) event.Person {
	var p event.Person
	if c.Customer != nil {
		p = c.Customer.person(realm)
	}
	identify(&p, event.Email, "", c.Email, c.ContactEmail)
	identify(&p, event.Phone, "", c.Phone, c.SMSPhone)
	p.Locale = cmp.Or(string(c.Locale), p.Locale)
	p.Country = cmp.Or(country(c.BillingAddress), country(c.ShippingAddress), p.Country)
	// A box left unticked takes nothing back. The time is that of the checkout's
	// or order's beginning, so that somebody who unsubscribed since stays so.
	if c.AcceptsMarketing {
		p.Consents = append(p.Consents, accepted(event.ChannelEmail, c.CreatedAt))
	}
	if c.AcceptsSMS {
		p.Consents = append(p.Consents, accepted(event.ChannelSMS, c.CreatedAt))
	}
	return p
}

func accepted(channel string, at moment) event.Consent {
	return event.Consent{Channel: channel, State: event.Granted, Source: "shopify checkout", At: at.Time}
}

func (c customer) person(realm string) event.Person {
	p := event.Person{
		FirstName: string(c.FirstName),
		LastName:  string(c.LastName),
		Locale:    string(c.Locale),
		Country:   country(c.DefaultAddress),
	}
	identify(&p, event.External, realm, c.ID)
	identify(&p, event.Email, "", c.Email)
	identify(&p, event.Phone, "", c.Phone)
	for _, tag := range list(string(c.Tags)) {
		p.Tags = append(p.Tags, tag.(string))
	}
	if consent, known := c.EmailConsent.consent(event.ChannelEmail); known {
		consent.At = c.standing(consent.At)
		p.Consents = append(p.Consents, consent)
	}
	if consent, known := c.SMSConsent.consent(event.ChannelSMS); known {
		consent.At = c.standing(consent.At)
		p.Consents = append(p.Consents, consent)
	}
	return p
}

// standing is when a consent that stands in the record was given. Where Shopify
// doesn't say, it is as old as the record: told anew with each webhook, it must
// not seem to be given anew.
func (c customer) standing(at time.Time) time.Time {
	switch {
	case !at.IsZero():
		return at
	case !c.CreatedAt.IsZero():
		return c.CreatedAt.Time
	}
	return time.Unix(0, 0).UTC()
}

func identify(p *event.Person, kind, realm string, values ...text) {
	for _, value := range values {
		identity := event.Identity{Kind: kind, Realm: realm, Value: strings.TrimSpace(string(value))}
		if identity.Value != "" && !slices.Contains(p.Identities, identity) {
			p.Identities = append(p.Identities, identity)
		}
	}
}

// consentStates are the states that say something. not_subscribed is no answer
// ever given; redacted and invalid are about the record, not the person.
//
// https://shopify.dev/docs/api/admin-graphql/latest/enums/CustomerEmailMarketingState
var consentStates = map[string]string{
	"subscribed":   event.Granted,
	"pending":      event.Pending,
	"unsubscribed": event.Denied,
}

func (m *marketingConsent) consent(channel string) (event.Consent, bool) {
	if m == nil {
		return event.Consent{}, false
	}
	state, known := consentStates[strings.ToLower(string(m.State))]
	source := "shopify"
	if m.OptIn != "" {
		source += " " + strings.ToLower(string(m.OptIn))
	}
	return event.Consent{Channel: channel, State: state, Source: source, At: m.UpdatedAt.Time}, known
}

func onCustomer(d integrations.Delivery) (event.Batch, error) {
	var c customer
	if err := decode(d, &c); err != nil {
		return event.Batch{}, err
	}
	if c.ID == "" {
		return event.Batch{}, errResource
	}
	return event.Batch{Events: []event.Event{{
		Type: event.ContactUpdated, OccurredAt: occurred(d, c.UpdatedAt), Person: c.person(d.Connection),
		Fields: map[string]any{
			"created":      d.Topic == "customers/create",
			"state":        string(c.State),
			"orders_count": c.OrdersCount.InexactFloat64(),
			"total_spent":  c.TotalSpent.InexactFloat64(),
			"tags":         list(string(c.Tags)),
		},
	}}}, nil
}

var consentEvents = map[string]string{
	event.Granted: event.ContactOptedIn,
	event.Pending: event.OptInRequested,
	event.Denied:  event.ContactOptedOut,
}

func onConsent(channel string) func(integrations.Delivery) (event.Batch, error) {
	return func(d integrations.Delivery) (event.Batch, error) {
		var u consentUpdate
		if err := decode(d, &u); err != nil {
			return event.Batch{}, err
		}
		told := u.EmailConsent
		if channel == event.ChannelSMS {
			told = u.SMSConsent
		}
		if told == nil {
			return event.Batch{}, errResource
		}
		consent, known := told.consent(channel)
		if !known {
			return event.Batch{}, nil
		}
		at := occurred(d, told.UpdatedAt)
		consent.At = at
		p := event.Person{Consents: []event.Consent{consent}}
		identify(&p, event.External, d.Connection, text(cmp.Or(string(u.CustomerID), string(u.ID))))
		identify(&p, event.Email, "", u.EmailAddress, u.Email)
		identify(&p, event.Phone, "", u.Phone)
		return event.Batch{Events: []event.Event{{
			Type: consentEvents[consent.State], OccurredAt: at, Person: p,
			Fields: map[string]any{
				"channel":        channel,
				"opt_in_level":   strings.ToLower(string(told.OptIn)),
				"collected_from": strings.ToLower(string(told.From)),
			},
		}}}, nil
	}
}

// onPrivacy passes a privacy request on.
//
// https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
func onPrivacy(name string) func(integrations.Delivery) (event.Batch, error) {
	return func(d integrations.Delivery) (event.Batch, error) {
		var r privacyRequest
		if err := decode(d, &r); err != nil {
			return event.Batch{}, err
		}
		e := event.Event{Type: name, OccurredAt: occurred(d), Fields: map[string]any{"shop": string(r.ShopDomain)}}
		if r.DataRequest != nil {
			e.Fields["request_id"] = string(r.DataRequest.ID)
		}
		if r.Customer != nil {
			identify(&e.Person, event.External, d.Connection, r.Customer.ID)
			identify(&e.Person, event.Email, "", r.Customer.Email)
			identify(&e.Person, event.Phone, "", r.Customer.Phone)
		}
		if name != integrations.PrivacyShopRedact && len(e.Person.Identities) == 0 {
			return event.Batch{}, errResource
		}
		return event.Batch{Events: []event.Event{e}}, nil
	}
}

func country(a *address) string {
	if a == nil || len(a.CountryCode) != 2 {
		return ""
	}
	return strings.ToUpper(string(a.CountryCode))
}
