package store

import "strings"

// What the stable words for reasons mean, for people.
var (
	refusalSentences = map[string]string{
		"where":              "the trigger's `where` was not true",
		"expression_error":   "the trigger's `where` could not be evaluated for this event",
		"cooldown":           "the contact entered too recently (entry.cooldown)",
		"already_entered":    "the contact entered with this key before (entry.key)",
		"inside":             "the contact is inside already (entry.while_inside: ignore)",
		"already_exited":     "an exit applied before the entry",
		"exited":             "an exit applied while the entry waited out its debounce",
		"unreadable_version": "this build can't read the campaign's version; run the build that applied it, or apply the campaign anew",
		"no_contact":         "the event names nobody",
		"no_key":             "the event has no value for entry.key",
		"paused":             "the campaign was paused",
		"draining":           "the campaign takes nobody in any more (draining)",
		"stopped":            "the campaign was stopped",
		"merged":             "another record of the same person was inside",
		"erased":             "the contact was erased",
	}
	parkedSentences = map[string]string{
		"render_error":      "the template could not be rendered; mend it and run `scrip apply`",
		"expression_error":  "the step's condition could not be evaluated; give it what it reads and `scrip journey signal … resume`, or `… skip`",
		"unknown_outcome":   "nobody knows whether the message was sent; `scrip unknown resolve` settles it",
		"campaign_paused":   "the campaign is paused; `scrip campaign resume` lets it go on",
		"kill_switch":       "all marketing is held; `scrip kill-switch off` lets it go on",
		"out_of_window":     "it is outside the hours for sending; it goes on when they come",
		"waiting_for_codes": "the coupon has no code left; `scrip codes import` refills it",
		"paused":            "it was paused by hand; `scrip journey signal … resume` lets it go on",
	}
	skipSentences = map[string]string{
		"no_address":     "the contact has no address for it",
		"no_consent":     "the contact has not consented to it",
		"suppressed":     "the address is suppressed: it bounced, complained or unsubscribed",
		"too_late":       "it would have come too late (send.late)",
		"code_expired":   "the code has expired",
		"code_used":      "the code is used",
		"no_code":        "there was no code: none left, the coupon is over or switched off, or the code was withdrawn",
		"already_had":    "the contact had this coupon's code before (one_per: contact)",
		"vendor_refused": "the vendor refused it",
		"render_error":   "its text could not be rendered",
		"not_live":       "the connection isn't live; write `live: true` in scrip.yaml when real people may be reached",
		"only_to":        "the connection writes to its `only_to` addresses alone",
		"no_connection":  "the worker's scrip.yaml has no connection for it; add one and restart the worker",
		"journey_over":   "the journey was over",
		"given_up":       "a person gave it up",
	}
	outcomeSentences = map[string]string{
		"redeemed":  "the code was used",
		"completed": "its steps are done",
		"timed_out": "its lifetime was over",
		"restarted": "the contact entered anew, which ended it (entry.while_inside: restart)",
		"stopped":   "a person stopped it, or its campaign",
		"erased":    "the contact was erased",
		"merged":    "another record of the same person was inside, too",
		"failed":    "a step failed for good, or it could not start; its workflow's history and the log say why",
		"lost":      "Temporal knew its workflow no longer: it was terminated, or Temporal's database was lost",
	}
)

func sentenceOf(sentences map[string]string, reason string) string {
	if sentence, ok := sentences[reason]; ok {
		return sentence
	}
	if reason == "" {
		return "no reason was recorded"
	}
	return strings.ReplaceAll(reason, "_", " ")
}

// alternatives gives "order.paid or order.created".
func alternatives(words []string) string {
	if len(words) == 0 {
		return "event"
	}
	return strings.Join(words, " or ")
}
