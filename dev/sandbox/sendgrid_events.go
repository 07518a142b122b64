package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// behaviour is what a magic address makes of a message.
type behaviour struct {
	Local  string // what stands before the @
	Does   string // for the page that lists them
	refuse bool
	events []mailEvent // after "processed"; nil: delivered
}

type mailEvent struct {
	name  string // SendGrid's event
	extra map[string]any
	code  string // for the page
}

var delivered = mailEvent{name: "delivered", extra: map[string]any{"response": "250 2.0.0 OK"}}

// mailBehaviours are the magic addresses: bounce@example.com, and the like.
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
var mailBehaviours = []behaviour{
	{Local: "bounce", Does: "bounces: there is no such mailbox", events: []mailEvent{
		{"bounce", map[string]any{"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 The email account that you tried to reach does not exist."}, "5.1.1"}}},
	{Local: "block", Does: "is blocked by the receiving server", events: []mailEvent{
		{"bounce", map[string]any{"type": "blocked", "status": "5.7.1", "reason": "550 5.7.1 Our system has detected that this message is likely unsolicited mail."}, "5.7.1"}}},
	{Local: "drop", Does: "is dropped by SendGrid, which has it on a suppression list", events: []mailEvent{
		{"dropped", map[string]any{"reason": "Bounced Address", "status": "5.0.0"}, "Bounced Address"}}},
	{Local: "defer", Does: "is deferred once, then delivered", events: []mailEvent{
		{"deferred", map[string]any{"response": "450 4.2.1 Try again later", "attempt": "1"}, "4.2.1"}, delivered}},
	{Local: "spam", Does: "is delivered, then reported as spam", events: []mailEvent{delivered, {name: "spamreport"}}},
	{Local: "unsubscribe", Does: "is delivered, then unsubscribed at SendGrid", events: []mailEvent{delivered, {name: "unsubscribe"}}},
	{Local: "silent", Does: "is taken, and nothing is ever heard of it", events: []mailEvent{}},
	{Local: "reject", Does: "is refused by the API as an invalid address", refuse: true},
}

func mailBehaviour(address string) behaviour {
	local, _, _ := strings.Cut(strings.ToLower(address), "@")
	local, _, _ = strings.Cut(local, "+")
	for _, b := range mailBehaviours {
		if b.Local == local {
			return b
		}
	}
	return behaviour{events: []mailEvent{delivered}}
}

// mailEvents reports on a message as SendGrid's event webhook does.
func (s *Sandbox) mailEvents(m Message) (all []report) {
	events := mailBehaviour(m.To).events
	if len(events) > 0 {
		events = append([]mailEvent{{name: "processed"}}, events...)
	}
	for _, e := range events {
		all = append(all, s.mailReport(m, e))
	}
	return all
}

func (s *Sandbox) mailReport(m Message, e mailEvent) report {
	return report{Status{Name: e.name, Code: e.code}, func(now time.Time) (webhook, bool) { return s.mailEvent(m, e, now) }}
}

func (s *Sandbox) mailEvent(m Message, e mailEvent, now time.Time) (webhook, bool) {
	event := map[string]any{}
	for k, v := range m.CustomArgs {
		event[k] = v
	}
	maps.Copy(event, e.extra)
	maps.Copy(event, map[string]any{
		"email": m.To, "timestamp": now.Unix(), "event": e.name,
		"smtp-id":       "<" + m.ID + "@sandbox>",
		"sg_event_id":   randomHex(11),
		"sg_message_id": m.ID + ".recvd-sandbox-1.0",
	})
	return s.mailHook(e.name, now, event)
}

// mailHook is the webhook that tells of some events.
func (s *Sandbox) mailHook(topic string, now time.Time, events ...map[string]any) (webhook, bool) {
	body, err := json.Marshal(events)
	if err != nil {
		s.o.Logger.Error("sandbox: writing an event webhook", "error", err)
		return webhook{}, false
	}
	body = append(body, "\r\n"...) // SendGrid ends the body so, and signs it with its end
	timestamp := strconv.FormatInt(now.Unix(), 10)
	signature, err := s.signer.sign(timestamp, body)
	if err != nil {
		s.o.Logger.Error("sandbox: signing an event webhook", "error", err)
		return webhook{}, false
	}
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"SendGrid Event API"}}
	header.Set("X-Twilio-Email-Event-Webhook-Signature", signature)
	header.Set("X-Twilio-Email-Event-Webhook-Timestamp", timestamp)
	return webhook{vendor: vendorSendGrid, topic: topic, url: s.o.HookURL(s.o.Connections.SendGrid, ""), header: header, body: body, events: events}, true
}

// gathered are events that wait for others to go with.
type gathered struct {
	sync.Mutex
	events []map[string]any
}

// gather sends events together with those that follow within Options.Gather.
func (s *Sandbox) gather(events []map[string]any) {
	s.gathered.Lock()
	defer s.gathered.Unlock()
	s.gathered.events = append(s.gathered.events, events...)
	if len(s.gathered.events) > len(events) {
		return // somebody waits already
	}
	s.later(func(ctx context.Context) {
		sleep(ctx, s.o.Gather)
		s.gathered.Lock()
		together := s.gathered.events
		s.gathered.events = nil
		s.gathered.Unlock()
		if hook, ok := s.mailHook(fmt.Sprintf("%d events", len(together)), s.o.Now(), together...); ok {
			s.post(ctx, hook)
		}
	})
}

// opened reports the first time that somebody looks at a delivered mail.
func (s *Sandbox) opened(m Message) {
	if m.Channel != "email" || !m.had("delivered") || m.had("open") {
		return
	}
	open := s.mailReport(m, mailEvent{name: "open", extra: map[string]any{"useragent": "Scrip sandbox", "ip": "127.0.0.1"}})
	// Nothing is awaited: somebody is looking at it now.
	s.later(func(ctx context.Context) { s.tell(ctx, Fault{Kind: FaultEarly}, m, []report{open}) })
}
