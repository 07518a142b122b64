package starter

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"scrip.dev/scrip/store"
)

type keyContext struct{}

// keyOf is the API key of the request.
func keyOf(ctx context.Context) store.APIKey {
	key, _ := ctx.Value(keyContext{}).(store.APIKey)
	return key
}

// actor names the caller in the audit trail.
func actor(ctx context.Context) string { return "key:" + keyOf(ctx).ID }

const securityScheme = "bearer"

// scopeOf is the scope that an operation asks for; "" for the public ones.
func scopeOf(op *huma.Operation) string {
	for _, requirement := range op.Security {
		if scopes := requirement[securityScheme]; len(scopes) > 0 {
			return scopes[0]
		}
	}
	return ""
}

// authenticate lets a request through that carries a key with the operation's
// scope.
func (a *api) authenticate(ctx huma.Context, next func(huma.Context)) {
	scope := scopeOf(ctx.Operation())
	if scope == "" {
		next(ctx)
		return
	}
	key, err := a.key(ctx.Context(), ctx.Header("Authorization"))
	if err == nil && !key.May(scope) {
		err = problem(http.StatusForbidden, "missing_scope", "this route needs a key with the scope %s; create one with `scrip key create --scope %s`", scope, scope)
	}
	if err != nil {
		a.refuse(ctx, err)
		return
	}
	next(huma.WithValue(ctx, keyContext{}, key))
}

func (a *api) key(ctx context.Context, header string) (store.APIKey, error) {
	secret, isBearer := strings.CutPrefix(header, "Bearer ")
	if !isBearer || secret == "" {
		return store.APIKey{}, unauthorized("missing_key", "send a key in the Authorization header, as `Bearer scrip_…`; `scrip key create` makes one")
	}
	key, err := a.Store.Authenticate(ctx, strings.TrimSpace(secret))
	switch {
	case errors.Is(err, store.ErrUnknownKey):
		return key, unauthorized("unknown_key", "the key isn't one of this project's; check that it is complete and belongs to this address")
	case errors.Is(err, store.ErrRevokedKey):
		return key, unauthorized("revoked_key", "the key was revoked; create another with `scrip key create`")
	}
	return key, err
}

func unauthorized(code, detail string) *Problem {
	return problem(http.StatusUnauthorized, code, "%s", detail).with("WWW-Authenticate", `Bearer realm="scrip"`)
}

// refuse answers a request before its handler.
func (a *api) refuse(ctx huma.Context, err error) {
	p := problemOf(ctx.Context(), a.Log, err)
	var told *Problem
	if errors.As(p, &told) {
		writeProblem(responseWriter(ctx), told)
	}
}
