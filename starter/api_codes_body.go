package starter

import (
	"net/http"
	"time"

	"github.com/shopspring/decimal"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
)

// money is an amount as decimal text, such as "49.90".
type money string

func (m money) decimal() (decimal.Decimal, error) {
	if m == "" {
		return decimal.Zero, nil
	}
	d, err := event.ParseAmount(string(m))
	if err != nil || d.IsNegative() || d.Exponent() < -6 || len(m) > 20 {
		return d, problem(http.StatusUnprocessableEntity, "invalid_request", "an amount is text such as \"49.90\"")
	}
	return d, nil
}

type orderBody struct {
	ID       string `json:"id" minLength:"1" maxLength:"200" doc:"the shop's order id"`
	Total    money  `json:"total,omitempty" example:"49.90" doc:"what is paid"`
	Discount money  `json:"discount,omitempty" example:"4.99" doc:"what the code takes off"`
	Currency string `json:"currency,omitempty" pattern:"^[A-Z]{3}$"`
}

type holdBody struct {
	Who
	Reference string     `json:"reference" minLength:"1" maxLength:"200" doc:"the checkout"`
	For       string     `json:"for,omitempty" default:"15m" doc:"how long, at most 1d"`
	Order     *orderBody `json:"order,omitempty" doc:"if known: checked against the coupon's minimum and budget"`
}

type held struct {
	Code      string    `json:"code"`
	Reference string    `json:"reference"`
	Until     time.Time `json:"until"`
}

type released struct {
	Code      string `json:"code"`
	Reference string `json:"reference"`
}

type redeemBody struct {
	Who
	Order     orderBody `json:"order"`
	Reference string    `json:"reference,omitempty" maxLength:"200" doc:"the checkout that holds the code"`
}

type redemption struct {
	ID       string    `json:"id"`
	Coupon   string    `json:"coupon"`
	Code     string    `json:"code"`
	Order    string    `json:"order"`
	Contact  string    `json:"contact,omitempty"`
	Journey  string    `json:"journey,omitempty"`
	Total    string    `json:"total"`
	Discount string    `json:"discount"`
	Currency string    `json:"currency,omitempty"`
	State    string    `json:"state" enum:"redeemed,rolled_back"`
	At       time.Time `json:"at"`
}

type rolledBack struct {
	Redemptions []redemption `json:"redemptions" doc:"what was taken back; empty where it was before"`
}

type validity struct {
	Valid     bool               `json:"valid"`
	Reason    string             `json:"reason,omitempty" doc:"why not: not_found, inactive, not_yet_valid, expired, used, held, min_order, per_contact_limit, limit_reached or budget"`
	Detail    string             `json:"detail,omitempty" doc:"the reason as a sentence"`
	Coupon    string             `json:"coupon,omitempty"`
	Set       string             `json:"set,omitempty"`
	Discount  *campaign.Discount `json:"discount,omitempty"`
	MinOrder  string             `json:"min_order,omitempty"`
	ExpiresAt *time.Time         `json:"expires_at,omitempty"`
}

type withdrawn struct {
	Code string `json:"code"`
	Shop int    `json:"shop" doc:"in how many shops it was deactivated"`
}
