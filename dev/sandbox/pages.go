package sandbox

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
)

//go:embed pages
var pageFiles embed.FS

// templates holds one set a page: the layout with that page's "main".
var templates = func() map[string]*template.Template {
	functions := template.FuncMap{
		"ago": ago, "clock": func(t time.Time) string { return t.Local().Format("15:04:05") },
		"linked": linked, "hasPrefix": strings.HasPrefix,
		"tone": tone,
	}
	layout := template.Must(template.New("layout.html").Funcs(functions).ParseFS(pageFiles, "pages/layout.html"))
	set := map[string]*template.Template{}
	for _, page := range []string{"overview", "inbox", "mail", "missing", "phone", "shop"} {
		set[page] = template.Must(template.Must(layout.Clone()).ParseFS(pageFiles, "pages/"+page+".html"))
	}
	return set
}()

func (s *Sandbox) pageRoutes(mux *http.ServeMux) {
	mux.Handle("GET /sandbox/assets/", http.StripPrefix("/sandbox/assets/", assets()))
	mux.HandleFunc("GET /sandbox", s.overviewPage)
	mux.HandleFunc("GET /sandbox/{$}", s.overviewPage)
	mux.HandleFunc("GET /sandbox/inbox", s.inboxPage)
	mux.HandleFunc("GET /sandbox/inbox/{id}", s.mailPage)
	mux.HandleFunc("GET /sandbox/inbox/{id}/html", s.mailHTML)
	mux.HandleFunc("GET /sandbox/phone", s.phonePage)
	mux.HandleFunc("POST /sandbox/phone/reply", s.phoneReply)
	mux.HandleFunc("GET /sandbox/changes", s.changes)
}

// assets are the style sheet and the script; they are as old as the binary.
func assets() http.Handler {
	files := http.FileServerFS(pageFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".css") && !strings.HasSuffix(r.URL.Path, ".js") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		r.URL.Path = "/pages/" + r.URL.Path
		files.ServeHTTP(w, r)
	})
}

// view is what the layout knows of every page.
type view struct {
	Title   string
	Active  string // the tab
	Notice  string
	Problem string
	Page    any
}

func (s *Sandbox) show(w http.ResponseWriter, page string, v view) {
	s.showAs(w, http.StatusOK, page, v)
}

