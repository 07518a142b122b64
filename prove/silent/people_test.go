package silent_test

import (
	"net/http"

	"github.com/stretchr/testify/require"
)

// waitsOut is a debounce that outlasts the test.
const waitsOut = "trigger: {event: EVENT, debounce: 6d}\nentry: {key: event.no}\n"

// peopleCases are entries that end because of what becomes of the person.
var peopleCases = []proofCase{
	{kind: entry, reason: "merged", file: waitsOut + inside, happen: func(s *scene) {
		other := "other-" + s.Customer.Email
		s.waits(s.Customer.Email, map[string]any{"no": "1"})
		s.waits(other, map[string]any{"no": "1"})
		s.one(other)
		s.refused()
		s.why(s.Contact())
	}},
	{kind: entry, reason: "erased", file: waitsOut + inside, happen: func(s *scene) {
		s.waits(s.Customer.Email, nil)
		contact := s.Contact()
		s.Call(http.MethodPost, "/v1/contacts/"+contact+"/erase", nil, nil)
		s.refused()
		s.why(contact)
	}},
	// A code that an erased person holds tells of its end still.
	{kind: entry, reason: "erased", way: "by its code", file: `
trigger:
  event: code.expired
  where: event.coupon == "NAME"
steps:
  - wait: 80d
---
campaign: NAME-gives
trigger: {event: EVENT}
steps:
  - assign: NAME
  - wait: 80d
---
coupon: NAME
discount: {percentage: 10}
codes: {generate: "ERA-########"}
valid_for: 40h
`, happen: func(s *scene) {
		j := s.Wants(s.event, s.campaign+"-gives", nil)
		s.Until(func() bool { return len(s.Show(j.ID).Codes) == 1 }, "a code")
		contact := s.Contact()
		_, err := s.w.Store.Pool.Exec(s.Context(), `UPDATE assignment SET exposed_at = now(), state = 'exposed' WHERE journey_id = $1`, j.ID)
		require.NoError(s, err)
		s.Call(http.MethodPost, "/v1/contacts/"+contact+"/erase", nil, nil)
		s.Until(func() bool {
			return s.w.Count(s, `SELECT count(*) FROM assignment WHERE journey_id = $1 AND expires_at < now() - interval '1 second'`, j.ID) == 1
		}, "the code to be over")
		s.upkeep()
		mine := `SELECT count(*) FROM refusal r JOIN campaign c ON c.id = r.campaign_id WHERE c.name = $1 AND r.contact_id = $2`
		s.Until(func() bool { return s.w.Count(s, mine, s.campaign, contact) > 0 }, "the one row that says erased")
		s.oneRow(mine+` AND r.reason = $3`, s.campaign, contact, s.c.reason) // other people's codes end, too
		s.counted("starter", `scrip_refused_entries_total{campaign="`+s.campaign+`",reason="erased"}`)
		s.why(contact)
	}},
}

// waits puts a debounced entry of an address.
func (s *scene) waits(address string, fields map[string]any) {
	s.Helper()
	if fields == nil {
		fields = map[string]any{"no": s.Token}
	}
	before := s.waiting()
	s.HappensTo(map[string]any{"email": address, "consent": map[string]any{"email": true}}, s.event, fields)
	s.Until(func() bool { return s.waiting() == before+1 }, "the entry to wait out its debounce")
}

func (s *scene) waiting() int {
	return s.w.Count(s, `SELECT count(*) FROM pending_entry p JOIN campaign c ON c.id = p.campaign_id WHERE c.name = $1`, s.campaign)
}

// one tells that another address is the same person's.
func (s *scene) one(other string) {
	s.Helper()
	for _, address := range []string{s.Customer.Email, other} {
		s.HappensTo(map[string]any{"email": address, "external_id": s.Token}, s.event+"_known", nil)
	}
}

// upkeep has a round of it happen now.
func (s *scene) upkeep() {
	s.Helper()
	require.NoError(s, s.temporal.ScheduleClient().GetHandle(s.Context(), "Maintenance").Trigger(s.Context(), triggerNow))
}
