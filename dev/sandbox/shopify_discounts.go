package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

const discountError = "DiscountUserError"

// maxBulk is how many codes one discountRedeemCodeBulkAdd takes.
// https://shopify.dev/docs/api/admin-graphql/latest/mutations/discountRedeemCodeBulkAdd
const maxBulk = 250

func discountPayload(kind string, node any, errs ...object) object {
	if errs == nil {
		errs = []object{}
	}
	return object{"__typename": kind, "codeDiscountNode": node, "userErrors": errs}
}

func (s *shopify) createDiscount(payload, key string, args map[string]any) any {
	in := inner(args, key)
	now := s.now().UTC()
	d := discount{ID: newID("DiscountCodeNode"), CreatedAt: now, FreeShipping: key == "freeShippingCodeDiscount"}
	errs := d.read(in, key, now)
	code := text(in, "code")
	for _, required := range []string{"title", "startsAt"} {
		if in[required] == nil {
			errs = append(errs, userError(discountError, "BLANK", titled(required)+" can't be blank", key, required))
		}
	}
	if in["context"] == nil && in["customerSelection"] == nil {
		errs = append(errs, userError(discountError, "BLANK", "Context can't be blank", key, "context"))
	}
	if !d.FreeShipping && in["customerGets"] == nil {
		errs = append(errs, userError(discountError, "BLANK", "Customer gets can't be blank", key, "customerGets"))
	}
	switch {
	case blank(code):
		errs = append(errs, userError(discountError, "BLANK", "Code can't be blank", key, "code"))
	case s.taken(code):
		errs = append(errs, userError(discountError, "TAKEN", "Code must be unique. Please try a different code.", key, "code"))
	}
	if len(errs) > 0 {
		return discountPayload(payload, nil, errs...)
	}
	s.save(change{Discount: &d})
	s.addCode(d.ID, code)
	return discountPayload(payload, s.discountNode(d))
}

func (s *shopify) updateDiscount(payload, key string, args map[string]any) any {
	d, ok := s.discounts[text(args, "id")]
	if !ok || d.FreeShipping != (key == "freeShippingCodeDiscount") {
		return discountPayload(payload, nil, unknownDiscount("id"))
	}
	in := inner(args, key)
	errs := d.read(in, key, s.now().UTC())
	if code := text(in, "code"); code != "" && !slices.Contains(s.ofDiscount[d.ID], upper(code)) {
		if s.taken(code) {
			errs = append(errs, userError(discountError, "TAKEN", "Code must be unique. Please try a different code.", key, "code"))
		} else if len(errs) == 0 {
			s.addCode(d.ID, code)
		}
	}
	if len(errs) > 0 {
		return discountPayload(payload, nil, errs...)
	}
	s.save(change{Discount: &d})
	return discountPayload(payload, s.discountNode(d))
}

// read takes over the fields that are given.
func (d *discount) read(in map[string]any, key string, now time.Time) (errs []object) {
	d.UpdatedAt = now
	invalid := func(message string, field ...string) {
		errs = append(errs, userError(discountError, "INVALID", message, append([]string{key}, field...)...))
	}
	instant := func(field string, into *time.Time) {
		if in[field] == nil {
			return
		}
		t, err := time.Parse(time.RFC3339, text(in, field))
		if err != nil {
			invalid(titled(field)+" is invalid", field)
		}
		*into = t.UTC()
	}
	money := func(value any, into *decimal.Decimal, field ...string) {
		if value == nil {
			return
		}
		n, err := decimal.NewFromString(fmt.Sprint(value))
		if err != nil || !n.IsPositive() {
			invalid("Value must be positive", field...)
		}
		*into = n
	}
	if in["title"] != nil {
		d.Title = text(in, "title")
	}
	instant("startsAt", &d.StartsAt)
	instant("endsAt", &d.EndsAt)
	if !d.EndsAt.IsZero() && !d.EndsAt.After(d.StartsAt) {
		invalid("Ends at must be after starts at", "endsAt")
	}
	if n, ok := number(in, "usageLimit"); ok {
		d.UsageLimit = n
	}
	if b, ok := in["appliesOncePerCustomer"].(bool); ok {
		d.OnePer = b
	}
	if tags, ok := in["tags"].([]any); ok {
		d.Tags = nil
		for _, t := range tags {
			d.Tags = append(d.Tags, fmt.Sprint(t))
		}
	}
	money(inner(in, "minimumRequirement", "subtotal")["greaterThanOrEqualToSubtotal"], &d.MinSubtotal, "minimumRequirement", "subtotal", "greaterThanOrEqualToSubtotal")
	value := inner(in, "customerGets", "value")
	money(value["percentage"], &d.Percentage, "customerGets", "value", "percentage")
	if d.Percentage.GreaterThan(decimal.NewFromInt(1)) {
		errs = append(errs, userError(discountError, "VALUE_OUTSIDE_RANGE", "Value must be between 0.0 and 1.0", key, "customerGets", "value", "percentage"))
	}
	money(inner(value, "discountAmount")["amount"], &d.Amount, "customerGets", "value", "discountAmount", "amount")
	return errs
}

func (s *shopify) switchDiscount(payload string, args map[string]any, on bool) any {
	d, ok := s.discounts[text(args, "id")]
	if !ok {
		return discountPayload(payload, nil, unknownDiscount("id"))
	}
	now := s.now().UTC()
	d.UpdatedAt = now
	if on {
		d.EndsAt = time.Time{}
		if d.StartsAt.After(now) {
			d.StartsAt = now
		}
	} else if d.EndsAt.IsZero() || d.EndsAt.After(now) {
		d.EndsAt = now
	}
	s.save(change{Discount: &d})
	return discountPayload(payload, s.discountNode(d))
}

func (s *shopify) deleteDiscount(args map[string]any) any {
	d, ok := s.discounts[text(args, "id")]
	if !ok {
		return object{"__typename": "DiscountCodeDeletePayload", "deletedCodeDiscountId": nil, "userErrors": []object{unknownDiscount("id")}}
	}
	d.Deleted = true
	s.save(change{Discount: &d})
	return object{"__typename": "DiscountCodeDeletePayload", "deletedCodeDiscountId": d.ID, "userErrors": []object{}}
}

func unknownDiscount(field string) object {
	return userError(discountError, "INVALID", "Discount does not exist.", field)
}

// titled turns startsAt into "Starts at".
func titled(field string) string {
	var b strings.Builder
	for i, r := range field {
		switch {
		case i == 0:
			b.WriteString(strings.ToUpper(string(r)))
		case r >= 'A' && r <= 'Z':
			b.WriteString(" " + strings.ToLower(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
