package silent_test

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/e2e/walk"
)

// note is a step that writes to the person.
const note = "steps:\n  - send: {email: note}\n"

// stepCases are messages that are not sent and other steps that are not done.
var stepCases = []proofCase{
	{kind: step, reason: "no_address", file: "steps:\n  - send: {sms: note}\n", happen: func(s *scene) {
		s.Customer.Phone = ""
		s.HappensTo(map[string]any{"email": s.Customer.Email, "consent": map[string]any{"email": true, "sms": true}}, s.event, nil)
		j := s.Ends(s.Enters(s.campaign).ID)
		s.unsent(j, "send_sms_note", "skipped", "sms")
		s.notDone("send", "skipped")
	}},
	{kind: step, reason: "no_address", way: "team", file: "steps:\n  - notify: {growth: Hello}\n", happen: func(s *scene) {
		j := s.Ends(s.enters(nil).ID)
		s.oneRow(`SELECT count(*) FROM message WHERE journey_id = $1 AND kind = 'internal' AND state = 'skipped' AND reason = $2`, j.ID, s.c.reason)
		s.counts("worker", `scrip_messages_skipped_total{channel="email",reason="no_address"}`)
		s.why(s.Contact())
	}},
	{kind: step, reason: "no_consent", file: note, happen: func(s *scene) {
		s.HappensTo(map[string]any{"email": s.Customer.Email}, s.event, nil)
		j := s.Ends(s.Enters(s.campaign).ID)
		s.unsent(j, "send_email_note", "skipped", "email")
		s.notDone("send", "skipped")
	}},
	{kind: step, reason: "suppressed", file: "steps:\n  - send: {email: note}\n    id: first\n  - await:\n      - event: silent.bounced\n  - send: {email: note}\n", happen: func(s *scene) {
		s.Customer.Email = "bounce+" + s.Token[:8] + "@example.com"
		j := s.enters(nil)
		s.Until(func() bool {
			return s.w.Count(s, `SELECT count(*) FROM message WHERE journey_id = $1 AND delivery = 'bounced'`, j.ID) == 1
		}, "the mail to bounce")
		s.Happens("silent.bounced", nil)
		s.unsent(s.Ends(j.ID), "send_email_note", "skipped", "email")
		s.notDone("send", "skipped")
	}},
	{kind: step, reason: "suppressed", way: "at the vendor", file: "steps:\n  - send: {sms: note}\n", happen: func(s *scene) {
		s.Customer.Phone = "+49151" + digits(s.Token, 3) + "21610"
		s.unsent(s.Ends(s.enters(nil).ID), "send_sms_note", "refused", "sms")
		s.notDone("send", "failed")
	}},
	{kind: step, reason: "vendor_refused", file: note, happen: func(s *scene) {
		s.Customer.Email = "reject+" + s.Token[:8] + "@example.com"
		s.unsent(s.Ends(s.enters(nil).ID), "send_email_note", "refused", "email")
		s.notDone("send", "failed")
	}},
	{kind: step, reason: "vendor_refused", way: "call", file: "steps:\n  - call: {connection: fraud, method: POST, path: /nowhere}\n", happen: func(s *scene) {
		s.failsCalling(s.Ends(s.enters(nil).ID), "failed")
	}},
	{kind: step, reason: "too_late", long: true, file: "steps:\n  - wait: 40h\n  - send: {email: note, late: 1h}\n", happen: func(s *scene) {
		j := s.enters(nil)
		s.Call(http.MethodPost, "/v1/campaigns/"+s.campaign+"/pause", nil, nil)
		s.Until(func() bool { return s.Show(j.ID).Reason == "campaign_paused" }, "the pause")
		time.Sleep(61 * time.Second) // a development clock takes nothing under a minute for late
		s.Call(http.MethodPost, "/v1/campaigns/"+s.campaign+"/resume", nil, nil)
		s.unsent(s.Ends(j.ID), "send_email_note", "skipped", "email")
	}},
	{kind: step, reason: "code_expired", file: `
steps:
  - assign: NAME
  - wait: 3h
  - send: {email: note}
---
coupon: NAME
discount: {percentage: 10}
codes: {generate: "EXP-########"}
valid_for: 1h
`, happen: func(s *scene) { s.skips("send_email_note", "email") }},
	{kind: step, reason: "code_used", file: `
steps:
  - assign: NAME
  - await:
      - event: code.redeemed
        then:
          - send: {email: note}
---
coupon: NAME
discount: {percentage: 10}
codes: {generate: "USE-########"}
`, happen: func(s *scene) {
		j := s.enters(nil)
		s.Until(func() bool { return len(s.Show(j.ID).Codes) == 1 }, "a code")
		s.Call(http.MethodPost, "/v1/codes/"+s.Show(j.ID).Codes[0].Code+"/redeem", map[string]any{"order": map[string]any{"id": s.Token, "total": "80.00", "currency": "EUR"}}, nil)
		s.unsent(s.Ends(j.ID), "send_email_note", "skipped", "email")
		s.notDone("send", "skipped")
	}},
	{kind: step, reason: "no_code", file: emptyPool("send: {email: note, coupon: NAME}", "skip"), happen: func(s *scene) { s.skips("send_email_note", "email") }},
	{kind: step, reason: "no_code", way: "assign", file: emptyPool("assign: NAME", "skip"), happen: func(s *scene) {
		j := s.Ends(s.enters(nil).ID)
		s.oneRow(`SELECT count(*) FROM step_result WHERE journey_id = $1 AND status = 'skipped' AND reason = 'no_code'`, j.ID)
		s.notDone("assign", "skipped")
		s.why(s.Contact())
	}},
	{kind: step, reason: "no_code", way: "signal", file: "steps:\n  - wait: 80d\n", happen: func(s *scene) {
		j := s.enters(nil)
		s.Signal(j.ID, "redeemed", map[string]any{})
		s.Until(func() bool {
			return s.w.Count(s, `SELECT count(*) FROM step_result WHERE journey_id = $1 AND reason = 'no_code'`, j.ID) == 1
		}, "the one row that says that there is no code to redeem")
		s.notDone("signal", "skipped")
		s.why(s.Contact())
	}},
	{kind: step, reason: "already_had", file: oncePerContact("send: {email: note, coupon: NAME}"), happen: func(s *scene) {
		s.Ends(s.enters(nil).ID)
		j := s.again()
		s.oneRow(`SELECT count(*) FROM message WHERE journey_id = $1 AND state = 'skipped' AND reason = $2`, j.ID, s.c.reason)
		s.counts("worker", `scrip_messages_skipped_total{channel="email",reason="already_had"}`)
		s.why(s.Contact())
	}},
	{kind: step, reason: "already_had", way: "assign", file: oncePerContact("assign: NAME\n  - send: {email: note}"), happen: func(s *scene) {
		s.Ends(s.enters(nil).ID)
		j := s.again()
		s.oneRow(`SELECT count(*) FROM step_result WHERE journey_id = $1 AND status = 'skipped' AND reason = $2`, j.ID, s.c.reason)
		s.notDone("assign", "skipped")
		s.why(s.Contact())
	}},
	{kind: step, reason: "not_live", file: "steps:\n  - send: {email: note, connection: quiet}\n", happen: func(s *scene) { s.skips("send_email_note", "email") }},
	{kind: step, reason: "only_to", file: "steps:\n  - send: {email: note, connection: chosen}\n", happen: func(s *scene) { s.skips("send_email_note", "email") }},
	{kind: step, reason: "no_connection", file: "steps:\n  - send: {email: note, connection: spare}\n", happen: func(s *scene) { s.skips("send_email_note", "email") }},
	{kind: step, reason: "no_connection", way: "call", file: "steps:\n  - call: {connection: other, method: POST, path: /x}\n", happen: func(s *scene) {
		s.failsCalling(s.Ends(s.enters(nil).ID), "failed")
	}},
	{kind: step, reason: "render_error", way: "call", file: "steps:\n  - call: {connection: fraud, method: POST, path: \"/{{ contact.attributes.shoe.size }}\"}\n", happen: func(s *scene) {
		s.failsCalling(s.Ends(s.enters(nil).ID), "failed")
	}},
	{kind: step, reason: "render_error", way: "notify", file: "steps:\n  - notify: {sales: \"{{ contact.attributes.shoe.size }}\"}\n", happen: func(s *scene) {
		j := s.Ends(s.enters(nil).ID)
		s.oneRow(`SELECT count(*) FROM message WHERE journey_id = $1 AND kind = 'internal' AND state = 'skipped' AND reason = $2`, j.ID, s.c.reason)
		s.counts("worker", `scrip_messages_skipped_total{channel="email",reason="render_error"}`)
		s.why(s.Contact())
	}},
	{kind: step, reason: "journey_over", file: "steps:\n  - send: {sms: note}\n", happen: func(s *scene) {
		s.Customer.Phone = "+49151" + digits(s.Token, 3) + "20429" // the vendor takes nothing
		j := s.enters(nil)
		s.Until(func() bool {
			return s.w.Count(s, `SELECT count(*) FROM message WHERE journey_id = $1 AND state = 'reserved'`, j.ID) == 1
		}, "the vendor to take nothing")
		require.Contains(s, s.Explained(s.campaign), "it is tried again")
		s.Signal(j.ID, "exit", map[string]any{"outcome": "called_us"})
		s.unsent(s.Ends(j.ID), "send_sms_note", "skipped", "sms")
	}},
}

