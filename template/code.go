package template

import "time"

// Code is a promo code as templates see it: {{ code }} prints the string, and
// {{ code.expires_at | date: "%-d %B" }} its last day.
type Code struct {
	Code      string    `liquid:"code"`       // the code itself
	Coupon    string    `liquid:"coupon"`     // the coupon's name
	Discount  string    `liquid:"discount"`   // in words: "10 %", "EUR 50", "free shipping"
	ExpiresAt time.Time `liquid:"expires_at"` // zero: never
	URL       string    `liquid:"url"`        // a link that applies the code in the shop, if there is one
}

// String gives the code itself.
func (c Code) String() string { return c.Code }

// data gives the code as a vendor's template sees it.
func (c Code) data(zone *time.Location) map[string]any {
	out := map[string]any{"code": c.Code, "coupon": c.Coupon, "discount": c.Discount, "url": c.URL}
	if !c.ExpiresAt.IsZero() {
		out["expires_at"] = c.ExpiresAt.In(zone).Format(time.RFC3339)
	}
	return out
}
