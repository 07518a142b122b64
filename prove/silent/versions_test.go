package silent_test

import "fmt"

// edition is one version of the campaign that changes under its journeys: another
// coupon, other conditions, other waits, other ids and other ends.
type edition struct {
	no        int
	threshold int // of the condition
	source    string
}

var editions = []edition{
	{1, 5, `campaign: edition
trigger: {event: edition.wanted}
entry: {key: event.no}
lifetime: 250d
steps:
  - send: {email: edition, coupon: edition-1}
  - await:
      - event: edition.answered
        where: event.edition == 1
        then:
          - tag: answered-1
      - after: 220d
        then:
          - end: never_answered
  - if: trigger.level >= 5
    then:
      - tag: high-1
    else:
      - tag: low-1
  - send: {email: edition-after, coupon: edition-1, late: 200d}
  - end: first
`},
	{2, 50, `campaign: edition
trigger: {event: edition.wanted}
entry: {key: event.no}
lifetime: 250d
steps:
  - send: {email: edition, coupon: edition-2}
    id: welcome
  - wait: 1h
  - await:
      - event: edition.answered
        where: event.edition == 2
        then:
          - tag: answered-2
      - after: 210d
        then:
          - end: never_answered
  - if: trigger.level >= 50
    then:
      - tag: high-2
    else:
      - tag: low-2
  - send: {email: edition-after, coupon: edition-2, late: 200d}
  - end: second
`},
	{3, 500, `campaign: edition
trigger: {event: edition.wanted}
entry: {key: event.no}
lifetime: 250d
exit:
  - event: edition.cancelled
    as: cancelled
steps:
  - send: {email: edition, coupon: edition-3}
    id: greeting
  - await:
      - event: edition.answered
        where: event.edition == 3
        then:
          - tag: answered-3
      - after: 200d
        then:
          - end: never_answered
  - if: trigger.level >= 500
    then:
      - tag: high-3
    else:
      - tag: low-3
  - send: {email: edition-after, coupon: edition-3, late: 200d}
    id: thanks
  - wait: 2h
  - end: third
`},
}

// outcomes are what the versions end with.
var outcomes = map[int]string{1: "first", 2: "second", 3: "third"}

// files are the project's at one version.
func (e edition) files(after string) map[string]string {
	coupons := ""
	for no := range editions {
		coupons += fmt.Sprintf("---\ncoupon: edition-%d\ndiscount: {percentage: %d}\ncodes: {generate: \"ED%d-########\"}\nvalid_for: 300d\n", no+1, no+1, no+1)
	}
	return map[string]string{
		"campaigns/edition.yaml":             e.source + coupons,
		"templates/edition/email.html":       mail("Edition", "{{ code }}"),
		"templates/edition-after/email.html": mail("After", after),
	}
}

func mail(subject, text string) string {
	return "---\nsubject: " + subject + "\nlayout: none\n---\n<p>" + text + "</p>\n"
}

// The text that can't be rendered, as nobody has that attribute, and the mended one.
const (
	brokenText = "{{ contact.attributes.shoe.size }} {{ code }}"
	mendedText = "Mended {{ code }}"
)

// tags are those that a person of a level has in the end.
func (e edition) tags(level int) []string {
	height := "low"
	if level >= e.threshold {
		height = "high"
	}
	return []string{fmt.Sprintf("answered-%d", e.no), fmt.Sprintf("%s-%d", height, e.no)}
}
