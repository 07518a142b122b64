package sandbox

import (
	"net/http"
	"strconv"
)

// buy makes an order, then pays it, as a shop does.
func (s *Sandbox) buy(w http.ResponseWriter, r *http.Request, c Checkout) (string, error) {
	if len(c.Lines) == 0 {
		return "", errEmptyCart
	}
	if c.Customer.ID() == 0 {
		return "", errNobody
	}
	if c.Code != "" {
		terms, err := s.lookUp(r.Context(), c, c.Code)
		if err != nil {
			return "", err
		}
		c.Terms = terms
	}
	o := NewOrder(c, 1001+len(s.shop.listOrders()), s.o.Now().UTC())
	if err := s.saveCheckout(o.Checkout); err != nil {
		return "", errShop
	}
	s.shopify.used(c.Code)
	created := OrderBody(o)
	o.Paid = true
	if err := s.shop.save(entry{Order: &o}); err != nil {
		return "", errShop
	}
	s.emit(emitted{"orders/create", created}, emitted{"orders/paid", OrderBody(o)})
	return "Thank you. Order #" + strconv.Itoa(o.Number) + " is paid.", s.freshCart(w, c.Customer)
}

// abandon leaves the cart where it is and takes a new one.
func (s *Sandbox) abandon(w http.ResponseWriter, _ *http.Request, c Checkout) (string, error) {
	if len(c.Lines) == 0 {
		return "", errEmptyCart
	}
	if c.Customer.ID() == 0 {
		return "", errNobody
	}
	if err := s.updated(c); err != nil {
		return "", err
	}
	notice := "The cart is left behind, and here is a new one. Watch the inbox."
	if !c.Customer.AcceptsEmail && !c.Customer.AcceptsSMS {
		notice = "The cart is left behind, and here is a new one. Offers need consent: tick a box under your address to get some."
	}
	return notice, s.freshCart(w, c.Customer)
}

// freshCart gives the visitor, whose details the shop still knows, a new cart.
func (s *Sandbox) freshCart(w http.ResponseWriter, who Customer) error {
	c := NewCheckout(s.o.PublicURL+"/sandbox/shop", s.o.Now().UTC())
	c.Customer = who
	if err := s.saveCheckout(c); err != nil {
		return errShop
	}
	s.setCart(w, c.Token)
	return nil
}

func (s *Sandbox) changeOrder(_ http.ResponseWriter, r *http.Request, _ Checkout) (string, error) {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	o, ok := s.shop.order(id)
	if !ok {
		return "", problem("There is no such order.")
	}
	now := s.o.Now().UTC()
	o.UpdatedAt = now
	var events []emitted
	notice := ""
	switch {
	case r.PathValue("action") == "cancel" && o.CancelledAt.IsZero():
		o.CancelledAt = now
		events = []emitted{{"orders/cancelled", OrderBody(o)}}
		notice = "is cancelled."
	case r.PathValue("action") == "refund" && o.RefundedAt.IsZero():
		o.RefundedAt = now
		events = []emitted{{"refunds/create", RefundBody(o)}, {"orders/updated", OrderBody(o)}}
		notice = "is refunded."
	default:
		return "", problem("This can't be done with the order any more.")
	}
	if err := s.shop.save(entry{Order: &o}); err != nil {
		return "", errShop
	}
	s.emit(events...)
	return "Order #" + strconv.Itoa(o.Number) + " " + notice, nil
}