func (s *Sandbox) showAs(w http.ResponseWriter, status int, page string, v view) {
	var b bytes.Buffer
	if err := templates[page].ExecuteTemplate(&b, "layout.html", v); err != nil {
		s.o.Logger.Error("sandbox: showing a page", "page", page, "error", err)
		http.Error(w, "The page could not be shown; look at Scrip's log.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	// To its own pages alone: with no-referrer, browsers would not say either that a
	// form is of the same origin.
	w.Header().Set("Referrer-Policy", "same-origin")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'; base-uri 'none'")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

func (s *Sandbox) overviewPage(w http.ResponseWriter, _ *http.Request) {
	messages := s.Messages()
	count := map[string]int{}
	for _, m := range messages {
		count[m.Channel]++
	}
	hooks := s.Webhooks()
	s.show(w, "overview", view{Title: "Sandbox", Active: "overview", Page: map[string]any{
		"Emails": count["email"], "SMS": count["sms"], "Orders": len(s.shop.listOrders()), "Codes": s.shopify.countCodes(),
		"URL": s.o.PublicURL, "Journeys": s.journeysURL(), "Webhooks": hooks[:min(len(hooks), 15)], "Faults": s.Faults(), "Mail": mailBehaviours, "Phone": phoneBehaviours,
		"Endpoints": [][2]string{
			{"SendGrid", s.o.PublicURL + sendGridBase}, {"Twilio", s.o.PublicURL + twilioBase}, {"Shopify", s.o.PublicURL + shopifyBase},
		},
	}})
}

// journeysURL is the Temporal UI's list of journeys, without the workflows that
// keep the house.
func (s *Sandbox) journeysURL() string {
	if s.o.TemporalUI == "" {
		return ""
	}
	return s.o.TemporalUI + "/namespaces/default/workflows?query=" + escape(`WorkflowType="Journey"`)
}

func (s *shopify) countCodes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.codes)
}

func (s *Sandbox) byChannel(channel string) []Message {
	return slices.DeleteFunc(s.Messages(), func(m Message) bool { return m.Channel != channel })
}

func (s *Sandbox) inboxPage(w http.ResponseWriter, _ *http.Request) {
	list := s.byChannel("email")
	slices.Reverse(list)
	s.show(w, "inbox", view{Title: "Inbox", Active: "inbox", Page: map[string]any{"Messages": list[:min(len(list), 200)], "Total": len(list)}})
}

var linkForm = regexp.MustCompile(`https?://[^\s"'<>)]+`)

func (s *Sandbox) mailPage(w http.ResponseWriter, r *http.Request) {
	m, ok := s.messages.get(r.PathValue("id"))
	if !ok || m.Channel != "email" {
		s.showAs(w, http.StatusNotFound, "missing", view{Title: "No such mail", Active: "inbox", Page: "There is no such mail"})
		return
	}
	s.opened(m)
	links := linkForm.FindAllString(m.Text+" "+strings.ReplaceAll(m.HTML, "&amp;", "&")+" "+m.Headers["List-Unsubscribe"], -1)
	slices.Sort(links)
	headers := make([][2]string, 0, len(m.Headers))
	for k, v := range m.Headers {
		headers = append(headers, [2]string{k, v})
	}
	sort.Slice(headers, func(i, j int) bool { return headers[i][0] < headers[j][0] })
	s.show(w, "mail", view{Title: or(m.Subject, "Mail"), Active: "inbox", Page: map[string]any{"M": m, "Links": slices.Compact(links), "Headers": headers}})
}

// mailHTML shows a mail's HTML as a mail program would: without scripts, in an
// origin of its own, links in a new window.
func (s *Sandbox) mailHTML(w http.ResponseWriter, r *http.Request) {
	m, ok := s.messages.get(r.PathValue("id"))
	if !ok || m.HTML == "" {
		http.Error(w, "This mail has no HTML part.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; frame-ancestors 'self'; img-src data: http: https:; style-src 'unsafe-inline'; font-src data: https:")
	_, _ = fmt.Fprint(w, `<base target="_blank">`, m.HTML)
}

func (s *Sandbox) shopPage(w http.ResponseWriter, r *http.Request) {
	c := s.cart(w, r)
	q := r.URL.Query()
	orders := s.shop.listOrders()
	s.show(w, "shop", view{Title: "Kettle & Leaf", Active: "shop", Notice: q.Get("notice"), Problem: q.Get("problem"), Page: map[string]any{
		"Products": products, "Cart": c, "Orders": orders[:min(len(orders), 10)], "Family": s.shop.headerFamily(),
		"Families": []string{FamilyClassic, FamilyEvents, FamilyBoth}, "Typed": q.Get("code"),
	}})
}

// changes is a stream of server-sent events, one whenever something happened.
func (s *Sandbox) changes(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{})
	changed, stop := s.watchers.watch()
	defer stop()
	beat := time.NewTicker(20 * time.Second)
	defer beat.Stop()
	line := ": hello\n\n"
	for {
		if _, err := fmt.Fprint(w, line); err != nil || control.Flush() != nil {
			return
		}
		select {
		case _, open := <-changed:
			if !open {
				return
			}
			line = "data: changed\n\n"
		case <-beat.C:
			line = ": still here\n\n"
		case <-r.Context().Done():
			return
		}
	}
}

func escape(s string) string { return url.QueryEscape(s) }

func ago(t time.Time) string {
	switch d := time.Since(t); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 24*time.Hour:
		return t.Local().Format("15:04")
	}
	return t.Local().Format("2 Jan 15:04")
}

// tone is the colour of a status.
func tone(status string) string {
	switch status {
	case "delivered", "open", "click", "received":
		return "good"
	case "bounce", "dropped", "undelivered", "failed", "spamreport":
		return "bad"
	case "deferred", "unsubscribe":
		return "warn"
	}
	return "neutral"
}

// linked makes the addresses in a text message links.
func linked(text string) template.HTML {
	var b strings.Builder
	last := 0
	for _, at := range linkForm.FindAllStringIndex(text, -1) {
		link := template.HTMLEscapeString(text[at[0]:at[1]])
		b.WriteString(template.HTMLEscapeString(text[last:at[0]]))
		b.WriteString(`<a href="` + link + `" target="_blank" rel="noopener noreferrer">` + link + `</a>`)
		last = at[1]
	}
	b.WriteString(template.HTMLEscapeString(text[last:]))
	return template.HTML(b.String()) // #nosec G203 -- every part is escaped above
}
