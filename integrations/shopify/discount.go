package shopify

import (
	"time"

	"github.com/shopspring/decimal"

	"scrip.dev/scrip/integrations"
)

var hundred = decimal.NewFromInt(100)

// discountInput writes an offer as Shopify's basic discount, or as its free
// shipping discount where that is what it gives. A code made on demand has one
// holder and is used once; usageLimit counts for each code.
//
// https://shopify.dev/docs/api/admin-graphql/latest/input-objects/DiscountCodeBasicInput
// https://shopify.dev/docs/api/admin-graphql/latest/input-objects/DiscountCodeFreeShippingInput
func discountInput(o integrations.Offer, code string) (input map[string]any, problem string) {
	if o.StartsAt.IsZero() {
		return nil, "starts_at_missing"
	}
	input = map[string]any{
		"title":                  o.Coupon,
		"code":                   code,
		"startsAt":               o.StartsAt.UTC().Format(time.RFC3339),
		"context":                map[string]any{"all": "ALL"},
		"usageLimit":             1,
		"appliesOncePerCustomer": o.PerContact == 1,
	}
	if !o.EndsAt.IsZero() {
		input["endsAt"] = o.EndsAt.UTC().Format(time.RFC3339)
	}
	if o.MinOrder.IsPositive() {
		input["minimumRequirement"] = map[string]any{
			"subtotal": map[string]any{"greaterThanOrEqualToSubtotal": o.MinOrder.String()},
		}
	}
	if o.FreeShipping {
		input["destination"] = map[string]any{"all": true}
		return input, ""
	}
	value, problem := discountValue(o)
	input["customerGets"] = map[string]any{"value": value, "items": map[string]any{"all": true}}
	return input, problem
}

func discountValue(o integrations.Offer) (value map[string]any, problem string) {
	switch {
	case o.Percentage.IsPositive() && o.Amount.IsPositive():
		return nil, "percentage_and_amount"
	case o.Percentage.GreaterThan(hundred):
		return nil, "percentage_over_100"
	case o.Percentage.IsPositive():
		return map[string]any{"percentage": o.Percentage.Div(hundred).InexactFloat64()}, ""
	case o.Amount.IsPositive():
		return map[string]any{"discountAmount": map[string]any{"amount": o.Amount.String(), "appliesOnEachItem": false}}, ""
	}
	return nil, "no_discount"
}
