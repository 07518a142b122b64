package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

func TestConnections_AreNotedAndTheirStateIsKept(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	require.NoError(t, c.SeeConnections(c.ctx, map[string]string{"shop": "shopify", "email": "sendgrid"}))
	require.NoError(t, c.SawSubscriptions(c.ctx, "shop", store.Subscriptions{At: time.Now(), OK: true, Changes: []string{"Subscribed to orders/paid."}}))
	require.NoError(t, c.SeeConnections(c.ctx, map[string]string{"shop": "shopify"}))
	states, err := c.ConnectionStates(c.ctx)
	require.NoError(t, err)
	require.Len(t, states, 2)
	require.Equal(t, []string{"Subscribed to orders/paid."}, states["shop"].Subscriptions.Changes)
	require.Nil(t, states["email"].Subscriptions)
	require.False(t, states["shop"].LastSeen.Before(states["shop"].FirstSeen))
}

func TestFindContactByText_FindsByAnOutsideIDOfAConnection(t *testing.T) {
	t.Parallel()
	c := newCodes(t)
	require.NoError(t, c.SeeConnections(c.ctx, map[string]string{"shop": "shopify"}))
	id, err := c.ResolveContact(c.ctx, c.Pool, "shop", event.Person{Identities: []event.Identity{{Kind: event.External, Realm: "shop", Value: "207119551"}}}, time.Now())
	require.NoError(t, err)
	found, err := c.FindContactByText(c.ctx, "207119551")
	require.NoError(t, err)
	require.Equal(t, id, found)
}
