package starter

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"scrip.dev/scrip/store"
)

type deadLetter struct {
	ID         int64     `json:"id"`
	Connection string    `json:"connection"`
	Topic      string    `json:"topic"`
	Reason     string    `json:"reason"`
	ReceivedAt time.Time `json:"received_at"`
	FailedAt   time.Time `json:"failed_at"`
}

type replayed struct {
	Replayed int64 `json:"replayed" doc:"how many stand before the dispatcher again; those whose payload is gone don't"`
}

func (a *api) inboxRoutes() {
	const tag = "Inbox"
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/inbox/failed", "list-failed", tag, "List webhooks and events that failed, with the reason"),
		func(ctx context.Context, in *PageQuery) (*answer[pageOf[deadLetter]], error) {
			page, err := in.page()
			if err != nil {
				return nil, err
			}
			before, err := numericCursor(page.After)
			if err != nil {
				return nil, err
			}
			letters, err := a.Store.DeadLetters(ctx, before, page.Limit)
			if err != nil {
				return nil, err
			}
			cut := paged(*in, letters, func(l store.DeadLetter) string { return strconv.FormatInt(l.DeliveryID, 10) })
			out := pageOf[deadLetter]{Items: make([]deadLetter, len(cut.Items)), Next: cut.Next}
			for i, l := range cut.Items {
				out.Items[i] = deadLetter{l.DeliveryID, l.Connection, l.Topic, l.Reason, l.ReceivedAt, l.At}
			}
			return reply(out)
		})
	handle(a, store.ScopeWrite, creates(op(http.MethodPost, "/v1/inbox/replay", "replay-failed", tag, "Try failed webhooks and events again"), http.StatusOK),
		func(ctx context.Context, in *struct {
			Body struct {
				IDs []int64 `json:"ids,omitempty" maxItems:"1000" doc:"which; with all: none"`
				All bool    `json:"all,omitempty" doc:"every one"`
			}
		}) (*answer[replayed], error) {
			if in.Body.All != (len(in.Body.IDs) == 0) {
				return nil, problem(http.StatusUnprocessableEntity, "invalid_request", "name ids, or set all to true")
			}
			count, err := a.Store.ReplayDeadLetters(ctx, in.Body.IDs)
			if err != nil {
				return nil, err
			}
			if count == 0 && !in.Body.All {
				return nil, problem(http.StatusNotFound, "nothing_to_replay", "none of these failed, or their payloads are gone; `scrip inbox failed` lists those that can be tried again")
			}
			if err := store.Audit(ctx, a.Store.Pool, actor(ctx), "inbox.replay", "inbox", map[string]any{"count": count}); err != nil {
				return nil, err
			}
			return reply(replayed{count})
		})
}
