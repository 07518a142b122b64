package starter

import (
	"context"
	"errors"
	"net/http"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// CodePath is a path with a code in it.
type CodePath struct {
	Code string `path:"code" maxLength:"200" doc:"the code, in any case of letters"`
	Shop string `query:"shop" maxLength:"40" doc:"the connection of the shop that asks; default: any"`
}

func (a *api) codeRoutes() {
	const tag = "Codes"
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/codes/{code}", "show-code", tag, "Show everything that happened to a code"), a.showCode)
	handle(a, store.ScopeCodes, describe(op(http.MethodGet, "/v1/codes/{code}/validate", "validate-code", tag, "Could the code be used now?"),
		"Always 200; `valid` and `reason` tell. Codes that don't exist cost their address and their key one of a few misses."), a.validateCode)
	handle(a, store.ScopeCodes, creates(describe(op(http.MethodPost, "/v1/codes/{code}/hold", "hold-code", tag, "Set a code aside for a checkout"),
		"Nobody else can use it meanwhile. The same reference again extends the hold."), http.StatusOK), a.holdCode)
	handle(a, store.ScopeCodes, creates(op(http.MethodPost, "/v1/codes/{code}/release", "release-code", tag, "End a hold before its time"), http.StatusOK), a.releaseCode)
	handle(a, store.ScopeCodes, creates(describe(op(http.MethodPost, "/v1/codes/{code}/redeem", "redeem-code", tag, "Use a code in an order"),
		"Exact under any concurrency: no limit is ever passed. The same order again is the same redemption. Refused with 409 and the reason as `code`."), http.StatusCreated), a.redeemCode)
	handle(a, store.ScopeCodes, creates(op(http.MethodPost, "/v1/codes/{code}/rollback", "roll-back-code", tag, "Take a redemption back: the order was cancelled or refunded"), http.StatusOK), a.rollBackCode)
	handle(a, store.ScopeWrite, creates(op(http.MethodPost, "/v1/codes/{code}/withdraw", "withdraw-code", tag, "Make a code unusable, here and in its shop"), http.StatusOK), a.withdrawCode)
}

func (a *api) use(ctx context.Context, in CodePath, who Who, order *orderBody, reference string) (store.Use, error) {
	use := store.Use{Code: in.Code, Realm: in.Shop, Reference: reference, Source: store.ConnectionAPI, Clock: a.Clock, Zone: a.Config.Zone()}
	var err error
	if use.ContactID, err = a.identify(ctx, who, false); err != nil || order == nil {
		return use, err
	}
	use.Order = &event.Order{ID: order.ID, Currency: order.Currency}
	if use.Order.Total, err = order.Total.decimal(); err != nil {
		return use, err
	}
	use.Order.Discount, err = order.Discount.decimal()
	return use, err
}

func (a *api) showCode(ctx context.Context, in *struct{ CodePath }) (*answer[codeHistory], error) {
	history, err := guarded(a, ctx, func() (*store.CodeHistory, error) { return a.Store.Code(ctx, in.Shop, in.Code) })
	if err != nil {
		return nil, err
	}
	return reply(codeHistoryOf(history))
}

func (a *api) validateCode(ctx context.Context, in *struct {
	CodePath
	Contact   string `query:"contact" maxLength:"64" doc:"who asks: Scrip's id of the contact"`
	Email     string `query:"email" maxLength:"320" doc:"who asks, by address"`
	Reference string `query:"reference" maxLength:"200" doc:"the checkout that may hold the code"`
	Total     string `query:"total" maxLength:"20" example:"49.90" doc:"of the order, if known"`
}) (*answer[validity], error) {
	var order *orderBody
	if in.Total != "" {
		order = &orderBody{Total: money(in.Total)}
	}
	use, err := a.use(ctx, in.CodePath, Who{Contact: in.Contact, Email: in.Email}, order, in.Reference)
	if err != nil {
		return nil, err
	}
	standing, err := guarded(a, ctx, func() (store.CodeStanding, error) { return a.Store.Validate(ctx, use) })
	var told *Problem
	if errors.As(err, &told) && told.Status != http.StatusTooManyRequests {
		return reply(validity{Reason: told.Code, Detail: told.Detail})
	}
	if err != nil {
		return nil, err
	}
	out := validity{Valid: true, Coupon: standing.Coupon, Set: standing.Set, Discount: &standing.Discount, ExpiresAt: optional(standing.ExpiresAt)}
	if standing.MinOrder.IsPositive() {
		out.MinOrder = standing.MinOrder.String()
	}
	return reply(out)
}

const (
	defaultHold = 15 * time.Minute
	maxHold     = 24 * time.Hour
)

func (a *api) holdCode(ctx context.Context, in *struct {
	CodePath
	Body holdBody
}) (*answer[held], error) {
	length := defaultHold
	if in.Body.For != "" {
		var err error
		if length, err = campaign.ParseDuration(in.Body.For); err != nil || length <= 0 || length > maxHold {
			return nil, problem(http.StatusUnprocessableEntity, "invalid_request", "for is a duration such as 15m, at most 1d")
		}
	}
	use, err := a.use(ctx, in.CodePath, in.Body.Who, in.Body.Order, in.Body.Reference)
	if err != nil {
		return nil, err
	}
	until, err := guarded(a, ctx, func() (time.Time, error) { return a.Store.Hold(ctx, use, length) })
	if err != nil {
		return nil, err
	}
	return reply(held{in.Code, in.Body.Reference, until})
}

func (a *api) releaseCode(ctx context.Context, in *struct {
	CodePath
	Body struct {
		Reference string `json:"reference" minLength:"1" maxLength:"200" doc:"the checkout"`
	}
}) (*answer[released], error) {
	use := store.Use{Code: in.Code, Realm: in.Shop, Reference: in.Body.Reference}
	_, err := guarded(a, ctx, func() (struct{}, error) { return struct{}{}, a.Store.ReleaseHold(ctx, use) })
	if err != nil {
		return nil, err
	}
	return reply(released{in.Code, in.Body.Reference})
}

func (a *api) redeemCode(ctx context.Context, in *struct {
	CodePath
	Body redeemBody
}) (*answer[redemption], error) {
	use, err := a.use(ctx, in.CodePath, in.Body.Who, &in.Body.Order, in.Body.Reference)
	if err != nil {
		return nil, err
	}
	done, err := guarded(a, ctx, func() (store.Redemption, error) { return a.Store.Redeem(ctx, use) })
	if err != nil {
		return nil, err
	}
	return reply(redemptionOf(done))
}

func redemptionOf(r store.Redemption) redemption {
	return redemption{r.ID, r.Coupon, r.Code, r.OrderKey, r.ContactID, r.JourneyID, r.Total.String(), r.Discount.String(), r.Currency, r.State, r.At.UTC().Truncate(time.Microsecond)}
}

func (a *api) rollBackCode(ctx context.Context, in *struct {
	CodePath
	Body struct {
		Order string `json:"order" minLength:"1" maxLength:"200" doc:"the shop's order id"`
	}
}) (*answer[rolledBack], error) {
	undone, err := guarded(a, ctx, func() ([]store.Redemption, error) {
		return a.Store.Unredeem(ctx, store.RollBackRequest{Realm: in.Shop, OrderKey: in.Body.Order, Code: in.Code})
	})
	if err != nil {
		return nil, err
	}
	out := rolledBack{Redemptions: []redemption{}}
	for _, r := range undone {
		out.Redemptions = append(out.Redemptions, redemptionOf(r))
	}
	return reply(out)
}

func (a *api) withdrawCode(ctx context.Context, in *struct{ CodePath }) (*answer[withdrawn], error) {
	codes, err := guarded(a, ctx, func() ([]store.ShopCode, error) { return a.Store.WithdrawCode(ctx, in.Shop, in.Code) })
	if err != nil {
		return nil, err
	}
	for _, code := range codes {
		if err := a.withdrawInShop(ctx, code); err != nil {
			return nil, err
		}
	}
	if err := store.Audit(ctx, a.Store.Pool, actor(ctx), "code.withdraw", "code", map[string]any{"shops": len(codes)}); err != nil {
		return nil, err
	}
	return reply(withdrawn{in.Code, len(codes)})
}

func (a *api) withdrawInShop(ctx context.Context, code store.ShopCode) error {
	issuer, err := a.Connections.Issuer(code.Connection)
	if err != nil {
		return err
	}
	if err := issuer.Withdraw(ctx, integrations.Offer{Coupon: code.Coupon, ExternalID: code.ExternalID}, code.Code); err != nil {
		return vendorProblem(err)
	}
	return a.Store.MarkWithdrawnInShop(ctx, code.AssignmentID)
}
