package silent_test

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

const over = "exit:\n  - event: EVENT_over\n" + inside

// letterCases are deliveries that were accepted and can't be dispatched.
var letterCases = []proofCase{
	{kind: letter, reason: "the payload is no longer kept; have the sender send it again", happen: func(s *scene) {
		s.dies(store.Incoming{Connection: "shop", Topic: "checkouts/update"})
	}},
	{kind: letter, reason: "there is no connection", happen: func(s *scene) {
		s.dies(store.Incoming{Connection: "silent-gone", Topic: "checkouts/update", Body: []byte(`{}`)})
	}},
	{kind: letter, reason: "the payload could not be understood as", happen: func(s *scene) {
		s.dies(store.Incoming{Connection: "shop", Topic: "checkouts/update", Body: []byte(`[]`)})
	}},
	{kind: letter, reason: "an event has no type", happen: func(s *scene) {
		s.dies(store.Incoming{Connection: store.ConnectionAPI, Topic: "silent", Body: []byte(`{}`)})
	}},
	{kind: letter, reason: "code.rolled_back names no order; send order.id", happen: func(s *scene) {
		s.dies(store.Incoming{Connection: store.ConnectionAPI, Topic: "silent", Body: []byte(`{"type": "code.rolled_back", "code": "X"}`)})
	}},
	{kind: letter, reason: "code.redeemed names no order or no code; send code and order.id", happen: func(s *scene) {
		s.dies(store.Incoming{Connection: store.ConnectionAPI, Topic: "silent", Body: []byte(`{"type": "code.redeemed", "code": "X"}`)})
	}},
	{kind: letter, reason: "it concerns a journey in version", file: over, happen: func(s *scene) {
		j := s.enters(nil)
		s.newerBuild()
		_, err := s.w.Store.Pool.Exec(s.Context(), `UPDATE journey SET version_no = 2 WHERE id = $1`, j.ID)
		require.NoError(s, err)
		s.dies(s.overFor())
	}},
	// A row that the journey hangs on was deleted past the constraints.
	{kind: letter, reason: "something that the event refers to is gone", file: over, happen: func(s *scene) {
		j := s.enters(nil)
		require.NoError(s, s.w.Store.InTx(s.Context(), func(tx *store.Tx) error {
			if _, err := tx.Exec(s.Context(), `SET LOCAL session_replication_role = replica`); err != nil {
				return err
			}
			_, err := tx.Exec(s.Context(), `DELETE FROM event WHERE id = (SELECT trigger_event_id FROM journey WHERE id = $1)`, j.ID)
			return err
		}))
		s.dies(s.overFor())
	}},
	{kind: letter, reason: "the database refused what the event says:", happen: func(s *scene) {
		token := ""
		for len(token) < 30_000 { // too large for an index
			token += rand.Text()
		}
		s.dies(store.Incoming{Connection: store.ConnectionAPI, Topic: "silent", Body: []byte(`{"type": "silent.large", "token": "` + token + `"}`)})
	}},
}

// overFor is the event that ends the person's journey.
func (s *scene) overFor() store.Incoming {
	return store.Incoming{Connection: store.ConnectionAPI, Topic: "silent",
		Body: []byte(`{"type": "` + s.event + `_over", "person": {"identities": [{"kind": "email", "value": "` + s.Customer.Email + `"}]}}`)}
}

// dies stores a delivery as the hook does and demands that it becomes a dead
// letter, and that all that has to tells of it.
func (s *scene) dies(in store.Incoming) {
	s.Helper()
	in.Key, in.SentAt = "silent:"+s.Token, time.Now()
	accepted, err := s.w.Store.Accept(s.Context(), []store.Incoming{in})
	require.NoError(s, err)
	id := accepted[0].DeliveryID
	s.Until(func() bool {
		// The pauses between its attempts add up to minutes.
		_, err := s.w.Store.Pool.Exec(s.Context(), `UPDATE delivery_queue SET attempts = 4, not_before = '-infinity' WHERE delivery_id = $1 AND attempts BETWEEN 1 AND 3`, id)
		require.NoError(s, err)
		return s.w.Count(s, `SELECT count(*) FROM dead_letter WHERE delivery_id = $1`, id) > 0
	}, "the delivery to become a dead letter")
	s.oneRow(`SELECT count(*) FROM dead_letter WHERE delivery_id = $1 AND starts_with(reason, $2)`, id, s.c.reason)
	s.counted("starter", `scrip_dispatched_total{connection="`+in.Connection+`",outcome="dead"}`)
	var failed struct {
		Items []struct {
			ID     int64
			Reason string
		}
	}
	s.Call(http.MethodGet, "/v1/inbox/failed?limit=100", nil, &failed)
	for _, l := range failed.Items {
		if l.ID == id {
			require.Contains(s, l.Reason, s.c.reason)
			return
		}
	}
	require.Fail(s, "the list of dead letters lacks it", "%+v", failed.Items)
}
