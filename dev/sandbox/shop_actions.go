package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const cartCookie = "scrip_sandbox_cart"

func (s *Sandbox) shopRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /sandbox/shop", s.shopPage)
	mux.HandleFunc("GET /sandbox/shop/recover/{token}", s.recoverCart)
	mux.HandleFunc("POST /sandbox/shop/cart", s.shopAction(s.withDetails(s.changeCart)))
	mux.HandleFunc("POST /sandbox/shop/details", s.shopAction(s.changeDetails))
	mux.HandleFunc("POST /sandbox/shop/code", s.shopAction(s.withDetails(s.applyCode)))
	mux.HandleFunc("POST /sandbox/shop/buy", s.shopAction(s.withDetails(s.buy)))
	mux.HandleFunc("POST /sandbox/shop/abandon", s.shopAction(s.withDetails(s.abandon)))
	mux.HandleFunc("POST /sandbox/shop/orders/{id}/{action}", s.shopAction(s.changeOrder))
	mux.HandleFunc("POST /sandbox/shop/signature", s.shopAction(s.changeFamily))
}

// action changes the visitor's checkout; its notice is what the page then says.
type action func(w http.ResponseWriter, r *http.Request, c Checkout) (notice string, err error)

// problem is a refusal in the words that the shopper reads.
type problem string

func (p problem) Error() string { return string(p) }

const (
	errShop      = problem("Something went wrong in the shop; look at Scrip's log.")
	errEmptyCart = problem("Put something into the cart first.")
	errNobody    = problem("Say who you are first: save an e-mail address or a phone number.")
)

// shopAction runs an action on the visitor's cart and shows the shop again.
func (s *Sandbox) shopAction(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "The form could not be read.", http.StatusBadRequest)
			return
		}
		c := s.cart(w, r)
		notice, err := do(w, r, c)
		target := "/sandbox/shop?notice=" + escape(notice)
		if err != nil {
			target = "/sandbox/shop?problem=" + escape(err.Error()) + "&code=" + escape(r.PostFormValue("code"))
		}
		s.watchers.notify()
		http.Redirect(w, r, target, http.StatusSeeOther)
	}
}

// cart is the visitor's open checkout, a new one where there is none.
func (s *Sandbox) cart(w http.ResponseWriter, r *http.Request) Checkout {
	if cookie, err := r.Cookie(cartCookie); err == nil {
		if c, ok := s.shop.checkout(cookie.Value); ok && c.CompletedAt.IsZero() {
			return c
		}
	}
	c := NewCheckout(s.o.PublicURL+"/sandbox/shop", s.o.Now().UTC())
	s.setCart(w, c.Token)
	return c
}

func (s *Sandbox) setCart(w http.ResponseWriter, token string) {
	http.SetCookie(w, &http.Cookie{Name: cartCookie, Value: token, Path: "/sandbox/shop", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: 30 * 24 * 3600}) // #nosec G124 -- the sandbox is plain HTTP on this machine
}

// recoverCart is where the link of an abandoned checkout leads; a code in ?discount=
// is applied, as Shopify does.
func (s *Sandbox) recoverCart(w http.ResponseWriter, r *http.Request) {
	c, ok := s.shop.checkout(r.PathValue("token"))
	target := "/sandbox/shop?problem=" + escape("This cart is not there any more.")
	if ok && c.CompletedAt.IsZero() {
		s.setCart(w, c.Token)
		target = "/sandbox/shop?notice=" + escape("Here is your cart again.")
		if code := r.URL.Query().Get("discount"); code != "" {
			target += "&code=" + escape(code)
		}
	}
	http.Redirect(w, r, target, http.StatusSeeOther) // #nosec G710 -- a path of this server; what came from outside is escaped
}

// changeCart sets the quantity of one product.
func (s *Sandbox) changeCart(_ http.ResponseWriter, r *http.Request, c Checkout) (string, error) {
	p, ok := productBySKU(r.PostFormValue("sku"))
	n, err := strconv.Atoi(r.PostFormValue("quantity"))
	if !ok || err != nil || n < 0 || n > 99 {
		return "", problem("Choose a product and a quantity from 0 to 99.")
	}
	c.Lines = slices.Clone(c.Lines)
	at := slices.IndexFunc(c.Lines, func(l Line) bool { return l.SKU == p.SKU })
	if r.PostFormValue("add") != "" && at >= 0 {
		n = min(99, n+c.Lines[at].Quantity)
	}
	switch {
	case n == 0 && at >= 0:
		c.Lines = slices.Delete(c.Lines, at, at+1)
	case n > 0 && at >= 0:
		c.Lines[at].Quantity = n
	case n > 0:
		c.Lines = append(c.Lines, Line{ProductID: p.ID, SKU: p.SKU, Title: p.Title, Quantity: n, Price: p.Price})
	}
	if n == 0 {
		return p.Title + " is taken out of the cart.", s.updated(c)
	}
	return p.Title + " is in your cart.", s.updated(c)
}

