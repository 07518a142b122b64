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

func (s *shopify) addCode(discountID, code string) redeemCode {
	c := redeemCode{ID: newID("DiscountRedeemCode"), Discount: discountID, Code: code}
	s.save(change{Code: &c})
	return c
}

func (s *shopify) taken(code string) bool {
	_, ok := s.codes[upper(code)]
	return ok
}

// addCodes is asynchronous at Shopify; here it is done at once, but says so only
// when it is asked again.
func (s *shopify) addCodes(args map[string]any) any {
	const payload = "DiscountRedeemCodeBulkAddPayload"
	refused := func(e object) any {
		return object{"__typename": payload, "bulkCreation": nil, "userErrors": []object{e}}
	}
	d, ok := s.discounts[text(args, "discountId")]
	if !ok {
		return refused(unknownDiscount("discountId"))
	}
	list, _ := args["codes"].([]any)
	if len(list) == 0 {
		return refused(userError(discountError, "BLANK", "Codes can't be blank", "codes"))
	}
	if len(list) > maxBulk {
		return refused(userError(discountError, "EXCEEDED_MAX", "The maximum number of codes is 250", "codes"))
	}
	results, failed := []object{}, 0
	for _, item := range list {
		in, _ := item.(map[string]any)
		result := s.bulkCode(d, text(in, "code"))
		if result["discountRedeemCode"] == nil {
			failed++
		}
		results = append(results, result)
	}
	bulk := object{
		"__typename": "DiscountRedeemCodeBulkCreation", "id": newID("DiscountRedeemCodeBulkCreation"), "done": true,
		"createdAt": s.now().UTC(), "codesCount": len(results), "importedCount": len(results) - failed, "failedCount": failed,
		"discountCode": s.discountNode(d),
		"codes":        resolver(func(args map[string]any) any { return connection("DiscountRedeemCodeBulkCreationCode", results, args) }),
	}
	s.bulks[bulk["id"].(string)] = bulk
	begun := object{}
	for k, v := range bulk {
		begun[k] = v
	}
	begun["done"], begun["importedCount"], begun["failedCount"] = false, 0, 0
	return object{"__typename": payload, "bulkCreation": begun, "userErrors": []object{}}
}

func (s *shopify) bulkCode(d discount, code string) object {
	result := object{"__typename": "DiscountRedeemCodeBulkCreationCode", "code": code, "discountRedeemCode": nil, "errors": []object{}}
	switch {
	case blank(code):
		result["errors"] = []object{userError(discountError, "BLANK", "Code can't be blank", "code")}
	case len(code) > 255:
		result["errors"] = []object{userError(discountError, "TOO_LONG", "Code is too long (maximum is 255 characters)", "code")}
	case s.taken(code):
		result["errors"] = []object{userError(discountError, "TAKEN", "Code must be unique. Please try a different code.", "code")}
	default:
		result["discountRedeemCode"] = codeObject(s.addCode(d.ID, code))
	}
	return result
}

// deleteCodes takes ids or a search for one code: "CODE" or "code:CODE".
func (s *shopify) deleteCodes(args map[string]any) any {
	const payload = "DiscountCodeRedeemCodeBulkDeletePayload"
	id := text(args, "discountId")
	if _, ok := s.discounts[id]; !ok {
		return object{"__typename": payload, "job": nil, "userErrors": []object{unknownDiscount("discountId")}}
	}
	ids, _ := args["ids"].([]any)
	search := upper(strings.Trim(strings.TrimPrefix(text(args, "search"), "code:"), `"' `))
	if len(ids) == 0 && search == "" {
		return object{"__typename": payload, "job": nil, "userErrors": []object{
			userError(discountError, "MISSING_ARGUMENT", "Missing expected argument key: 'ids', 'search' or 'saved_search_id'.")}}
	}
	for _, key := range slices.Clone(s.ofDiscount[id]) {
		c := s.codes[key]
		if slices.Contains(ids, any(c.ID)) || search != "" && key == search {
			c.Deleted = true
			s.save(change{Code: &c})
		}
	}
	return object{"__typename": payload, "job": object{"__typename": "Job", "id": newID("Job"), "done": false}, "userErrors": []object{}}
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
