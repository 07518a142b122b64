package shopify

import (
	"maps"
	"strings"
	"time"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

// fields are what campaigns read as event.NAME of a checkout or an order. They
// hold no personal data.
func (c cart) fields() map[string]any {
	items := make([]any, 0, len(c.LineItems))
	quantity := 0.0
	for _, line := range c.LineItems {
		quantity += line.Quantity.InexactFloat64()
		items = append(items, map[string]any{
			"sku":        string(line.SKU),
			"product_id": string(line.ProductID),
			"variant_id": string(line.VariantID),
			"title":      string(line.Title),
			"quantity":   line.Quantity.InexactFloat64(),
			"price":      line.Price.InexactFloat64(),
		})
	}
	codes := make([]any, 0, len(c.DiscountCodes))
	for _, used := range c.DiscountCodes {
		codes = append(codes, string(used.Code))
	}
	return map[string]any{
		"cart_token":     string(c.CartToken),
		"total":          c.TotalPrice.InexactFloat64(),
		"subtotal":       c.SubtotalPrice.InexactFloat64(),
		"discount":       c.TotalDiscounts.InexactFloat64(),
		"currency":       string(c.Currency),
		"quantity":       quantity,
		"items":          items,
		"discount_codes": codes,
		"source":         string(c.SourceName),
		"recurring":      c.recurring(),
		"test":           bool(c.Test),
	}
}

// recurring says that an order renews a subscription: those are made by its
// contract, not by a person at the checkout.
func (c cart) recurring() bool {
	return strings.HasPrefix(string(c.SourceName), "subscription_contract")
}

func withCode(fields map[string]any, used discountCode) map[string]any {
	own := maps.Clone(fields)
	own["code"] = string(used.Code)
	own["code_discount"] = used.Amount.InexactFloat64()
	return own
}

// money is the order's side of the redemption record.
func (o order) money() *event.Order {
	return &event.Order{
		ID:       string(o.ID),
		Total:    o.TotalPrice.Decimal,
		Discount: o.TotalDiscounts.Decimal,
		Currency: string(o.Currency),
	}
}

func (o order) event(d integrations.Delivery, at time.Time) event.Event {
	fields := o.fields()
	fields["checkout_token"] = string(o.CheckoutToken)
	fields["order_id"] = string(o.ID)
	fields["order_number"] = o.OrderNumber.InexactFloat64()
	fields["financial_status"] = string(o.FinancialStatus)
	fields["fulfillment_status"] = string(o.FulfillmentStatus)
	fields["cancel_reason"] = string(o.CancelReason)
	fields["tags"] = list(string(o.Tags))
	fields["order"] = map[string]any{
		"id":        fields["order_id"],
		"number":    fields["order_number"],
		"total":     fields["total"],
		"discount":  fields["discount"],
		"currency":  fields["currency"],
		"recurring": fields["recurring"],
	}
	return event.Event{OccurredAt: at, Person: o.person(d.Connection), Token: string(o.CheckoutToken), Fields: fields}
}

// fields of a refund: what was paid back, and of which order.
func (r refund) fields() (map[string]any, *event.Order) {
	money := &event.Order{ID: string(r.OrderID)}
	for _, t := range r.Transactions {
		if t.Kind != "refund" || t.Status != "success" {
			continue
		}
		money.Total = money.Total.Add(t.Amount.Decimal)
		money.Currency = string(t.Currency)
	}
	quantity := 0.0
	for _, line := range r.Lines {
		quantity += line.Quantity.InexactFloat64()
	}
	return map[string]any{
		"refund_id": string(r.ID),
		"order_id":  string(r.OrderID),
		"amount":    money.Total.InexactFloat64(),
		"currency":  money.Currency,
		"quantity":  quantity,
		"order":     map[string]any{"id": string(r.OrderID)},
	}, money
}

// list splits Shopify's comma-separated tags.
func list(tags string) []any {
	split := []any{}
	for _, tag := range strings.Split(tags, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			split = append(split, tag)
		}
	}
	return split
}
