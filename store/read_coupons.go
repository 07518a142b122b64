package store

import (
	"context"
	"time"

	"scrip.dev/scrip/event"
)

// CouponSummary is a coupon in a list.
type CouponSummary struct {
	Name       string    `json:"name"`
	Pool       string    `json:"pool" enum:"shared,list,generate,shop"`
	State      string    `json:"state" enum:"active,inactive"`
	Realm      string    `json:"shop,omitempty" doc:"the connection whose codes these are"`
	ExternalID string    `json:"external_id,omitempty" doc:"the discount's id in the shop"`
	Waiting    int       `json:"waiting" doc:"journeys that wait for a refill"`
	UpdatedAt  time.Time `json:"updated_at"`
	Source     string    `json:"source" doc:"the document, as applied last"`
}

const couponSummary = `SELECT name, pool, state, realm, external_id, waiters, updated_at, source FROM coupon `

// Coupons lists coupons by name.
func (s *Store) Coupons(ctx context.Context, p Page) ([]CouponSummary, error) {
	return list[CouponSummary](ctx, s.Pool, "coupons", couponSummary+`WHERE name > $1 ORDER BY name LIMIT $2`, p.After, p.Limit)
}

// CouponSummary shows one coupon. The error wraps ErrNotFound.
func (s *Store) CouponSummary(ctx context.Context, name string) (CouponSummary, error) {
	return one[CouponSummary](ctx, s.Pool, "coupon "+name, couponSummary+`WHERE name = $1`, name)
}

// CodeHistory is everything that happened to one code string.
type CodeHistory struct {
	Code        string           `json:"code"`
	Coupon      string           `json:"coupon"`
	Shop        string           `json:"shop,omitempty"`
	Set         string           `json:"set,omitempty"`
	State       string           `json:"state" doc:"available, issuing, assigned, used or withdrawn"`
	ValidUntil  *time.Time       `json:"valid_until,omitempty" doc:"of its import"`
	Assignments []CodeAssignment `json:"assignments" doc:"the newest hundred"`
	Redemptions []CodeRedemption `json:"redemptions" doc:"the newest hundred"`
	Holds       []CodeHold       `json:"holds"`
}

// CodeAssignment is one holder of a code.
type CodeAssignment struct {
	Journey   string     `json:"journey,omitempty"`
	Contact   string     `json:"contact,omitempty"`
	State     string     `json:"state"`
	At        time.Time  `json:"at"`
	ExposedAt *time.Time `json:"exposed_at,omitempty" doc:"since when somebody may have seen it"`
	AppliedAt *time.Time `json:"applied_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// CodeRedemption is one use of a code in one order.
type CodeRedemption struct {
	ID           string     `json:"id"`
	Order        string     `json:"order"`
	Contact      string     `json:"contact,omitempty"`
	Journey      string     `json:"journey,omitempty"`
	Total        *string    `json:"total,omitempty"`
	Discount     *string    `json:"discount,omitempty"`
	Currency     string     `json:"currency,omitempty"`
	State        string     `json:"state" enum:"redeemed,rolled_back"`
	Flag         string     `json:"flag,omitempty" doc:"over_limit, not_holder or expired: the shop took it all the same"`
	Source       string     `json:"source"`
	At           time.Time  `json:"at"`
	RolledBackAt *time.Time `json:"rolled_back_at,omitempty"`
}

// CodeHold is a checkout that has set the code aside.
type CodeHold struct {
	Reference string    `json:"reference"`
	Until     time.Time `json:"until"`
}

// CodeHistories finds a code string, once for each shop that knows it; realm ""
// means every shop. Nothing found is an empty list.
func (s *Store) CodeHistories(ctx context.Context, realm, code string) ([]CodeHistory, error) {
	type place struct {
		Batch, Pos               int64
		Code, Coupon, Realm, Set string
		State                    string
		ValidUntil               *time.Time
	}
	places, err := list[place](ctx, s.Pool, "codes", `SELECT c.batch_id, c.pos, c.code, cp.name, c.realm, b.child_set, c.state, b.valid_until
		FROM code c JOIN batch b ON b.id = c.batch_id JOIN coupon cp ON cp.id = b.coupon_id
		WHERE c.code_norm = $1 AND ($2 = '' OR c.realm = $2)
		AND c.realm IN (SELECT realm FROM coupon UNION SELECT '') ORDER BY c.realm`, event.NormaliseCode(code), realm)
	if err != nil {
		return nil, err
	}
	histories := make([]CodeHistory, len(places))
	for i, p := range places {
		h := CodeHistory{Code: p.Code, Coupon: p.Coupon, Shop: p.Realm, Set: p.Set, State: p.State, ValidUntil: p.ValidUntil}
		if h.Assignments, err = list[CodeAssignment](ctx, s.Pool, "holders of a code", `SELECT coalesce(journey_id, ''), coalesce(contact_id, ''), state,
			created_at, exposed_at, applied_at, expires_at FROM assignment WHERE batch_id = $1 AND pos = $2 ORDER BY id DESC LIMIT 100`, p.Batch, p.Pos); err != nil {
			return nil, err
		}
		if h.Redemptions, err = list[CodeRedemption](ctx, s.Pool, "uses of a code", `SELECT id, order_key, coalesce(contact_id, ''), coalesce(journey_id, ''),
			total::text, discount::text, currency, state, flag, source, at, rolled_back_at
			FROM redemption WHERE batch_id = $1 AND pos = $2 ORDER BY at DESC LIMIT 100`, p.Batch, p.Pos); err != nil {
			return nil, err
		}
		if h.Holds, err = list[CodeHold](ctx, s.Pool, "holds of a code", `SELECT reference, until FROM hold
			WHERE batch_id = $1 AND pos = $2 AND until > now() ORDER BY until LIMIT 100`, p.Batch, p.Pos); err != nil {
			return nil, err
		}
		histories[i] = h
	}
	return histories, nil
}
