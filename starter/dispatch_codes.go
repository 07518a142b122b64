package starter

import (
	"context"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

// aboutCode is whom an event about a code concerns.
type aboutCode struct {
	journeys []string // that hold the code
	contact  string   // its one holder; "" unknown
}

// code records what an event says of a code, and finds its holders. It returns nil
// for what is on record already, such as the redemption that orders/paid tells
// again after orders/create. A code that isn't ours has no holders and is an event
// all the same: a campaign may begin with it. The event learns the names that
// conditions read.
func (b *batch) code(ctx context.Context, d store.Delivery, e *event.Event, contactID string) (*aboutCode, error) {
	use, news, err := b.recordCode(ctx, d, e, contactID)
	if err != nil || !news {
		return nil, err
	}
	about, coupon := &aboutCode{contact: use.contact}, use.coupon
	if contactID == "" {
		contactID = use.contact
	}
	var holders []store.Holder
	if !use.repeated {
		if holders, err = b.holders(ctx, d, e, contactID); err != nil {
			return nil, err
		}
	}
	for _, h := range holders {
		about.journeys = append(about.journeys, h.JourneyIDs...)
		about.contact, coupon = h.ContactID, h.Coupon
	}
	if e.Fields == nil {
		e.Fields = map[string]any{}
	}
	names := map[string]string{"code": e.Code, "coupon": coupon}
	if e.Order != nil {
		names["order_id"] = e.Order.ID
	}
	for name, value := range names {
		if value != "" && e.Fields[name] == nil {
			e.Fields[name] = value
		}
	}
	return about, nil
}

// holders finds whom an event about a code concerns. What ends one claim of a
// shared code, its expiry, leaves the contact's other claims of it alone.
func (b *batch) holders(ctx context.Context, d store.Delivery, e *event.Event, contactID string) ([]store.Holder, error) {
	assignment, named := e.Fields["assignment_id"].(float64)
	switch {
	case named && d.Connection == store.ConnectionScrip:
		return b.Store.AssignmentHolders(ctx, b.tx, int64(assignment))
	case e.Code == "":
		return nil, nil
	}
	return b.Store.CodeHolders(ctx, b.tx, realm(d, e), e.Code, contactID)
}

// codeUse is what the record of a code's use adds to the event.
type codeUse struct {
	coupon, contact string
	// repeated says that the code's holders have heard of it before: it is an event
	// to campaigns that it may start, and not to journeys.
	repeated bool
}

// recordCode writes what happened to the code; news says whether it was not known.
func (b *batch) recordCode(ctx context.Context, d store.Delivery, e *event.Event, contactID string) (use codeUse, news bool, err error) {
	byHand := d.Connection == store.ConnectionScrip && e.Fields["by_hand"] == true
	if d.Connection == store.ConnectionScrip && !byHand {
		use.coupon, _ = e.Fields["coupon"].(string)
		return use, true, nil // recorded by what raised it
	}
	switch e.Type {
	case event.CodeRedeemed:
		return b.redeem(ctx, d, e, contactID, byHand)
	case event.CodeApplied:
		applied, err := b.Store.CodeApplied(ctx, b.tx, realm(d, e), e.Code, contactID, e.OccurredAt)
		use.repeated = len(applied) == 0
		return use, true, err
	case event.CodeRolledBack:
		if e.Order == nil || e.Order.ID == "" {
			return use, false, &eventError{reason: "code.rolled_back names no order; send order.id", final: true}
		}
		undone, err := b.Store.RollBack(ctx, b.tx, store.RollBackRequest{Realm: realm(d, e), OrderKey: e.Order.ID, Code: e.Code, At: e.OccurredAt})
		if err != nil || len(undone) == 0 {
			return use, false, err
		}
		// An order without a named code may have had several; the others are events
		// of their own.
		for _, other := range undone[1:] {
			if err := store.RaiseRolledBack(ctx, b.tx, other); err != nil {
				return use, false, err
			}
		}
		e.Code = undone[0].Code
		return codeUse{coupon: undone[0].Coupon, contact: undone[0].ContactID}, true, nil
	}
	return use, true, nil
}

func (b *batch) redeem(ctx context.Context, d store.Delivery, e *event.Event, contactID string, byHand bool) (recorded codeUse, news bool, err error) {
	if e.Order == nil || e.Order.ID == "" || e.Code == "" {
		return recorded, false, &eventError{reason: "code.redeemed names no order or no code; send code and order.id", final: true}
	}
	use := store.Use{
		Code: e.Code, Realm: realm(d, e), OrderKey: e.Order.ID, ContactID: contactID, Source: d.Connection, Order: e.Order,
		Manual: byHand, At: e.OccurredAt, Clock: b.Clock, Zone: b.Zone,
	}
	if byHand {
		use.Source = "manual"
	}
	redemption, outcome, err := b.Store.RecordRedemption(ctx, b.tx, use)
	if err != nil || outcome != store.RedeemForeign {
		return codeUse{coupon: redemption.Coupon, contact: redemption.ContactID}, outcome == store.RedeemNew, err
	}
	// A code that the shop made for itself can still start a campaign, once an order.
	heard, err := b.Store.HeardOfOrder(ctx, b.tx, contactID, e.Type, e.Code, e.Order.ID)
	return codeUse{repeated: true}, contactID != "" && !heard, err
}

// realm is the shop whose codes an event's code is compared with; our own events
// may name it.
func realm(d store.Delivery, e *event.Event) string {
	if d.Connection != store.ConnectionAPI && d.Connection != store.ConnectionScrip {
		return d.Connection
	}
	named, _ := e.Fields["realm"].(string)
	return named
}
