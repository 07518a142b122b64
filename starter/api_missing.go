package starter

import (
	"context"
	"errors"
	"net/http"

	"scrip.dev/scrip/store"
)

// missingSentences say, by a route's tag, what its path names and where to look
// for it.
var missingSentences = map[string]string{
	"Campaigns": "there is no campaign with this name; `scrip campaign list` shows those that were applied",
	"Codes":     "there is no such code; check how it is written",
	"Contacts":  "there is no contact with this id or address; an event, an import or `scrip contact import` makes one",
	"Coupons":   "there is no coupon with this name; `scrip codes list` shows those that were applied",
	"Journeys":  "there is no journey with this id; `scrip journey list` shows them",
	"Keys":      "there is no key with this id; `scrip key list` shows them",
	"Messages":  "there is no message with this id; `scrip message list` shows them",
	"Templates": "there is no template with this name in the applied project; check the name, or `scrip apply` first",
}

func notFound(tag string) *Problem {
	detail, ok := missingSentences[tag]
	if !ok {
		detail = "there is no such thing here; check its name or id"
	}
	return problem(http.StatusNotFound, "not_found", "%s", detail)
}

// missing says in words what a look-up did not find, where the error doesn't say
// so already.
func missing(err error, tag string) error {
	var already *Problem
	if errors.Is(err, store.ErrNotFound) && !errors.As(err, &already) {
		return notFound(tag)
	}
	return err
}

// contactOf loads a contact that a request names beside something else.
func (a *api) contactOf(ctx context.Context, id string) (*store.Contact, error) {
	contact, err := a.Store.Contact(ctx, a.Store.Pool, id)
	return contact, missing(err, "Contacts")
}
