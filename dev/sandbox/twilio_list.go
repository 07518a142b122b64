package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// listSMS lists Message resources, newest first, filtered by To, From and
// DateSent.
// https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
func (s *Sandbox) listSMS(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	keep, err := dateFilter(q)
	if err != nil {
		twilioError(w, http.StatusBadRequest, 20001, "Invalid 'DateSent'")
		return
	}
	list := slices.DeleteFunc(s.Messages(), func(m Message) bool {
		return m.Channel != "sms" || q.Get("To") != "" && m.To != q.Get("To") ||
			q.Get("From") != "" && m.From != q.Get("From") || !keep(m.At)
	})
	slices.Reverse(list)

	size, page := 50, 0
	if n, err := strconv.Atoi(q.Get("PageSize")); err == nil && n > 0 {
		size = min(n, 1000)
	}
	if n, err := strconv.Atoi(q.Get("Page")); err == nil && n > 0 {
		page = n
	}
	start := min(page*size, len(list))
	end := min(start+size, len(list))
	resources := make([]any, 0, end-start)
	for _, m := range list[start:end] {
		resources = append(resources, s.smsResource(m))
	}
	var next any
	if end < len(list) {
		next = s.pageURI(q, page+1, size)
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"messages": resources, "page": page, "page_size": size, "start": start, "end": max(end-1, 0),
		"uri": s.pageURI(q, page, size), "first_page_uri": s.pageURI(q, 0, size), "next_page_uri": next, "previous_page_uri": nil,
	})
}

func (s *Sandbox) pageURI(q url.Values, page, size int) string {
	own := url.Values{}
	for k, v := range q {
		own[k] = v
	}
	own.Set("Page", strconv.Itoa(page))
	own.Set("PageSize", strconv.Itoa(size))
	return twilioAPI + s.o.Secrets.TwilioAccountSID + "/Messages.json?" + own.Encode()
}

// dateFilter reads DateSent, DateSent< and DateSent>, each a GMT day or an
// instant; the bounds are inclusive.
func dateFilter(q url.Values) (func(time.Time) bool, error) {
	var checks []func(time.Time) bool
	for key, want := range map[string]func(t, bound time.Time) bool{
		"DateSent":  func(t, bound time.Time) bool { return day(t).Equal(day(bound)) },
		"DateSent<": func(t, bound time.Time) bool { return !t.After(bound) },
		"DateSent>": func(t, bound time.Time) bool { return !t.Before(bound) },
	} {
		text := q.Get(key)
		if text == "" {
			continue
		}
		bound, err := time.Parse(time.RFC3339, text)
		if err != nil {
			if bound, err = time.Parse(time.DateOnly, text); err != nil {
				return nil, err
			}
			if key == "DateSent<" {
				bound = bound.AddDate(0, 0, 1)
			}
		}
		checks = append(checks, func(t time.Time) bool { return want(t.Truncate(time.Second), bound) })
	}
	return func(t time.Time) bool {
		for _, ok := range checks {
			if !ok(t) {
				return false
			}
		}
		return true
	}, nil
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
