package campaign

import "slices"

func (r *reader) send(n *node) *SendDoc {
	s := &SendDoc{Kind: Marketing, Late: defaultLate}
	known := append(slices.Clone(channels), "coupon", "kind", "between", "late", "connection", "with")
	if r.keys(n, "`send`", known, laterSends...) == nil {
		return s
	}
	for _, channel := range channels {
		if t := n.get(channel); t != nil {
			if s.Channel != "" {
				r.fail(t.pos, "a `send` goes over one channel; write a second step for `%s`", channel)
			}
			s.Channel, s.Template = channel, r.name(t, "the template")
		}
	}
	if s.Channel == "" && !slices.ContainsFunc(laterSends, func(c string) bool { return n.get(c) != nil }) {
		r.fail(n.pos, "`send` names a channel and a template: `send: {email: cart-reminder}`")
	}
	if c := n.get("coupon"); c != nil {
		s.Coupon = r.couponRef(c, "`coupon`")
	}
	if k := n.get("kind"); k != nil {
		s.Kind = r.oneOf(k, "`kind`", Marketing, Transactional)
	}
	if b := n.get("between"); b != nil {
		s.Between = r.window(b, "`between`")
	}
	if l := n.get("late"); l != nil {
		s.Late = r.duration(l, "`late`")
	}
	if c := n.get("connection"); c != nil {
		s.Connection = r.name(c, "`connection`")
	}
	s.With = r.with(n.get("with"))
	return s
}

// with reads further variables of the template; none may hide one of Scrip's.
func (r *reader) with(n *node) map[string]any {
	out := r.anything(n, "`with`")
	if out == nil {
		return nil
	}
	reserved := append(slices.Clone(messageVariables), InStep.Variables()...)
	for _, e := range n.entries {
		if !idPattern.MatchString(e.key) || slices.Contains(reserved, e.key) {
			r.fail(e.pos, "a variable of `with` is named in small letters, digits and underscores, and not like one of Scrip's own; `%s` isn't", e.key)
		}
	}
	return out
}

func (r *reader) assign(n *node) *AssignDoc {
	if n.kind != mapping {
		return &AssignDoc{Coupon: r.couponRef(n, "`assign`")}
	}
	a := &AssignDoc{}
	r.keys(n, "`assign`", []string{"coupon", "new", "valid_for"})
	if c := n.get("coupon"); c == nil {
		r.fail(n.pos, "`assign` names its `coupon`")
	} else {
		a.Coupon = r.couponRef(c, "`coupon`")
	}
	a.New = r.flag(n.get("new"), "`new`")
	a.ValidFor, a.ValidForDays = r.validity(n.get("valid_for"))
	return a
}

func (r *reader) notify(n *node) map[string]string {
	if n.kind != mapping || len(n.entries) == 0 {
		r.fail(n.pos, "`notify` names a team and what to tell it: `notify: {sales: \"…\"}`")
		return nil
	}
	out := map[string]string{}
	for _, e := range n.entries {
		if !namePattern.MatchString(e.key) {
			r.fail(e.pos, "a team is named in small letters, digits and single hyphens, not `%s`", e.key)
		}
		out[e.key] = r.text(e.value, "what `notify` tells")
	}
	return out
}

func (r *reader) call(n *node) *CallDoc {
	c := &CallDoc{Method: "POST"}
	if r.keys(n, "`call`", []string{"connection", "method", "path", "json"}) == nil {
		return c
	}
	if conn := n.get("connection"); conn == nil {
		r.fail(n.pos, "`call` names its `connection`")
	} else {
		c.Connection = r.name(conn, "`connection`")
	}
	if m := n.get("method"); m != nil {
		c.Method = r.oneOf(m, "`method`", "GET", "POST", "PUT", "PATCH", "DELETE")
	}
	if p := n.get("path"); p != nil {
		if c.Path = r.text(p, "`path`"); c.Path != "" && c.Path[0] != '/' {
			r.fail(p.pos, "`path` begins with a slash")
		}
	}
	if c.JSON = r.anything(n.get("json"), "`json`"); c.JSON != nil && c.Method == "GET" {
		r.fail(n.get("json").pos, "a GET has no `json`; put the values into `path`, or choose another `method`")
	}
	return c
}
