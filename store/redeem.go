package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
)

// Use is a code being used, or about to be.
type Use struct {
	Code      string
	Realm     string       // the shop connection; "" looks in all of them
	OrderKey  string       // the shop's order id; "" takes Order.ID
	Reference string       // the caller's checkout, for holds
	ContactID string       // who buys; "" unknown
	Source    string       // the connection that told it, "api", or "manual"
	Order     *event.Order // nil: unknown
	Manual    bool         // told by a person; a later webhook of the order completes it
	At        time.Time    // real; zero is now
	Clock     campaign.Clock
	Zone      *time.Location // the project's; nil is UTC
}

// manualOrderPrefix begins the order keys of redemptions without an order.
const manualOrderPrefix = "manual:"

func (u Use) normalised() Use {
	if u.OrderKey == "" && u.Order != nil {
		u.OrderKey = u.Order.ID
	}
	u.Manual = u.Manual || strings.HasPrefix(u.OrderKey, manualOrderPrefix)
	if u.At.IsZero() {
		u.At = time.Now()
	}
	u.At = u.At.UTC()
	if u.Zone == nil {
		u.Zone = time.UTC
	}
	return u
}

// Redemption is one use of a code in one order.
type Redemption struct {
	ID           string
	Coupon, Code string
	Realm        string // the shop connection whose code it is; "" any
	OrderKey     string
	AssignmentID int64  // 0: nobody held it
	JourneyID    string // the holder's; "" none
	ContactID    string // who bought, else who held it; "" unknown
	Total        decimal.Decimal
	Discount     decimal.Decimal
	Currency     string
	State        string // redeemed or rolled_back
	Flag         Reason // why Scrip would have refused it; "" nothing
	Source       string
	At           time.Time
	RolledBackAt time.Time // zero: it stands
}

const redemptionSelect = `SELECT r.id, cp.name, c.code, c.realm, r.order_key, coalesce(r.assignment_id, 0), coalesce(r.journey_id, ''),
		coalesce(r.contact_id, ''), coalesce(r.total, 0), coalesce(r.discount, 0), r.currency, r.state, r.flag, r.source, r.at,
		r.rolled_back_at
	FROM redemption r JOIN coupon cp ON cp.id = r.coupon_id JOIN code c ON c.batch_id = r.batch_id AND c.pos = r.pos `

func scanRedemption(row pgx.Row) (r Redemption, err error) {
	var undone *time.Time
	err = row.Scan(&r.ID, &r.Coupon, &r.Code, &r.Realm, &r.OrderKey, &r.AssignmentID, &r.JourneyID, &r.ContactID, &r.Total, &r.Discount,
		&r.Currency, &r.State, &r.Flag, &r.Source, &r.At, &undone)
	r.RolledBackAt = orZero(undone)
	return r, notFound(err)
}

// Redeem uses a code in an order for a shop that asks Scrip itself. It is exact
// under any concurrency: no limit is ever passed. A refusal is a *Refused with
// the first Reason that holds. The same code and order again give the same
// redemption, unless it was rolled back: then it is a use like a new one.
// code.redeemed is raised in the same transaction.
func (s *Store) Redeem(ctx context.Context, use Use) (Redemption, error) {
	use = use.normalised()
	if use.OrderKey == "" {
		return Redemption{}, errors.New("redeeming a code: the order's id is needed; without it a repetition cannot be told from a second use")
	}
	var r Redemption
	err := s.InTx(ctx, func(tx *Tx) error {
		st, err := s.standing(ctx, tx, usableBy(use.ContactID), use, true)
		if err != nil {
			return err
		}
		if st.order != nil && st.order.State == "redeemed" {
			r = *st.order
			return nil
		}
		if reason := st.refuse(use, true); reason != "" {
			return &Refused{reason.public()}
		}
		if r, err = st.record(ctx, tx, use, ""); err != nil {
			return err
		}
		return s.raiseRedeemed(ctx, tx, r, use)
	})
	return r, wrapUse("redeeming a code", err)
}

func (s *Store) raiseRedeemed(ctx context.Context, tx *Tx, r Redemption, use Use) error {
	e := r.event(event.CodeRedeemed, use.At)
	if use.ContactID != "" {
		e.Person.Identities = []event.Identity{ContactIdentity(use.ContactID)}
	}
	return RaiseEvent(ctx, tx, e, fmt.Sprintf("%s:%s:%d", e.Type, r.ID, e.OccurredAt.UnixMicro()))
}

// event is what the redemption, or its end, is told as; its fields are those that
// a shop's own webhook gives.
func (r Redemption) event(kind string, at time.Time) event.Event {
	order := event.Order{ID: r.OrderKey, Total: r.Total, Discount: r.Discount, Currency: r.Currency}
	total, discount := r.Total.InexactFloat64(), r.Discount.InexactFloat64()
	return event.Event{Type: kind, OccurredAt: at, Code: r.Code, Order: &order, Fields: map[string]any{
		"code": r.Code, "coupon": r.Coupon, "realm": r.Realm, "order_id": r.OrderKey, "contact_id": r.ContactID,
		"total": total, "discount": discount, "currency": r.Currency, "code_discount": discount,
		"order": map[string]any{"id": r.OrderKey, "total": total, "discount": discount, "currency": r.Currency, "recurring": false},
	}}
}

// CodeStanding is what a shop is told of a code that may be used.
type CodeStanding struct {
	Coupon    string
	Set       string
	Discount  campaign.Discount
	MinOrder  decimal.Decimal // zero: none
	ExpiresAt time.Time       // real; zero: no end
	HolderID  string          // the contact that holds it; "" nobody in particular
}

// Validate says whether a code could be used now, without using it. Where the
// order is not known, its minimum is not asked for. A refusal is a *Refused.
func (s *Store) Validate(ctx context.Context, use Use) (CodeStanding, error) {
	use = use.normalised()
	st, err := s.standing(ctx, s.Pool, usableBy(use.ContactID), use, false)
	if err == nil {
		if reason := st.refuse(use, false); reason != "" {
			err = &Refused{reason.public()}
		}
	}
	if err != nil {
		return CodeStanding{}, wrapUse("checking a code", err)
	}
	doc := st.coupon.Doc
	answer := CodeStanding{Coupon: st.coupon.Name, Set: st.code.set, Discount: doc.Discount, MinOrder: doc.Limits.MinOrder, ExpiresAt: st.expires(use)}
	if st.holder != nil {
		answer.HolderID = st.holder.ContactID
	}
	return answer, nil
}

// wrapUse turns an unknown code into the refusal it is.
func wrapUse(doing string, err error) error {
	if errors.Is(err, ErrNotFound) {
		err = &Refused{ReasonNotFound}
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
