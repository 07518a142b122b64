package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// root gives the Admin API's queries and mutations.
func (s *shopify) root(domain, publicURL, version string) map[string]resolver {
	locked := func(r resolver) resolver {
		return func(args map[string]any) any {
			s.mu.Lock()
			defer s.mu.Unlock()
			return r(args)
		}
	}
	byID := func(args map[string]any) any { return s.node(text(args, "id")) }
	root := map[string]resolver{
		"shop": func(map[string]any) any {
			return object{"__typename": "Shop", "id": "gid://shopify/Shop/1", "name": "Kettle & Leaf", "email": "shop@example.com",
				"myshopifyDomain": domain, "currencyCode": currency, "ianaTimezone": "Europe/Berlin", "url": publicURL + "/sandbox/shop"}
		},
		"currentAppInstallation": func(map[string]any) any {
			granted := []object{}
			for _, scope := range scopes {
				granted = append(granted, object{"__typename": "AccessScope", "handle": scope, "description": scope})
			}
			return object{"__typename": "AppInstallation", "id": "gid://shopify/AppInstallation/1", "accessScopes": granted}
		},
		"job": func(args map[string]any) any {
			return object{"__typename": "Job", "id": text(args, "id"), "done": true}
		},
		"node": byID, "codeDiscountNode": byID, "discountRedeemCodeBulkCreation": byID, "webhookSubscription": byID,
		"codeDiscountNodeByCode": func(args map[string]any) any {
			code, ok := s.codes[upper(text(args, "code"))]
			if !ok {
				return nil
			}
			return s.discountNode(s.discounts[code.Discount])
		},

		"discountCodeBasicCreate": func(args map[string]any) any {
			return s.createDiscount("DiscountCodeBasicCreatePayload", "basicCodeDiscount", args)
		},
		"discountCodeBasicUpdate": func(args map[string]any) any {
			return s.updateDiscount("DiscountCodeBasicUpdatePayload", "basicCodeDiscount", args)
		},
		"discountCodeFreeShippingCreate": func(args map[string]any) any {
			return s.createDiscount("DiscountCodeFreeShippingCreatePayload", "freeShippingCodeDiscount", args)
		},
		"discountCodeFreeShippingUpdate": func(args map[string]any) any {
			return s.updateDiscount("DiscountCodeFreeShippingUpdatePayload", "freeShippingCodeDiscount", args)
		},
		"discountCodeActivate":   func(args map[string]any) any { return s.switchDiscount("DiscountCodeActivatePayload", args, true) },
		"discountCodeDeactivate": func(args map[string]any) any { return s.switchDiscount("DiscountCodeDeactivatePayload", args, false) },
		"discountCodeDelete":     s.deleteDiscount,

		"discountRedeemCodeBulkAdd":        s.addCodes,
		"discountCodeRedeemCodeBulkDelete": s.deleteCodes,

		"webhookSubscriptions":      func(args map[string]any) any { return s.listSubscriptions(args, version) },
		"webhookSubscriptionCreate": func(args map[string]any) any { return s.createSubscription(args, version) },
		"webhookSubscriptionUpdate": func(args map[string]any) any { return s.updateSubscription(args, version) },
		"webhookSubscriptionDelete": s.deleteSubscription,
	}
	for name, r := range root {
		root[name] = locked(r)
	}
	return root
}

// node finds any object by its id.
func (s *shopify) node(id string) any {
	if d, ok := s.discounts[id]; ok {
		return s.discountNode(d)
	}
	if b, ok := s.bulks[id]; ok {
		return b
	}
	for _, sub := range s.subscriptions {
		if sub.ID == id {
			return subscriptionObject(sub, "")
		}
	}
	return nil
}

