package starter

import (
	"context"
	"errors"
	"net/http"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// CouponName is a path with a coupon in it.
type CouponName struct {
	Name string `path:"name" maxLength:"64" doc:"the coupon's name"`
}

type assignBody struct {
	Who
	Set      string `json:"set,omitempty" maxLength:"64" doc:"child set; default: any"`
	Key      string `json:"key,omitempty" maxLength:"200" doc:"the same key gets the same code, for ever; default: the Idempotency-Key"`
	ValidFor string `json:"valid_for,omitempty" example:"7d" doc:"default: the coupon's"`
}

type assigned struct {
	Coupon    string     `json:"coupon"`
	Set       string     `json:"set,omitempty"`
	Code      string     `json:"code"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"absent: no end"`
	Contact   string     `json:"contact,omitempty"`
}

func (a *api) couponRoutes() {
	const tag = "Coupons"
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/coupons", "list-coupons", tag, "List coupons"),
		func(ctx context.Context, in *PageQuery) (*answer[pageOf[store.CouponSummary]], error) {
			page, err := in.page()
			if err != nil {
				return nil, err
			}
			coupons, err := a.Store.Coupons(ctx, page)
			if err != nil {
				return nil, err
			}
			return reply(paged(*in, coupons, func(c store.CouponSummary) string { return c.Name }))
		})
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/coupons/{name}", "show-coupon", tag, "Show a coupon"),
		func(ctx context.Context, in *CouponName) (*answer[store.CouponSummary], error) {
			coupon, err := a.Store.CouponSummary(ctx, in.Name)
			if err != nil {
				return nil, err
			}
			return reply(coupon)
		})
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/coupons/{name}/stats", "coupon-stats", tag, "Count a coupon's codes by what became of them"),
		func(ctx context.Context, in *CouponName) (*answer[couponStats], error) {
			stats, err := a.Store.CouponStats(ctx, in.Name)
			if err != nil {
				return nil, err
			}
			return reply(couponStatsOf(in.Name, stats))
		})
	handle(a, store.ScopeCodes, creates(describe(op(http.MethodPost, "/v1/coupons/{name}/assign", "assign-code", tag, "Give somebody a code, outside any campaign"),
		"For support desks, pop-ups and automation tools. Without a contact the code belongs to nobody in particular."), http.StatusCreated), a.assign)
	a.importRoute()
}

type assignInput struct {
	CouponName
	Header string `header:"Idempotency-Key" maxLength:"200" hidden:"true"`
	Body   assignBody
}

func (a *api) assign(ctx context.Context, in *assignInput) (*answer[assigned], error) {
	key := in.Body.Key
	if key == "" {
		key = in.Header
	}
	if key == "" {
		key = store.NewID(store.EventID)
	}
	// Before a contact is made: a request that is refused leaves nothing behind.
	if _, err := a.Store.Coupon(ctx, a.Store.Pool, in.Name); err != nil {
		return nil, err
	}
	validFor, err := validityOf(in.Body.ValidFor)
	if err != nil {
		return nil, err
	}
	contact, err := a.identify(ctx, in.Body.Who, true)
	if err != nil {
		return nil, err
	}
	claim := store.Claim{Key: "api:" + keyOf(ctx).ID + "/" + in.Name + "/" + key, Coupon: in.Name, Set: in.Body.Set, ContactID: contact, Clock: a.Clock, Zone: a.Config.Zone(),
		ValidFor: validFor, ValidForDays: validFor > 0 && inDays(in.Body.ValidFor)}
	begun := time.Now()
	result, err := a.Store.Claim(ctx, claim)
	if err != nil {
		return nil, err
	}
	a.Metrics.Claimed(in.Name, string(result.Status), time.Since(begun))
	switch result.Status {
	case store.ClaimAssigned:
	case store.ClaimAlreadyHad:
		return nil, problem(http.StatusConflict, "already_had", "the contact had this coupon's code before and used it up (one_per: contact)")
	case store.ClaimInactive:
		return nil, problem(http.StatusConflict, "coupon_inactive", "the coupon is switched off, or over; apply it with a later end")
	default:
		return nil, problem(http.StatusConflict, "coupon_empty", "the coupon has no code left; `scrip codes import` refills it")
	}
	code := result.Assignment
	if err := a.issue(ctx, code); err != nil {
		return nil, err
	}
	if err := a.Store.Expose(ctx, a.Store.Pool, code.ID); err != nil {
		if errors.Is(err, store.ErrUnusable) {
			return nil, problem(http.StatusConflict, "code_unusable", "the code of this key was withdrawn or has expired; ask with a new key")
		}
		return nil, err
	}
	return reply(assigned{code.Coupon, code.Set, code.Code, optional(code.ExpiresAt), code.ContactID})
}

// validityOf reads valid_for; 0 is the coupon's own.
func validityOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	validFor, err := campaign.ParseDuration(text)
	if err != nil || validFor <= 0 {
		return 0, problem(http.StatusUnprocessableEntity, "invalid_request", "valid_for is a duration such as 36h, 7d or 2w")
	}
	return validFor, nil
}

// inDays says whether a duration was written in days or weeks alone: such a
// validity lasts to the end of its last day.
func inDays(duration string) bool {
	for _, letter := range duration {
		if letter == 'h' || letter == 'm' || letter == 's' {
			return false
		}
	}
	return true
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// issueWithin is how long a request waits while somebody makes its coupon's discount.
const issueWithin = 10 * time.Second

// issue makes a code exist in its shop before anybody sees it.
func (a *api) issue(ctx context.Context, code store.Assignment) error {
	for deadline := time.Now().Add(issueWithin); ; {
		err := a.Store.IssueCode(ctx, &code, a.Config.Zone(), func(offer store.ShopOffer) (string, error) {
			issuer, err := a.Connections.Issuer(offer.Connection)
			if err != nil {
				return "", err
			}
			return issuer.Issue(ctx, offer.Offer, code.Code)
		})
		if !errors.Is(err, store.ErrBeingIssued) {
			return vendorProblem(err)
		}
		if time.Now().After(deadline) || !pause(ctx, 100*time.Millisecond) {
			return problem(http.StatusBadGateway, "vendor_unavailable", "%s in the shop; ask again in a moment with the same key", err)
		}
	}
}

// vendorProblem tells of a vendor's refusal without its words.
func vendorProblem(err error) error {
	if err == nil {
		return nil
	}
	var refused *integrations.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Class {
	case integrations.Auth:
		return problem(http.StatusBadGateway, "vendor_auth", "%s refused the connection's credentials; mend them in scrip.yaml, then `scrip doctor`", refused.Vendor)
	case integrations.Invalid:
		return problem(http.StatusBadGateway, "vendor_refused", "%s refused it as it is (%s)", refused.Vendor, refused.Code)
	}
	return problem(http.StatusBadGateway, "vendor_unavailable", "%s did not take it (%s, %s); ask again in a moment with the same key", refused.Vendor, refused.Class, refused.Code)
}