// updated keeps a changed checkout and, once the shop knows whose it is, tells
// Scrip, after what else there is to tell.
func (s *Sandbox) updated(c Checkout, first ...emitted) error {
	c.UpdatedAt = s.o.Now().UTC()
	if err := s.saveCheckout(c); err != nil {
		return errShop
	}
	if c.Customer.ID() != 0 {
		s.emit(append(first, emitted{"checkouts/update", CheckoutBody(c)})...)
	}
	return nil
}

// withDetails first saves the details that were typed beside the button, if there
// are any: nobody should have to type them twice.
func (s *Sandbox) withDetails(do action) action {
	return func(w http.ResponseWriter, r *http.Request, c Checkout) (string, error) {
		typed := customerOf(r, c.Customer)
		if !r.PostForm.Has("email") || typed.ID() == 0 || typed == c.Customer {
			return do(w, r, c)
		}
		if _, err := s.changeDetails(w, r, c); err != nil {
			return "", err
		}
		c, _ = s.shop.checkout(c.Token)
		return do(w, r, c)
	}
}

// customerOf is who the form says the visitor is; the rest is as before.
func customerOf(r *http.Request, c Customer) Customer {
	c.Email = strings.TrimSpace(r.PostFormValue("email"))
	c.Phone = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(r.PostFormValue("phone"))
	c.FirstName = strings.TrimSpace(r.PostFormValue("first_name"))
	c.LastName = strings.TrimSpace(r.PostFormValue("last_name"))
	c.AcceptsEmail = r.PostFormValue("accepts_email") != ""
	c.AcceptsSMS = r.PostFormValue("accepts_sms") != ""
	return c
}

func (s *Sandbox) changeDetails(_ http.ResponseWriter, r *http.Request, c Checkout) (string, error) {
	before, now := c.Customer, s.o.Now().UTC()
	c.Customer = customerOf(r, c.Customer)
	if c.Customer.Email != "" && !validAddress(c.Customer.Email) {
		return "", problem("This is not an e-mail address.")
	}
	if c.Customer.Phone != "" && !e164.MatchString(c.Customer.Phone) {
		return "", problem("Write the phone number with its country: +49 151 23456789.")
	}
	if c.Customer.ID() == 0 {
		return "", problem("Say at least an e-mail address or a phone number.")
	}
	var consents []emitted
	newcomer := before.ID() != c.Customer.ID()
	if c.Customer.Email != "" && (before.AcceptsEmail != c.Customer.AcceptsEmail || newcomer && c.Customer.AcceptsEmail) {
		c.Customer.ConsentAt = now
		consents = append(consents, emitted{"customers_email_marketing_consent/update", EmailConsentBody(c.Customer)})
	}
	if c.Customer.Phone != "" && (before.AcceptsSMS != c.Customer.AcceptsSMS || newcomer && c.Customer.AcceptsSMS) {
		c.Customer.ConsentAt = now
		consents = append(consents, emitted{"customers_marketing_consent/update", SMSConsentBody(c.Customer)})
	}
	return "Your details are saved.", s.updated(c, consents...)
}

func (s *Sandbox) applyCode(_ http.ResponseWriter, r *http.Request, c Checkout) (string, error) {
	if r.PostFormValue("remove") != "" {
		c.Code, c.Terms = "", Terms{}
		return "The code is removed.", s.updated(c)
	}
	code := strings.TrimSpace(r.PostFormValue("code"))
	if code == "" {
		return "", problem("Type a discount code first.")
	}
	if len(c.Lines) == 0 {
		return "", errEmptyCart
	}
	terms, err := s.lookUp(r.Context(), c, code)
	if err != nil {
		return "", err
	}
	c.Code, c.Terms = code, terms
	return "The code is applied.", s.updated(c)
}

func (s *Sandbox) changeFamily(_ http.ResponseWriter, r *http.Request, _ Checkout) (string, error) {
	family := r.PostFormValue("family")
	if !slices.Contains([]string{FamilyClassic, FamilyEvents, FamilyBoth}, family) {
		return "", problem("Choose one of the header families.")
	}
	s.shop.setFamily(family)
	return "Webhooks are now signed with the chosen headers.", nil
}
