package sandbox

import "slices"

func (s *shopify) addCode(discountID, code string) redeemCode {
	c := redeemCode{ID: newID("DiscountRedeemCode"), Discount: discountID, Code: code}
	s.save(change{Code: &c})
	return c
}

// Codes gives the codes that the shop has, each with its discount's id.
func (s *Sandbox) Codes() map[string]string {
	s.shopify.mu.Lock()
	defer s.shopify.mu.Unlock()
	all := make(map[string]string, len(s.shopify.codes))
	for _, c := range s.shopify.codes {
		all[c.Code] = c.Discount
	}
	return all
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
	search := codeSearch(text(args, "search"))
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
