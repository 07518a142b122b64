package starter

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"time"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

// unsubscribePage is what a reader of a message sees; it needs no script and
// nothing from elsewhere.
var unsubscribePage = template.Must(template.New("unsubscribe").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><meta name="color-scheme" content="light dark">
<title>{{.Title}}</title>
<style>body{font:17px/1.5 system-ui,sans-serif;max-width:32rem;margin:18vh auto;padding:0 1.5rem;color:#1c1c1c;background:#fff}
button{font:inherit;padding:.6rem 1.4rem;border:0;border-radius:.4rem;background:#1c1c1c;color:#fff;cursor:pointer}
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}button{background:#eee;color:#161616}}button:focus-visible{outline:3px solid #2f6fde;outline-offset:3px}</style></head>
<body><main><h1>{{.Title}}</h1><p>{{.Text}}</p>{{if .Ask}}<form method="post"><button>Unsubscribe</button></form>{{end}}</main></body></html>
`))

type unsubscribeView struct {
	Title, Text string
	Ask         bool
}

// serveUnsubscribe serves the address in the List-Unsubscribe header and in each
// message's footer. GET only asks, as mail scanners follow every link; POST
// unsubscribes at once (RFC 8058), whatever its body.
func (a *api) serveUnsubscribe(mux *http.ServeMux) {
	serve := func(do func(context.Context, string, string) (unsubscribeView, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			view, status := unsubscribeView{}, http.StatusOK
			contact, channel, err := a.Store.ReadUnsubscribeToken(r.Context(), r.PathValue("token"))
			if err == nil {
				view, err = do(r.Context(), contact, channel)
			}
			switch {
			case errors.Is(err, store.ErrBadToken), errors.Is(err, store.ErrNotFound):
				view, status = unsubscribeView{Title: "This link doesn't work", Text: "It is incomplete, or not one of ours. Please use the link in the message as it stands."}, http.StatusNotFound
			case err != nil:
				a.Log.ErrorContext(r.Context(), "unsubscribing failed", "request", requestID(r.Context()), "error", err)
				view, status = unsubscribeView{Title: "Please try again", Text: "Something failed on our side. Please try again in a few minutes."}, http.StatusServiceUnavailable
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Referrer-Policy", "no-referrer")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
			w.WriteHeader(status)
			_ = unsubscribePage.Execute(w, view)
		}
	}
	mux.HandleFunc("GET /u/{token}", serve(func(_ context.Context, _, channel string) (unsubscribeView, error) {
		return unsubscribeView{Title: "Unsubscribe?", Text: "Press the button, and you will not get offers by " + channelWord(channel) + " any more.", Ask: true}, nil
	}))
	mux.HandleFunc("POST /u/{token}", serve(func(ctx context.Context, contact, channel string) (unsubscribeView, error) {
		return unsubscribeView{Title: "You are unsubscribed", Text: "You will not get offers by " + channelWord(channel) + " any more."}, a.unsubscribe(ctx, contact, channel)
	}))
}

func channelWord(channel string) string {
	switch channel {
	case event.ChannelEmail:
		return "e-mail"
	case event.ChannelSMS:
		return "text message"
	}
	return channel
}

// unsubscribe takes the consent away and tells the campaigns, in one transaction.
func (a *api) unsubscribe(ctx context.Context, contactID, channel string) error {
	contact, err := a.Store.Contact(ctx, a.Store.Pool, contactID)
	if err != nil || contact.Erased || contact.Consents[channel].State == event.Denied {
		return err
	}
	return a.setConsent(ctx, contact.ID, event.Consent{Channel: channel, State: event.Denied, Source: "unsubscribe link", At: time.Now().UTC()}, "contact")
}

// setConsent records what a contact allows and raises the event for it.
func (a *api) setConsent(ctx context.Context, contactID string, consent event.Consent, by string) error {
	kind := map[string]string{event.Granted: event.ContactOptedIn, event.Denied: event.ContactOptedOut, event.Pending: event.OptInRequested}[consent.State]
	return a.Store.InTx(ctx, func(tx *store.Tx) error {
		if err := a.Store.ApplyConsents(ctx, tx, contactID, []event.Consent{consent}, consent.At); err != nil {
			return err
		}
		e := event.Event{Type: kind, OccurredAt: consent.At,
			Person: event.Person{Identities: []event.Identity{store.ContactIdentity(contactID)}, Consents: []event.Consent{consent}},
			Fields: map[string]any{"channel": consent.Channel, "source": consent.Source}}
		if err := store.RaiseEvent(ctx, tx, e, kind+":"+store.NewID(store.EventID)); err != nil {
			return err
		}
		return store.Audit(ctx, tx, by, "contact.consent", contactID, map[string]any{"channel": consent.Channel, "state": consent.State})
	})
}
