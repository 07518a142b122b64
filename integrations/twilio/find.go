package twilio

import (
	"context"
	"strings"
	"time"

	api "github.com/twilio/twilio-go/rest/api/v2010"

	"scrip.dev/scrip/integrations"
)

// maxListed is how many of a person's messages are looked through.
const maxListed = 100

// Find looks for a message whose call ended without an answer.
//
// Twilio lists messages by recipient, with their text and time, but without
// their status address, which holds our id. So: the same text to the same number
// since the attempt is the message. It is certainly not there when nothing with
// its text went to the number since, once listed_after has passed since its
// deadline. What can't be told apart stays unknown: a content template, whose
// text only Twilio knows, beside any other message to the number; and more
// messages than are looked through.
//
// The list is not narrowed by DateSent: what Twilio has queued has none yet.
//
// since is of this process's clock, or of another worker's.
//
// https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
func (s *Sender) Find(ctx context.Context, m integrations.Message, since time.Time) (integrations.Sent, bool, error) {
	const finding = "looking for an SMS"
	last := m.Deadline
	if last.IsZero() {
		last = since.Add(s.settings.HTTP.Timeout)
	}
	if wait := last.Add(s.cfg.ListedAfter).Sub(s.settings.Now()); wait > 0 {
		early := s.classify.Refused(finding, integrations.Retry, "too_early")
		early.RetryAfter = wait
		return integrations.Sent{}, false, early
	}
	call := s.call(ctx)
	call.fresh = true
	page, err := call.api().PageMessage((&api.ListMessageParams{}).SetTo(m.To).SetPageSize(maxListed), "", "")
	if failure := s.failed(finding, call, err); failure != nil {
		return integrations.Sent{}, false, failure
	}
	if err != nil || page == nil || page.Messages == nil { // something else answered, or in another's place
		return integrations.Sent{}, false, s.classify.Refused(finding, integrations.Unknown, "malformed_answer")
	}
	// Twilio's clock is not ours, and its times are whole seconds.
	candidates := listedSince(page.Messages, m.To, since.Add(-time.Minute))
	for _, listed := range candidates {
		if m.TemplateID == "" && listed.sameText(m.Text) {
			return integrations.Sent{VendorID: *listed.Sid, At: listed.at}, true, nil
		}
	}
	if (m.TemplateID != "" && len(candidates) > 0) || len(candidates) >= maxListed {
		return integrations.Sent{}, false, s.classify.Refused(finding, integrations.Unknown, "ambiguous")
	}
	return integrations.Sent{}, false, nil
}

type listed struct {
	api.ApiV2010Message
	at time.Time
}

func listedSince(messages []api.ApiV2010Message, to string, since time.Time) []listed {
	var found []listed
	for _, message := range messages {
		if message.Sid == nil || message.To == nil || *message.To != to {
			continue
		}
		at := since // a message without a readable time counts, to be on the safe side
		if message.DateCreated != nil {
			if created, err := time.Parse(time.RFC1123Z, *message.DateCreated); err == nil {
				at = created
			}
		}
		if !at.Before(since) {
			found = append(found, listed{message, at})
		}
	}
	return found
}

// sameText compares what smart encoding leaves as it is: letters and digits.
func (l listed) sameText(text string) bool {
	return l.Body != nil && plain(*l.Body) == plain(text)
}

func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, text)
}