func (s *shopify) discountNode(d discount) object {
	keys := slices.Clone(s.ofDiscount[d.ID])
	codes := make([]object, 0, len(keys))
	uses := 0
	for _, k := range keys {
		c := s.codes[k]
		uses += c.Uses
		codes = append(codes, codeObject(c))
	}
	money := func(amount any) object {
		return object{"__typename": "MoneyV2", "amount": fmt.Sprint(amount), "currencyCode": currency}
	}
	fields := object{
		"__typename": "DiscountCodeBasic", "title": d.Title, "status": d.status(s.now()), "summary": d.summary(), "shortSummary": d.summary(),
		"startsAt": d.StartsAt, "endsAt": optional(d.EndsAt), "createdAt": d.CreatedAt, "updatedAt": d.UpdatedAt,
		"usageLimit": nil, "appliesOncePerCustomer": d.OnePer, "asyncUsageCount": uses, "recurringCycleLimit": nil,
		"discountClasses": []string{"ORDER"}, "tags": append([]string{}, d.Tags...),
		"combinesWith":       object{"__typename": "DiscountCombinesWith", "orderDiscounts": false, "productDiscounts": false, "shippingDiscounts": false},
		"minimumRequirement": nil,
		"codesCount":         object{"__typename": "Count", "count": len(codes), "precision": "EXACT"},
		"codes":              resolver(func(args map[string]any) any { return connection("DiscountRedeemCode", searched(codes, args), args) }),
	}
	if d.UsageLimit > 0 {
		fields["usageLimit"] = d.UsageLimit
	}
	if d.MinSubtotal.IsPositive() {
		fields["minimumRequirement"] = object{"__typename": "DiscountMinimumSubtotal", "greaterThanOrEqualToSubtotal": money(d.MinSubtotal)}
	}
	switch {
	case d.FreeShipping:
		fields["__typename"], fields["discountClasses"] = "DiscountCodeFreeShipping", []string{"SHIPPING"}
	case d.Percentage.IsPositive():
		fields["customerGets"] = gets(object{"__typename": "DiscountPercentage", "percentage": d.Percentage.InexactFloat64()})
	default:
		fields["customerGets"] = gets(object{"__typename": "DiscountAmount", "amount": money(d.Amount), "appliesOnEachItem": false})
	}
	return object{"__typename": "DiscountCodeNode", "id": d.ID, "codeDiscount": fields}
}

func gets(value object) object { return object{"__typename": "DiscountCustomerGets", "value": value} }

func (d discount) summary() string {
	switch {
	case d.FreeShipping:
		return "Free shipping"
	case d.Percentage.IsPositive():
		return d.Percentage.Shift(2).String() + "% off"
	}
	return d.Amount.StringFixed(2) + " " + currency + " off"
}

// searched gives the codes that a search names: "CODE" or "code:CODE".
func searched(codes []object, args map[string]any) []object {
	search := codeSearch(text(args, "query"))
	if search == "" {
		return codes
	}
	return slices.DeleteFunc(slices.Clone(codes), func(c object) bool { return upper(c["code"].(string)) != search })
}

func codeSearch(query string) string {
	return upper(strings.Trim(strings.TrimPrefix(query, "code:"), `"' `))
}

func codeObject(c redeemCode) object {
	return object{"__typename": "DiscountRedeemCode", "id": c.ID, "code": c.Code, "asyncUsageCount": c.Uses}
}

// connection pages through nodes: a cursor is the id of a node.
// https://shopify.dev/docs/api/usage/pagination-graphql
func connection(kind string, nodes []object, args map[string]any) object {
	if reverse, _ := args["reverse"].(bool); reverse {
		nodes = slices.Clone(nodes)
		slices.Reverse(nodes)
	}
	start, end := 0, len(nodes)
	for i, n := range nodes {
		if cursor(n) == text(args, "after") {
			start = i + 1
		}
		if cursor(n) == text(args, "before") {
			end = i
		}
	}
	end = max(start, end)
	if n, ok := number(args, "first"); ok {
		end = min(end, start+n)
	}
	if n, ok := number(args, "last"); ok {
		start = max(start, end-n)
	}
	page, edges := nodes[start:end], []object{}
	for _, n := range page {
		edges = append(edges, object{"__typename": kind + "Edge", "cursor": cursor(n), "node": n})
	}
	info := object{"__typename": "PageInfo", "hasPreviousPage": start > 0, "hasNextPage": end < len(nodes), "startCursor": nil, "endCursor": nil}
	if len(page) > 0 {
		info["startCursor"], info["endCursor"] = cursor(page[0]), cursor(page[len(page)-1])
	}
	return object{"__typename": kind + "Connection", "nodes": page, "edges": edges, "pageInfo": info}
}

func cursor(n object) string {
	if id, ok := n["id"].(string); ok {
		return id
	}
	code, _ := n["code"].(string)
	return code
}

// newID makes a global id that no other run has made.
func newID(kind string) string {
	return fmt.Sprintf("gid://shopify/%s/%d", kind, 1e12+randomBelow(9e12))
}

func userError(kind, code, message string, field ...string) object {
	e := object{"__typename": kind, "field": field, "message": message}
	if kind == "DiscountUserError" {
		e["code"], e["extraInfo"] = code, nil
	}
	return e
}

func optional(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// text, number and inner read one argument; zero where it is null or left out.
func text(args map[string]any, key string) string {
	s, _ := args[key].(string)
	return s
}

func number(args map[string]any, key string) (int, bool) {
	switch n := args[key].(type) {
	case int64:
		return int(n), true
	case int:
		return n, true
	case float64:
		return int(n), true
	case interface{ Int64() (int64, error) }:
		i, err := n.Int64()
		return int(i), err == nil
	}
	return 0, false
}

func inner(args map[string]any, keys ...string) map[string]any {
	for _, k := range keys {
		args, _ = args[k].(map[string]any)
	}
	return args
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
