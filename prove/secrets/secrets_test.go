package secrets_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/proof"
)

// places is where each kind may stand in the database; nowhere else, and never in
// what Temporal keeps, in logs, metrics, traces or answers to mistakes. The first
// place is where it has to have arrived, else nothing is proven.
var places = map[string][]string{
	email:     {"identity.value", "identity.value_norm", "delivery.body", "event.fields", "message.address", "message.detail", "step_result.json"},
	phone:     {"identity.value", "identity.value_norm", "delivery.body", "event.fields", "message.address", "message.detail"},
	name:      {"contact.first_name", "contact.last_name", "delivery.body", "message.detail"},
	postal:    {"contact.attributes", "delivery.body", "event.fields", "message.detail", "step_result.json"},
	note:      {"event.fields", "delivery.body", "message.detail", "step_result.json", "consent.source"},
	attribute: {"contact.attributes", "delivery.body", "message.detail"},
	reply:     {"event.fields", "delivery.body"},
	code:      {"code.code", "code.code_norm", "delivery.body", "event.fields", "message.detail", "idempotency_key.answer"},
	typo:      {"delivery.body", "event.fields", "identity.value", "identity.value_norm"},
	secret:    {},
}

// erasable are the kinds that are a person's own.
var erasable = []string{email, phone, name, postal, note, attribute, reply}

func TestPromise7_HistoriesHoldIdsNeverPersonalData(t *testing.T) {
	w := open(t)
	w.drive()

	found := w.scraped()
	told, workflows, events := w.everythingTold()
	found = append(found, told...)
	stored, values := w.stored()
	for kind, allowed := range places {
		for place, marker := range stored[kind] {
			if !slices.Contains(allowed, place) {
				found = append(found, finding{kind, marker, place})
			}
		}
		if len(allowed) > 0 {
			require.Contains(t, stored[kind], allowed[0], "%s never arrived where it belongs", kind)
		}
	}

	w.eraseAll()
	after, _ := w.stored()
	for _, kind := range erasable {
		for place, marker := range after[kind] {
			found = append(found, finding{kind, marker, place + " after its person was erased"})
		}
	}
	require.NotZero(t, w.count(`SELECT count(*) FROM suppression`), "what closes an address outlives its person")
	told, _, _ = w.everythingTold()
	w.stop() // sends the last traces
	found = append(append(found, told...), w.look("a trace", w.traces.text())...)
	require.Contains(t, string(w.traces.text()), "StartWorkflow", "traces came in")
	require.Contains(t, string(w.logs.text()), "an activity panicked")
	for _, f := range found {
		t.Errorf("%s", f)
	}
	if t.Failed() {
		return
	}
	proof.Found(t, proof.Finding{Promise: 7, Times: len(w.markers.kind),
		Tried: "a marker planted and looked for",
		Found: fmt.Sprintf("none out of place in %d events of %d workflows, %d values of the database, %d kB of logs, %d kB of traces; none of a person's own after erasure",
			events, workflows, values, len(w.logs.text())>>10, len(w.traces.text())>>10)})
}

// eraseAll forgets everybody and waits for their journeys to end.
func (w *world) eraseAll() {
	rows, err := w.store.Pool.Query(w.Context(), `SELECT id FROM contact WHERE erased_at IS NULL AND merged_into IS NULL`)
	require.NoError(w, err)
	var contacts []string
	for rows.Next() {
		var id string
		require.NoError(w, rows.Scan(&id))
		contacts = append(contacts, id)
	}
	require.NoError(w, rows.Err())
	require.GreaterOrEqual(w, len(contacts), 8)
	for _, id := range contacts {
		var answer struct{ Erased bool }
		require.NoError(w, json.Unmarshal(w.ok(http.MethodPost, "/v1/contacts/"+id+"/erase", nil), &answer))
		require.True(w, answer.Erased)
	}
	w.until(func() bool { return w.count(`SELECT count(*) FROM outbox`) == 0 }, "the journeys to be told")
	w.until(func() bool {
		return w.count(`SELECT count(*) FROM journey WHERE state <> 'ended' AND id NOT IN (SELECT journey_id FROM message WHERE state IN ('calling', 'unknown') AND journey_id IS NOT NULL)`) == 0
	}, "the journeys to end")
}
