package worst

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

// journey enters a new person who may be written to on both channels.
func (w *world) journey() string {
	w.mu.Lock()
	w.people++
	n := w.people
	w.mu.Unlock()
	agreed := time.Now().Add(-3 * time.Hour)
	contact, err := w.store.ResolveContact(w.Context(), w.store.Pool, "shop", event.Person{
		Identities: []event.Identity{
			{Kind: event.Email, Value: fmt.Sprintf("person-%d@example.com", n)},
			{Kind: event.Phone, Value: fmt.Sprintf("+4915112%06d", n)},
		},
		Consents: []event.Consent{
			{Channel: event.ChannelEmail, State: event.Granted, At: agreed}, {Channel: event.ChannelSMS, State: event.Granted, At: agreed},
		},
	}, agreed)
	require.NoError(w, err)
	id := store.NewID(store.JourneyID)
	w.exec(`INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, state, started_at)
		SELECT $1, id, 1, $2, 'k', 1, 'running', now() FROM campaign WHERE name = 'letters'`, id, contact)
	return id
}
