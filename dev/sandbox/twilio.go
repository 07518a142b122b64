package sandbox

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	vendorTwilio = "twilio"
	twilioBase   = "/sandbox/api/twilio"
	twilioAPI    = "/2010-04-01/Accounts/"
)

func (s *Sandbox) twilioRoutes(mux *http.ServeMux) {
	at := twilioBase + twilioAPI
	mux.HandleFunc("POST "+at+"{account}/Messages.json", s.twilioAuth(s.failing(vendorTwilio, s.sendSMS)))
	mux.HandleFunc("GET "+at+"{account}/Messages.json", s.twilioAuth(s.failingLookup(vendorTwilio, s.listSMS)))
	mux.HandleFunc("GET "+at+"{account}/Messages/{sid}", s.twilioAuth(s.getSMS))
	mux.HandleFunc("GET "+at+"{account}", s.twilioAuth(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{
			"sid": s.o.Secrets.TwilioAccountSID, "friendly_name": "Scrip sandbox", "status": "active", "type": "Full",
		})
	}))
}

// twilioAuth asks for the account's credentials as Twilio does. The account may
// stand in the path with or without ".json".
func (s *Sandbox) twilioAuth(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sid, token, _ := r.BasicAuth()
		account := strings.TrimSuffix(r.PathValue("account"), ".json")
		if !same(sid, s.o.Secrets.TwilioAccountSID) || !same(token, s.o.Secrets.TwilioAuthToken) {
			twilioError(w, http.StatusUnauthorized, 20003, "Authenticate")
			return
		}
		if account != sid {
			twilioError(w, http.StatusNotFound, 20404, "The requested resource was not found")
			return
		}
		next(w, r)
	}
}

// https://www.twilio.com/docs/api/errors
func twilioError(w http.ResponseWriter, status, code int, message string) {
	writeJSON(w, status, map[string]any{
		"code": code, "message": message, "status": status,
		"more_info": "https://www.twilio.com/docs/errors/" + strconv.Itoa(code),
	})
}

var (
	e164       = regexp.MustCompile(`^\+[1-9]\d{6,14}$`)
	serviceSID = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
)

// sendSMS creates a Message resource.
// https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
func (s *Sandbox) sendSMS(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		twilioError(w, http.StatusBadRequest, 20001, "The request body could not be read")
		return
	}
	f := r.PostForm
	if code, message := s.checkSMS(f); code != 0 {
		status := http.StatusBadRequest
		if code == 20429 {
			status = http.StatusTooManyRequests
		}
		twilioError(w, status, code, message)
		return
	}
	m := Message{
		ID: "SM" + randomHex(16), Channel: "sms", At: s.o.Now(), From: f.Get("From"), To: f.Get("To"), Text: f.Get("Body"),
		TemplateID: f.Get("ContentSid"), Service: f.Get("MessagingServiceSid"), StatusURL: f.Get("StatusCallback"),
	}
	first := "queued"
	if m.Service != "" && m.From == "" {
		first = "accepted" // the service chooses the sender later
	}
	m.Statuses = []Status{{Name: first, At: m.At}}
	if err := s.take(m); err != nil {
		twilioError(w, http.StatusInternalServerError, 20500, "Internal Server Error")
		return
	}
	s.reports(vendorTwilio, m, s.smsStatuses(m))
	writeJSON(w, http.StatusCreated, s.smsResource(m))
}

// checkSMS refuses what Twilio refuses; code 0 is a good request.
func (s *Sandbox) checkSMS(f url.Values) (code int, message string) {
	to, from, service := f.Get("To"), f.Get("From"), f.Get("MessagingServiceSid")
	switch {
	case to == "":
		return 21604, "A 'To' phone number is required."
	case !e164.MatchString(to):
		return 21211, "Invalid 'To' Phone Number"
	case from == "" && service == "":
		return 21603, "A 'From' phone number is required."
	case service != "" && !serviceSID.MatchString(service):
		return 21701, "The Messaging Service does not exist."
	case f.Get("Body") == "" && f.Get("ContentSid") == "" && f.Get("MediaUrl") == "":
		return 21602, "Message body is required."
	case len([]rune(f.Get("Body"))) > 1600:
		return 21617, "The concatenated message body exceeds the 1600 character limit"
	}
	if c := f.Get("StatusCallback"); c != "" {
		if u, err := url.Parse(c); err != nil || !slices.Contains([]string{"http", "https"}, u.Scheme) || u.Host == "" {
			return 21609, "Invalid 'StatusCallback' URL"
		}
	}
	if s.optedOut(to) {
		return 21610, "Attempt to send to unsubscribed recipient"
	}
	for _, b := range phoneBehaviours {
		if b.refuse && strings.HasSuffix(to, b.Suffix) {
			n, _ := strconv.Atoi(b.Suffix)
			return n, b.message
		}
	}
	return 0, ""
}

// optedOut is true once a number has written STOP, until it writes START.
func (s *Sandbox) optedOut(number string) bool {
	s.messages.mu.RLock()
	defer s.messages.mu.RUnlock()
	return s.messages.optedOut[number]
}

// smsResource is a Message resource as the API shows it.
func (s *Sandbox) smsResource(m Message) map[string]any {
	const rfc2822 = time.RFC1123Z
	state, account := m.Status(), s.o.Secrets.TwilioAccountSID
	uri := twilioAPI + account + "/Messages/" + m.ID
	resource := map[string]any{
		"sid": m.ID, "account_sid": account, "api_version": "2010-04-01", "uri": uri + ".json",
		"to": m.To, "from": nil, "messaging_service_sid": nil, "body": m.Text, "direction": "outbound-api",
		"status": state.Name, "error_code": nil, "error_message": nil,
		"num_segments": strconv.Itoa(segments(m.Text)), "num_media": "0", "price": nil, "price_unit": "USD",
		"date_created": m.At.UTC().Format(rfc2822), "date_updated": state.At.UTC().Format(rfc2822), "date_sent": nil,
		"subresource_uris": map[string]string{"media": uri + "/Media.json"},
	}
	if m.Inbound {
		resource["direction"] = "inbound"
	}
	if m.From != "" {
		resource["from"] = m.From
	}
	if m.Service != "" {
		resource["messaging_service_sid"] = m.Service
	}
	if m.had("sent") || m.Inbound {
		resource["date_sent"] = m.At.UTC().Format(rfc2822)
	}
	if n, err := strconv.Atoi(state.Code); err == nil {
		resource["error_code"], resource["error_message"] = n, "see the error code"
	}
	return resource
}

// segments counts as GSM-7 where the text is plain ASCII, as UCS-2 otherwise.
func segments(text string) int {
	single, part := 160, 153
	for _, r := range text {
		if r > 127 {
			single, part = 70, 67
			break
		}
	}
	n := len([]rune(text))
	if n <= single {
		return 1
	}
	return (n + part - 1) / part
}

func (s *Sandbox) getSMS(w http.ResponseWriter, r *http.Request) {
	m, ok := s.messages.get(strings.TrimSuffix(r.PathValue("sid"), ".json"))
	if !ok || m.Channel != "sms" {
		twilioError(w, http.StatusNotFound, 20404, "The requested resource was not found")
		return
	}
	writeJSON(w, http.StatusOK, s.smsResource(m))
}
