package sandbox

import (
	"net/http"
	"slices"
	"strings"
)

// conversation is everything between Scrip and one phone.
type conversation struct {
	Number   string
	Messages []Message // oldest first
	OptedOut bool
}

func (s *Sandbox) phonePage(w http.ResponseWriter, r *http.Request) {
	byNumber, order := map[string]*conversation{}, []string{}
	for _, m := range s.byChannel("sms") {
		number := m.To
		if m.Inbound {
			number = m.From
		}
		c := byNumber[number]
		if c == nil {
			c = &conversation{Number: number, OptedOut: s.optedOut(number)}
			byNumber[number] = c
		}
		c.Messages = append(c.Messages, m)
		order = append(slices.DeleteFunc(order, func(n string) bool { return n == number }), number)
	}
	slices.Reverse(order) // the newest conversation first
	list := make([]*conversation, 0, len(order))
	for _, number := range order {
		list = append(list, byNumber[number])
	}
	open := byNumber[r.URL.Query().Get("number")]
	if open == nil && len(list) > 0 {
		// An open page stays with its number, whoever is written to next.
		http.Redirect(w, r, "/sandbox/phone?number="+escape(list[0].Number), http.StatusSeeOther)
		return
	}
	s.show(w, "phone", view{Title: "Phone", Active: "phone", Problem: r.URL.Query().Get("problem"), Page: map[string]any{"Conversations": list, "Open": open}})
}

func (s *Sandbox) phoneReply(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	number, text := r.PostFormValue("number"), strings.TrimSpace(r.PostFormValue("text"))
	target := "/sandbox/phone?number=" + escape(number)
	if !e164.MatchString(number) || text == "" {
		target += "&problem=" + escape("Write something first.")
	} else if err := s.reply(number, text); err != nil {
		s.o.Logger.Error("sandbox: replying from the phone", "error", err)
		target += "&problem=" + escape("The reply could not be kept; look at Scrip's log.")
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}
