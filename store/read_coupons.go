package store

import (
	"context"
	"time"
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
