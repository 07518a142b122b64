package starter

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"scrip.dev/scrip/store"
)

type APIKey struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Prefix    string     `json:"prefix" doc:"the key's first letters"`
	Scopes    []string   `json:"scopes"`
	CreatedAt time.Time  `json:"created_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

type newKey struct {
	APIKey
	Secret string `json:"secret" doc:"the key itself; it is shown this once"`
}

type auditEntry struct {
	At      time.Time      `json:"at"`
	Actor   string         `json:"actor" doc:"key:<id>, cli or system"`
	Action  string         `json:"action"`
	Subject string         `json:"subject"`
	Detail  map[string]any `json:"detail,omitempty"`
}

func (a *api) keyRoutes() {
	const tag = "Keys"
	handle(a, store.ScopeAdmin, op(http.MethodGet, "/v1/keys", "list-keys", tag, "List API keys"),
		func(ctx context.Context, _ *struct{}) (*answer[pageOf[APIKey]], error) {
			keys, err := a.Store.Keys(ctx)
			if err != nil {
				return nil, err
			}
			out := pageOf[APIKey]{Items: make([]APIKey, len(keys))}
			for i, key := range keys {
				out.Items[i] = APIKey(key)
			}
			return reply(out)
		})
	create := creates(op(http.MethodPost, "/v1/keys", "create-key", tag, "Create an API key"), http.StatusCreated)
	create.Metadata[secretAnswer] = true
	handle(a, store.ScopeAdmin, create,
		func(ctx context.Context, in *struct {
			Body struct {
				Name   string   `json:"name" minLength:"1" maxLength:"100" doc:"what it is for"`
				Scopes []string `json:"scopes" minItems:"1" enum:"read,write,events,codes,admin"`
			}
		}) (*answer[newKey], error) {
			key, secret, err := a.Store.NewKey(ctx, in.Body.Name, in.Body.Scopes)
			if err != nil {
				return nil, err
			}
			if err := store.Audit(ctx, a.Store.Pool, actor(ctx), "key.create", key.ID, map[string]any{"scopes": key.Scopes}); err != nil {
				return nil, err
			}
			return reply(newKey{APIKey(key), secret})
		})
	handle(a, store.ScopeAdmin, op(http.MethodPost, "/v1/keys/{id}/revoke", "revoke-key", tag, "Revoke an API key"),
		func(ctx context.Context, in *struct {
			ID string `path:"id" maxLength:"64" doc:"the key's id or its prefix"`
		}) (*answer[APIKey], error) {
			key, err := a.Store.RevokeKey(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			if err := store.Audit(ctx, a.Store.Pool, actor(ctx), "key.revoke", key.ID, nil); err != nil {
				return nil, err
			}
			return reply(APIKey(key))
		})
	handle(a, store.ScopeAdmin, op(http.MethodGet, "/v1/audit", "list-audit", tag, "Who did what by hand, the newest first"),
		func(ctx context.Context, in *PageQuery) (*answer[pageOf[auditEntry]], error) {
			page, err := in.page()
			if err != nil {
				return nil, err
			}
			before, err := numericCursor(page.After)
			if err != nil {
				return nil, err
			}
			entries, err := a.Store.AuditTrail(ctx, before, page.Limit)
			if err != nil {
				return nil, err
			}
			cut := paged(*in, entries, func(e store.AuditEntry) string { return strconv.FormatInt(e.ID, 10) })
			out := pageOf[auditEntry]{Items: make([]auditEntry, len(cut.Items)), Next: cut.Next}
			for i, e := range cut.Items {
				out.Items[i] = auditEntry{e.At, e.Actor, e.Action, e.Subject, e.Detail}
			}
			return reply(out)
		})
}

// numericCursor reads the cursor of a list that is ordered by a number.
func numericCursor(after string) (int64, error) {
	if after == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return 0, problem(http.StatusUnprocessableEntity, "bad_cursor", "the cursor isn't one that this list gave; begin without one")
	}
	return n, nil
}
