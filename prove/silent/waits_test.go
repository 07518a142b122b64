package silent_test

// waitCases are waits that are over at once. They hold nobody up; the journey's
// steps tell of them when it has ended.
var waitCases = []proofCase{
	{kind: wait, reason: "no_code", file: "steps:\n  - wait: {until: expiry}\n", happen: remarked},
	{kind: wait, reason: "no_code", way: "by the calendar", file: "steps:\n  - wait: {until: expiry, at: \"10:00\"}\n", happen: remarked},
	{kind: wait, reason: "no_date", file: "steps:\n  - wait: {until: contact.birthday}\n", happen: remarked},
	{kind: wait, reason: "late", file: "steps:\n  - wait: {until: \"2020-01-01\"}\n", happen: remarked},
	{kind: wait, reason: "late", way: "before the expiry", file: `
steps:
  - assign: NAME
  - wait: {until: expiry, offset: -80d}
---
coupon: NAME
discount: {percentage: 10}
codes: {generate: "LAT-########"}
valid_for: 60h
`, happen: remarked},
}

func remarked(s *scene) {
	j := s.Ends(s.enters(nil).ID)
	s.oneRow(`SELECT count(*) FROM step_result WHERE journey_id = $1 AND step LIKE 'wait%' AND status = 'done' AND reason = $2`, j.ID, s.c.reason)
	for _, step := range s.Show(j.ID).Steps {
		if step.Reason == s.c.reason {
			return
		}
	}
	s.Errorf("the journey's steps don't show %s", s.c.reason)
}
