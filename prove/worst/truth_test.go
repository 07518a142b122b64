package worst

import (
	"net/url"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/store"
)

// row is a message in the ledger.
type row struct {
	ID, Journey, Channel, To, State, Delivery, VendorID string
	Attempt, Resent                                     int
}

func (w *world) rows() []row {
	rows, err := w.store.Pool.Query(background, `SELECT m.id, m.journey_id, m.channel, i.value_norm, m.state, m.delivery, coalesce(m.vendor_id, ''), m.attempt, m.resent
		FROM message m JOIN identity i ON i.contact_id = m.contact_id AND i.kind = CASE m.channel WHEN 'email' THEN 'email' ELSE 'phone' END`)
	require.NoError(w, err)
	defer rows.Close()
	var all []row
	for rows.Next() {
		var r row
		require.NoError(w, rows.Scan(&r.ID, &r.Journey, &r.Channel, &r.To, &r.State, &r.Delivery, &r.VendorID, &r.Attempt, &r.Resent))
		all = append(all, r)
	}
	require.NoError(w, rows.Err())
	return all
}

// accepted counts what the vendors took, by our message's id.
func (w *world) accepted() map[string]int {
	taken := map[string]int{}
	for _, m := range w.sandbox.Messages() {
		id := m.CustomArgs["scrip_message"]
		if m.Channel == "sms" {
			status, err := url.Parse(m.StatusURL)
			require.NoError(w, err)
			id = status.Query().Get("m")
		}
		require.NotEmpty(w, id)
		taken[id]++
	}
	return taken
}

// tally is what the messages of a world came to.
type tally struct{ messages, attempts, accepted, refused, parked, resent, twice int }

// holds checks every message against the vendors' own log.
func (w *world) holds(ids []string) tally {
	w.Helper()
	w.quiet()
	if !w.Failed() {
		w.wake(ids)
		w.quiet()
	}
	taken, told, all := w.accepted(), w.log.delivered(), w.rows()
	allowed, got := map[string]int{}, map[string]int{}
	for _, r := range all {
		require.LessOrEqual(w, taken[r.ID], 1+r.Resent, "accepted twice without a word: %+v", r)
		step := r.Journey + "/" + r.Channel
		allowed[step], got[step] = allowed[step]+r.Resent, got[step]+taken[r.ID]
	}
	for step, n := range got {
		require.LessOrEqual(w, n, 1+allowed[step], "accepted twice without a word: %s", step)
	}
	var sum tally
	for _, r := range all {
		n := taken[r.ID]
		delete(taken, r.ID)
		sum.messages, sum.attempts, sum.resent = sum.messages+1, sum.attempts+r.Attempt, sum.resent+r.Resent
		if n > 1 {
			sum.twice++
		}
		switch r.State {
		case store.MessageAccepted:
			require.GreaterOrEqual(w, n, 1, "the row says accepted, the vendor has nothing: %+v", r)
			sum.accepted++
		case store.MessageRefused:
			// Of the last attempt: what was sent again by policy may have got through before.
			require.LessOrEqual(w, n, r.Resent, "the row says refused, the vendor has it: %+v", r)
			sum.refused++
		case store.MessageParked:
			sum.parked++ // listed: a person decides
		default:
			require.Fail(w, "a message is stuck", "%+v", r)
		}
		if told[r.ID] {
			require.Equal(w, "delivered", r.Delivery, "the vendor told that it was delivered: %+v", r)
			require.Equal(w, store.MessageAccepted, r.State, "%+v", r)
		}
	}
	require.Empty(w, taken, "accepted without a row")
	require.Empty(w, w.texts(`SELECT format('%s: %s', a.state, (SELECT string_agg(concat_ws(' ', m.channel, m.state, m.reason, m.attempt), ', ') FROM message m WHERE m.assignment_id = a.id))
		FROM assignment a WHERE (a.exposed_at IS NOT NULL) <> EXISTS
		(SELECT 1 FROM message m WHERE m.assignment_id = a.id AND (m.state IN ('accepted', 'unknown', 'parked') OR m.resent > 0))`),
		"a code is seen exactly if a vendor may have taken a message with it")
	require.Zero(w, w.count(`SELECT count(*) FROM (SELECT journey_id FROM assignment GROUP BY 1 HAVING count(*) > 1) more`), "one code a journey")
	return sum
}

// wake runs the steps of held journeys again whose messages turned out to be known,
// as the resume signal does.
func (w *world) wake(ids []string) {
	held := map[string]bool{}
	for _, r := range w.rows() {
		held[r.Journey+"/"+r.Channel] = true
	}
	for _, id := range ids {
		for channel := range steps {
			if !held[id+"/"+channel] {
				continue
			}
			result, _ := w.send(id, channel, quickly)
			switch result.Status {
			case activities.Done, activities.Failed, activities.Held:
			default:
				require.Fail(w, "a step came to nothing", "%+v", result)
			}
		}
	}
}
