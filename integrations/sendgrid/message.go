package sendgrid

import (
	"encoding/json"
	"strings"

	"github.com/sendgrid/sendgrid-go/helpers/mail"

	"scrip.dev/scrip/integrations"
)

// body writes the message as SendGrid's mail send request.
func (m *Mailer) body(message integrations.Message) ([]byte, error) {
	if problem := missing(message); problem != "" {
		return nil, m.classify.Refused(sending, integrations.Invalid, problem)
	}
	// The SDK logs and drops what can't be encoded, so it is tried before.
	if _, err := json.Marshal(message.Data); err != nil {
		return nil, m.classify.Refused(sending, integrations.Invalid, "data_not_json")
	}
	written := mail.NewV3Mail().SetFrom(mail.NewEmail(m.cfg.FromName, m.cfg.From))
	if m.cfg.ReplyTo != "" {
		written.SetReplyTo(mail.NewEmail("", m.cfg.ReplyTo))
	}
	if message.Marketing && m.cfg.ASMGroup > 0 {
		written.SetASM(mail.NewASM().SetGroupID(m.cfg.ASMGroup))
	}
	person := mail.NewPersonalization()
	person.AddTos(mail.NewEmail("", message.To))
	person.SetCustomArg(messageArg, message.ID)
	if message.Marketing && message.UnsubscribeURL != "" {
		// One-click unsubscribing, RFC 8058.
		person.SetHeader("List-Unsubscribe", "<"+message.UnsubscribeURL+">")
		person.SetHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	if message.TemplateID != "" {
		written.SetTemplateID(message.TemplateID)
		for key, value := range message.Data {
			person.SetDynamicTemplateData(key, value)
		}
	} else {
		person.Subject = message.Subject
		addContent(written, message)
	}
	return mail.GetRequestBody(written.AddPersonalizations(person)), nil
}

// addContent puts the plain text first, as SendGrid demands.
func addContent(written *mail.SGMailV3, message integrations.Message) {
	if message.Text != "" {
		written.AddContent(mail.NewContent("text/plain", message.Text))
	}
	if message.HTML != "" {
		written.AddContent(mail.NewContent("text/html", message.HTML))
	}
}

func missing(message integrations.Message) string {
	switch {
	case message.To == "":
		return "no_address"
	case message.ID == "":
		return "no_message_id"
	case message.TemplateID != "":
		return ""
	case message.Text == "" && message.HTML == "":
		return "no_content"
	case message.Subject == "" || strings.ContainsAny(message.Subject, "\r\n"):
		return "subject_not_one_line"
	}
	return ""
}
