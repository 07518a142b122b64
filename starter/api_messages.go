package starter

import (
	"context"
	"net/http"

	"scrip.dev/scrip/store"
)

type MessageID struct {
	ID string `path:"id" maxLength:"64" doc:"the message's id"`
}

type verdict struct {
	Message string `json:"message"`
	Verdict string `json:"verdict" enum:"accepted,resend,give_up"`
}

func (a *api) messageRoutes() {
	const tag = "Messages"
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/messages", "list-messages", tag, "List messages, the newest first"),
		func(ctx context.Context, in *struct {
			PageQuery
			Contact string `query:"contact" maxLength:"64"`
			Journey string `query:"journey" maxLength:"64"`
			State   string `query:"state" enum:"reserved,skipped,calling,accepted,refused,unknown,parked"`
			Channel string `query:"channel" maxLength:"20"`
		}) (*answer[pageOf[store.MessageSummary]], error) {
			return a.messages(ctx, in.PageQuery, store.MessageFilter{Contact: in.Contact, Journey: in.Journey, State: in.State, Channel: in.Channel})
		})
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/messages/{id}", "show-message", tag, "Show a message"),
		func(ctx context.Context, in *MessageID) (*answer[store.MessageSummary], error) {
			message, err := a.Store.MessageSummary(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return reply(message)
		})
	handle(a, store.ScopeWrite, creates(describe(op(http.MethodPost, "/v1/messages/{id}/resend", "resend-message", tag, "Send a message again"),
		"For messages whose outcome is unknown or that are parked, once it is certain that they did not arrive: this is a person's word that sending twice is no danger."), http.StatusAccepted),
		func(ctx context.Context, in *MessageID) (*answer[verdict], error) {
			if err := a.Store.ResolveMessage(ctx, in.ID, store.VerdictResend, actor(ctx)); err != nil {
				return nil, err
			}
			return reply(verdict{in.ID, store.VerdictResend})
		})
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/unknown", "list-unknown", tag, "List messages whose outcome nobody knows"),
		func(ctx context.Context, in *PageQuery) (*answer[pageOf[store.MessageSummary]], error) {
			return a.messages(ctx, *in, store.MessageFilter{Unsettled: true})
		})
	handle(a, store.ScopeWrite, creates(describe(op(http.MethodPost, "/v1/unknown/{id}/resolve", "resolve-unknown", tag, "Settle a message whose outcome nobody knows"),
		"accepted: it arrived; resend: it did not, send it again; give_up: don't send it any more."), http.StatusOK),
		func(ctx context.Context, in *struct {
			MessageID
			Body struct {
				Verdict string `json:"verdict" enum:"accepted,resend,give_up"`
			}
		}) (*answer[verdict], error) {
			message, err := a.Store.MessageSummary(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			if err := a.Store.ResolveMessage(ctx, in.ID, in.Body.Verdict, actor(ctx)); err != nil {
				return nil, err
			}
			if in.Body.Verdict == store.VerdictGiveUp {
				a.Metrics.Skipped(message.Channel, store.GivenUp)
			}
			return reply(verdict{in.ID, in.Body.Verdict})
		})
}

func (a *api) messages(ctx context.Context, q PageQuery, filter store.MessageFilter) (*answer[pageOf[store.MessageSummary]], error) {
	page, err := q.page()
	if err != nil {
		return nil, err
	}
	messages, err := a.Store.Messages(ctx, filter, page)
	if err != nil {
		return nil, err
	}
	return reply(paged(q, messages, func(m store.MessageSummary) string { return m.ID }))
}
