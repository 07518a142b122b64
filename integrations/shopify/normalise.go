package shopify

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

// normalisers by topic. Webhooks of another topic give nothing.
//
// Redemption is told by orders/create and orders/paid alike, whichever comes
// first; the store keeps one for a code and an order. It is taken back by
// orders/cancelled, and by orders/updated once financial_status says refunded or
// voided, which Shopify documents as the whole payment. refunds/create says that
// some of an order was refunded, but neither whether that was all nor which
// codes were used, so it takes nothing back.
var normalisers = map[string]func(integrations.Delivery) (event.Batch, error){
	"checkouts/create": onCheckout,
	"checkouts/update": onCheckout,
	"orders/create":    onOrder(event.OrderCreated, event.CodeRedeemed),
	"orders/paid":      onOrder(event.OrderPaid, event.CodeRedeemed),
	"orders/updated":   onOrderUpdated,
	"orders/cancelled": onOrder(event.OrderCancelled, event.CodeRolledBack),
	"refunds/create":   onRefund,
	"customers/create": onCustomer,
	"customers/update": onCustomer,
	"customers_email_marketing_consent/update": onConsent(event.ChannelEmail),
	"customers_marketing_consent/update":       onConsent(event.ChannelSMS),
	"customers/data_request":                   onPrivacy(integrations.PrivacyDataRequested),
	"customers/redact":                         onPrivacy(integrations.PrivacyRedact),
	"shop/redact":                              onPrivacy(integrations.PrivacyShopRedact),
}

// Normalise turns a webhook's body into events, those of codes first.
func (w *Webhooks) Normalise(d integrations.Delivery) (event.Batch, error) {
	normalise, known := normalisers[d.Topic]
	if !known {
		return event.Batch{}, nil
	}
	return normalise(d)
}

// errResource replaces the errors of encoding/json, which repeat input.
var errResource = errors.New("the body is not the resource that Shopify documents for the topic")

func decode(d integrations.Delivery, into any) error {
	if err := json.Unmarshal(d.Body, into); err != nil {
		return fmt.Errorf("reading %s: %w", d.Topic, errResource)
	}
	return nil
}

// occurred is the first time that is known: the body's, which is signed; the
// header's; the arrival.
func occurred(d integrations.Delivery, told ...moment) time.Time {
	for _, m := range told {
		if !m.IsZero() {
			return m.Time
		}
	}
	if !d.SentAt.IsZero() {
		return d.SentAt.UTC()
	}
	return d.ReceivedAt.UTC()
}

// onCheckout tells of a cart whose checkout was begun. One that was completed is
// an order by now, and its own topics tell.
func onCheckout(d integrations.Delivery) (event.Batch, error) {
	var c checkout
	if err := decode(d, &c); err != nil {
		return event.Batch{}, err
	}
	if c.Token == "" {
		return event.Batch{}, fmt.Errorf("reading %s: %w", d.Topic, errResource)
	}
	if !c.CompletedAt.IsZero() {
		return event.Batch{}, nil
	}
	base := event.Event{
		OccurredAt: occurred(d, c.UpdatedAt, c.CreatedAt),
		Person:     c.person(d.Connection),
		Token:      string(c.Token),
		Fields:     c.fields(),
	}
	base.Fields["checkout_token"] = string(c.Token)
	base.Fields["recovery_url"] = string(c.RecoveryURL)
	return batch(base, event.CheckoutUpdated, event.CodeApplied, c.DiscountCodes, nil), nil
}

func onOrder(name, code string) func(integrations.Delivery) (event.Batch, error) {
	return func(d integrations.Delivery) (event.Batch, error) {
		o, err := readOrder(d)
		if err != nil {
			return event.Batch{}, err
		}
		at := occurred(d, o.UpdatedAt, o.CreatedAt)
		switch name {
		case event.OrderCreated:
			at = occurred(d, o.CreatedAt)
		case event.OrderCancelled:
			at = occurred(d, o.CancelledAt, o.UpdatedAt)
		}
		return batch(o.event(d, at), name, code, o.DiscountCodes, o.money()), nil
	}
}

func onOrderUpdated(d integrations.Delivery) (event.Batch, error) {
	o, err := readOrder(d)
	if err != nil {
		return event.Batch{}, err
	}
	if o.FinancialStatus != "refunded" && o.FinancialStatus != "voided" {
		return event.Batch{}, nil
	}
	return batch(o.event(d, occurred(d, o.UpdatedAt)), "", event.CodeRolledBack, o.DiscountCodes, o.money()), nil
}

func readOrder(d integrations.Delivery) (order, error) {
	var o order
	if err := decode(d, &o); err != nil {
		return o, err
	}
	if o.ID == "" {
		return o, fmt.Errorf("reading %s: %w", d.Topic, errResource)
	}
	return o, nil
}

// batch puts an event for each code before the event itself; without a name
// there are only those.
func batch(base event.Event, name, codeName string, codes []discountCode, money *event.Order) event.Batch {
	var b event.Batch
	for _, used := range codes {
		if used.Code == "" {
			continue
		}
		e := base
		e.Type, e.Code = codeName, string(used.Code)
		e.Fields = withCode(base.Fields, used)
		if money != nil {
			own := *money
			own.Discount = used.Amount.Decimal
			e.Order = &own
		}
		b.Events = append(b.Events, e)
	}
	if name != "" {
		base.Type, base.Order = name, money
		b.Events = append(b.Events, base)
	}
	return b
}

func onRefund(d integrations.Delivery) (event.Batch, error) {
	var r refund
	if err := decode(d, &r); err != nil {
		return event.Batch{}, err
	}
	if r.OrderID == "" {
		return event.Batch{}, fmt.Errorf("reading %s: %w", d.Topic, errResource)
	}
	fields, money := r.fields()
	return event.Batch{Events: []event.Event{{
		Type: event.OrderRefunded, OccurredAt: occurred(d, r.CreatedAt), Order: money, Fields: fields,
	}}}, nil
}