// failsCalling demands what a failed call leaves behind.
func (s *scene) failsCalling(j walk.Journey, status string) {
	s.Helper()
	s.oneRow(`SELECT count(*) FROM step_result WHERE journey_id = $1 AND status = $2 AND reason = $3`, j.ID, status, s.c.reason)
	s.notDone("call", status)
	s.why(s.Contact())
}

// again lets the person in once more and waits for the end.
func (s *scene) again() walk.Journey {
	s.Helper()
	s.Happens(s.event, nil)
	s.Until(func() bool { return len(s.Journeys(s.campaign)) == 2 }, "the second entry")
	return s.Ends(s.Journeys(s.campaign)[0].ID)
}

func emptyPool(step, onEmpty string) string {
	return "steps:\n  - " + step + "\n---\ncoupon: NAME\ndiscount: {percentage: 10}\ncodes: {list: true}\non_empty: " + onEmpty + "\n"
}

// oncePerContact is a coupon of which a person has one code, which they have seen
// and which is over before its journey is.
func oncePerContact(step string) string {
	return "steps:\n  - " + step + "\n  - wait: 60h\n---\ncoupon: NAME\ndiscount: {percentage: 10}\ncodes: {generate: \"ONE-########\"}\nvalid_for: 40h\none_per: contact\n"
}

// digits makes a number of a token.
func digits(token string, n int) string {
	made := []byte{}
	for i := range n {
		made = append(made, '0'+token[i]%10)
	}
	return string(made)
}
