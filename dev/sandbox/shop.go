package sandbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/shopspring/decimal"
)

// product is something the little shop sells.
type product struct {
	ID    int64
	SKU   string
	Title string
	About string
	Price decimal.Decimal
	Hue   int // colour of its picture
}

var products = []product{
	{7001, "TEA-SENCHA", "Spring Sencha", "Green tea, bright and grassy. 100 g", decimal.RequireFromString("14.50"), 96},
	{7003, "TEA-ASSAM", "Brahmaputra Assam", "Black tea, malty and strong. 250 g", decimal.RequireFromString("18.90"), 18},
	{7005, "TEA-OOLONG", "Amber Oolong", "Half-fermented, honey and stone fruit. 100 g", decimal.RequireFromString("22.00"), 38},
	{7007, "POT-CAST", "Cast-iron Pot", "Keeps a litre hot for an hour", decimal.RequireFromString("64.00"), 210},
}

func productBySKU(sku string) (product, bool) {
	i := slices.IndexFunc(products, func(p product) bool { return p.SKU == sku })
	if i < 0 {
		return product{}, false
	}
	return products[i], true
}

// entry is one line of shop.jsonl; exactly one of its fields is set.
type entry struct {
	Checkout *Checkout `json:"checkout,omitempty"`
	Order    *Order    `json:"order,omitempty"`
}

// shop is the state behind the shop page.
type shop struct {
	mu        sync.Mutex
	checkouts map[string]Checkout // by token
	orders    map[int64]Order
	family    string // header family of the webhooks
	file      *journal[entry]
}

func openShop(dir string) (*shop, error) {
	s := &shop{checkouts: map[string]Checkout{}, orders: map[int64]Order{}, family: FamilyClassic}
	var err error
	s.file, err = openJournal(filepath.Join(dir, "shop.jsonl"), s.apply)
	return s, err
}

func (s *shop) apply(e entry) {
	switch {
	case e.Checkout != nil:
		s.checkouts[e.Checkout.Token] = *e.Checkout
	case e.Order != nil:
		s.orders[e.Order.ID] = *e.Order
	}
}

func (s *shop) save(e entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apply(e)
	return s.file.append(e)
}

func (s *shop) checkout(token string) (Checkout, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.checkouts[token]
	return c, ok
}

func (s *shop) order(id int64) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.orders[id]
	return o, ok
}

// listOrders gives every order, newest first.
func (s *shop) listOrders() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Order, 0, len(s.orders))
	for _, o := range s.orders {
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b Order) int { return b.Number - a.Number })
	return list
}

func (s *shop) setFamily(family string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.family = family
}

func (s *shop) headerFamily() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.family
}

func (s *shop) close() error { return s.file.close() }

// Refusals of a code, in the words that the shopper reads.
const (
	errCodeUnknown  = problem("This discount code isn't valid.")
	errCodeNotNow   = problem("This discount code isn't active at the moment.")
	errCodeUsed     = problem("This discount code has reached its usage limit.")
	errCodeUsedByMe = problem("You have used this discount code before.")
	errCodeMinimum  = problem("Your cart is below the minimum for this discount code.")
)

// lookUp finds what a code gives in this checkout: first among the codes made
// through the Admin API, then among those that Scrip tells of.
func (s *Sandbox) lookUp(ctx context.Context, c Checkout, code string) (Terms, error) {
	terms, err := s.shopify.terms(code, func(discountID string) bool { return s.usedBefore(c.Customer, discountID) })
	if errors.Is(err, errCodeUnknown) && s.o.LookUpCode != nil {
		var known bool
		terms, known, err = s.o.LookUpCode(ctx, code)
		if err == nil && !known {
			err = errCodeUnknown
		}
	}
	if err != nil {
		return Terms{}, err
	}
	if c.Subtotal().LessThan(terms.MinOrder) {
		return Terms{}, errCodeMinimum
	}
	return terms, nil
}

func (s *Sandbox) usedBefore(who Customer, discountID string) bool {
	for _, o := range s.shop.listOrders() {
		if strings.EqualFold(o.Checkout.Customer.Email, who.Email) && s.shopify.belongs(o.Checkout.Code, discountID) {
			return true
		}
	}
	return false
}

func (s *shopify) terms(code string, usedBefore func(discountID string) bool) (Terms, error) {
	s.mu.Lock()
	c, ok := s.codes[upper(code)]
	d := s.discounts[c.Discount]
	s.mu.Unlock()
	switch {
	case !ok:
		return Terms{}, errCodeUnknown
	case d.status(s.now()) != "ACTIVE":
		return Terms{}, errCodeNotNow
	case d.UsageLimit > 0 && c.Uses >= d.UsageLimit:
		return Terms{}, errCodeUsed
	case d.OnePer && usedBefore(d.ID):
		return Terms{}, errCodeUsedByMe
	}
	return Terms{Percentage: d.Percentage.Shift(2), Amount: d.Amount, FreeShipping: d.FreeShipping, MinOrder: d.MinSubtotal}, nil
}

func (s *shopify) belongs(code, discountID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.codes[upper(code)]
	return ok && c.Discount == discountID
}

// used counts one use of a code, where it is one of the Admin API's.
func (s *shopify) used(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.codes[upper(code)]; ok {
		c.Uses++
		s.save(change{Code: &c})
	}
}

// emitted is one webhook that the shop sends.
type emitted struct {
	topic string
	body  []byte
}

// emit sends webhooks in their order: to the addresses that subscribed, or to
// Scrip's own where nobody has subscribed to anything yet.
func (s *Sandbox) emit(events ...emitted) {
	family := s.shop.headerFamily()
	s.later(func(ctx context.Context) {
		for _, e := range events {
			addresses, known := s.shopify.subscribed(e.topic)
			if !known {
				addresses = []string{s.o.HookURL(s.o.Connections.Shopify, e.topic)}
			}
			eventID := randomHex(16)
			for _, address := range addresses {
				header := SignShopify(s.o.Secrets.ShopifyClientKey, ShopifyDelivery{
					Topic: e.topic, Shop: s.o.Secrets.ShopifyDomain, EventID: eventID, TriggeredAt: s.o.Now(), Family: family,
				}, e.body)
				s.post(ctx, webhook{vendor: vendorShopify, topic: e.topic, url: address, header: header, body: e.body})
			}
		}
	})
}

func (s *Sandbox) saveCheckout(c Checkout) error {
	if err := s.shop.save(entry{Checkout: &c}); err != nil {
		return fmt.Errorf("keeping the cart: %w", err)
	}
	return nil
}
