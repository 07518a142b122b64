package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"strings"
)

const (
	vendorSendGrid = "sendgrid"
	sendGridBase   = "/sandbox/api/sendgrid"
)

func (s *Sandbox) sendGridRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+sendGridBase+"/v3/mail/send", s.sendGridAuth(s.failing(vendorSendGrid, s.sendMail)))
	mux.HandleFunc("GET "+sendGridBase+"/v3/scopes", s.sendGridAuth(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"scopes": []string{"mail.send", "user.webhooks.event.settings.read"}})
	}))
}

// sendGridAuth asks for the API key as SendGrid does.
func (s *Sandbox) sendGridAuth(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !same(key, s.o.Secrets.SendGridAPIKey) {
			mailErrors(w, http.StatusUnauthorized, mailError{Message: "The provided authorization grant is invalid, expired, or revoked"})
			return
		}
		next(w, r)
	}
}

// same compares secrets in constant time.
func same(a, b string) bool { return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

type mailError struct {
	Message string  `json:"message"`
	Field   *string `json:"field"`
	Help    *string `json:"help"`
}

func mailErrors(w http.ResponseWriter, status int, errs ...mailError) {
	writeJSON(w, status, map[string]any{"errors": errs})
}

func mailField(field, message string) mailError {
	return mailError{Message: message, Field: &field}
}

// mailSend is the body of POST /v3/mail/send, as far as Scrip and its users
// have a use for it.
// https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
type mailSend struct {
	Personalizations []personalization `json:"personalizations"`
	From             mailAddress       `json:"from"`
	ReplyTo          *mailAddress      `json:"reply_to"`
	Subject          string            `json:"subject"`
	Content          []struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	} `json:"content"`
	TemplateID string            `json:"template_id"`
	Headers    map[string]string `json:"headers"`
	CustomArgs map[string]string `json:"custom_args"`
	ASM        *struct {
		GroupID int `json:"group_id"`
	} `json:"asm"`
}

type personalization struct {
	To         []mailAddress     `json:"to"`
	Subject    string            `json:"subject"`
	Headers    map[string]string `json:"headers"`
	CustomArgs map[string]string `json:"custom_args"`
	Data       map[string]any    `json:"dynamic_template_data"`
}

type mailAddress struct {
	Email string `json:"email"`
	Name  string `json:"name"`
}

func (s *Sandbox) sendMail(w http.ResponseWriter, r *http.Request) {
	var m mailSend
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&m); err != nil {
		mailErrors(w, http.StatusBadRequest, mailError{Message: "Bad Request"})
		return
	}
	if errs := m.validate(); len(errs) > 0 {
		mailErrors(w, http.StatusBadRequest, errs...)
		return
	}
	id := randomHex(11)
	for i, p := range m.Personalizations {
		for j, to := range p.To {
			if mailBehaviour(to.Email).refuse {
				mailErrors(w, http.StatusBadRequest, mailField(fmt.Sprintf("personalizations.%d.to.%d.email", i, j), "Does not contain a valid address."))
				return
			}
		}
	}
	for i, p := range m.Personalizations {
		for j, to := range p.To {
			msg := m.message(p, to)
			msg.ID, msg.At = id, s.o.Now()
			if i+j > 0 {
				msg.ID = fmt.Sprintf("%s-%d-%d", id, i, j)
			}
			if err := s.take(msg); err != nil {
				mailErrors(w, http.StatusInternalServerError, mailError{Message: "Internal Server Error"})
				return
			}
			s.reports(vendorSendGrid, msg, s.mailEvents(msg))
		}
	}
	w.Header().Set("X-Message-Id", id)
	w.WriteHeader(http.StatusAccepted)
}

// validate refuses what SendGrid refuses, with its words.
func (m mailSend) validate() (errs []mailError) {
	if len(m.Personalizations) == 0 {
		errs = append(errs, mailField("personalizations", "The personalizations field is required and must have at least one personalization."))
	}
	if len(m.Personalizations) > 1000 {
		errs = append(errs, mailField("personalizations", "There are too many personalizations. The maximum is 1000."))
	}
	if !validAddress(m.From.Email) {
		errs = append(errs, mailField("from.email", "The from email does not contain a valid address."))
	}
	for i, p := range m.Personalizations {
		at := fmt.Sprintf("personalizations.%d", i)
		if len(p.To) == 0 {
			errs = append(errs, mailField(at+".to", "The to array is required for all personalization objects, and must have at least one email object with a valid email address."))
		}
		for j, to := range p.To {
			if !validAddress(to.Email) {
				errs = append(errs, mailField(fmt.Sprintf("%s.to.%d.email", at, j), "Does not contain a valid address."))
			}
		}
		if p.Subject == "" && m.Subject == "" && m.TemplateID == "" {
			errs = append(errs, mailField("subject", "The subject is required. You can get around this requirement if you use a template with a subject defined or if every personalization has a subject defined."))
		}
	}
	if len(m.Content) == 0 && m.TemplateID == "" {
		errs = append(errs, mailField("content", "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block. We typically suggest both text/plain and text/html blocks are included, but only one block is required."))
	}
	for i, c := range m.Content {
		if c.Type == "" || c.Value == "" {
			errs = append(errs, mailField(fmt.Sprintf("content.%d", i), "The content value must be a string at least one character in length."))
		}
		if i > 0 && c.Type == "text/plain" {
			errs = append(errs, mailField("content", "If present, text/plain and text/html may only be provided once, text/plain first."))
		}
	}
	return errs
}

func validAddress(address string) bool {
	parsed, err := mail.ParseAddress(address)
	return err == nil && parsed.Address == address
}

func (m mailSend) message(p personalization, to mailAddress) Message {
	msg := Message{
		Channel: "email", From: m.From.Email, FromName: m.From.Name, To: to.Email, ToName: to.Name,
		Subject: m.Subject, TemplateID: m.TemplateID, Data: p.Data,
		Headers: merged(m.Headers, p.Headers), CustomArgs: merged(m.CustomArgs, p.CustomArgs),
	}
	if p.Subject != "" {
		msg.Subject = p.Subject
	}
	if m.ReplyTo != nil {
		msg.Headers["Reply-To"] = m.ReplyTo.Email
	}
	for _, c := range m.Content {
		switch c.Type {
		case "text/plain":
			msg.Text = c.Value
		case "text/html":
			msg.HTML = c.Value
		}
	}
	return msg
}

func merged(outer, inner map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{outer, inner} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}
