package starter

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// normalise gives what a delivery tells. Our own connections' bodies are one
// event each, in the form of event.Event.
func (b *batch) normalise(d store.Delivery) (event.Batch, error) {
	if d.Body == nil {
		return event.Batch{}, &eventError{reason: "the payload is no longer kept; have the sender send it again", final: true}
	}
	source, err := b.source(d.Connection)
	if err != nil {
		return event.Batch{}, &eventError{reason: "there is no connection " + d.Connection + " that takes webhooks any more; add it to scrip.yaml and replay", final: true, cause: err}
	}
	said, err := integrations.Normalise(source, integrations.Delivery{
		Connection: d.Connection, Topic: d.Topic, Meta: d.Meta, Body: d.Body, SentAt: d.SentAt, ReceivedAt: d.ReceivedAt,
	})
	if err != nil {
		return event.Batch{}, &eventError{reason: "the payload could not be understood as " + cmp.Or(d.Topic, "a webhook") + " of " + d.Connection + "; look at what the sender sends, then replay it", final: true, cause: err}
	}
	return said, nil
}

func (b *batch) source(connection string) (integrations.Source, error) {
	if connection == store.ConnectionAPI || connection == store.ConnectionScrip {
		return own{}, nil
	}
	return b.Sources.Source(connection)
}

// own reads events that came in through the API or that Scrip raised itself.
type own struct{}

var _ integrations.Source = own{}

// Receive is never called: our own events come in through the API's keys.
func (own) Receive(integrations.Request) (integrations.Receipt, error) {
	return integrations.Receipt{}, integrations.ErrAccount
}

func (own) Normalise(d integrations.Delivery) (event.Batch, error) {
	var e event.Event
	if err := json.Unmarshal(d.Body, &e); err != nil {
		return event.Batch{}, err
	}
	return event.Batch{Events: []event.Event{e}}, nil
}

// takeEvidence records what a vendor tells of messages, and closes addresses that
// must not be written to again.
func (b *batch) takeEvidence(ctx context.Context, d store.Delivery, evidence []event.Evidence) error {
	if len(evidence) == 0 {
		return nil
	}
	for i := range evidence {
		if evidence[i].At.IsZero() {
			evidence[i].At = moment(d)
		}
	}
	if err := b.Store.RecordEvidence(ctx, b.tx, b.Sources.OfAccount(d.Connection), evidence...); err != nil {
		return err
	}
	for _, ev := range evidence {
		if ev.Suppress == "" || ev.Address == "" {
			continue
		}
		reason, hard := suppression(ev.Status)
		if err := b.Store.Suppress(ctx, b.tx, ev.Suppress, ev.Address, reason, hard, d.Connection, ev.At); err != nil {
			return err
		}
	}
	return nil
}

// suppression says why an address is closed, and whether also to transactional
// messages: only where nothing can arrive, or the person called it abuse.
func suppression(status string) (reason string, hard bool) {
	switch status {
	case event.StatusComplained:
		return "complaint", true
	case event.StatusUnsubscribed:
		return "unsubscribed", false
	}
	return "hard_bounce", true
}

// moment is when a delivery's events happened where they don't say so themselves.
func moment(d store.Delivery) time.Time {
	if d.SentAt.IsZero() {
		return d.ReceivedAt
	}
	return d.SentAt
}
