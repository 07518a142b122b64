package config

import (
	"fmt"
	"maps"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/integrations/catalog"
)

var (
	connectionName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`)
	currencyCode   = regexp.MustCompile(`^[A-Z]{3}$`)
	window         = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$`)
)

// reserved are names of connections that are Scrip's own.
var reserved = []string{"api", "scrip", "manual"}

// leastConnections leaves room for a proxy's own pool and a few vendors at once.
const leastConnections = 16

// Validate gives all that is wrong with the settings themselves. What a vendor
// demands is checked when the connections are opened.
func (c *Config) Validate() Problems {
	v := &validator{config: c}
	v.check(c.Project != "", "project", "must not be empty; give the project a short name")
	_, err := time.LoadLocation(c.TimeZone)
	v.check(err == nil && c.TimeZone != "" && c.TimeZone != "Local", "time_zone", "%q is not an IANA time zone; write one such as Europe/Berlin", c.TimeZone)
	v.check(currencyCode.MatchString(c.Currency), "currency", "%q is not an ISO 4217 code; write one such as EUR", c.Currency)
	public, err := url.Parse(c.PublicURL)
	v.check(err == nil && (public.Scheme == "https" || public.Scheme == "http") && public.Host != "" && public.RawQuery == "",
		"public_url", "%q is not an address; write one such as https://scrip.example.com", c.PublicURL)
	v.address("listen", c.Listen)
	v.check(c.MaxConnections >= leastConnections, "max_connections", "must be at least %d", leastConnections)
	if c.Worker.Listen != "" {
		v.address("worker.listen", c.Worker.Listen)
	}
	v.check(c.Worker.CachedWorkflows > 0, "worker.cached_workflows", "must be at least 1")
	v.check(c.Worker.ConcurrentActivities > 0, "worker.concurrent_activities", "must be at least 1")
	v.check(c.Worker.Pollers > 1, "worker.pollers", "must be at least 2")
	v.times()
	v.check(c.Database.MaxConnections >= 0, "database.max_connections", "must not be negative")
	v.check(c.KeepBodies >= 24*time.Hour, "keep_bodies", "must be at least 1d, so that events which failed can be replayed")
	v.check(c.ClockHour >= time.Millisecond && c.ClockHour <= time.Hour, "clock.hour", "must lie between 1ms and 1h")
	v.payloads()
	for _, channel := range slices.Sorted(maps.Keys(c.QuietHours)) {
		hours := c.QuietHours[channel]
		v.check(hours == "" || window.MatchString(hours), "quiet_hours."+channel, `%q is not a span of time; write one such as "21:00-08:00", or "" for none`, hours)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Teams)) {
		_, err := mail.ParseAddress(c.Teams[name].Email)
		v.check(err == nil, "teams."+name+".email", "needs an e-mail address")
	}
	v.connections()
	return v.problems
}

type validator struct {
	config   *Config
	problems Problems
}

func (v *validator) check(ok bool, key, format string, args ...any) {
	if !ok {
		v.problems = append(v.problems, Problem{v.config.pos(key), key, fmt.Sprintf(format, args...)})
	}
}

const (
	shortest = 100 * time.Millisecond // what a call to a vendor on the same machine still gets done in
	longest  = time.Minute            // a transaction can be open meanwhile
)

func (v *validator) times() {
	w := v.config.Worker
	v.check(w.CallTimeout >= shortest && w.CallTimeout <= longest, "worker.call_timeout", "must lie between %s and %s", shortest, longest)
	v.check(w.ReportTimeout >= shortest, "worker.report_timeout", "must be at least %s", shortest)
	v.check(w.StepTimeout > w.CallTimeout+w.ReportTimeout, "worker.step_timeout",
		"must be longer than worker.call_timeout and worker.report_timeout together, else a call under way could be made again")
	v.check(w.VendorBackoff > 0, "worker.vendor_backoff", "must be longer than nothing")
	v.check(w.SettlePause > 0, "worker.settle_pause", "must be longer than nothing")
}

func (v *validator) address(key, value string) {
	_, _, err := net.SplitHostPort(value)
	v.check(err == nil, key, "%q is not host:port; write one such as 127.0.0.1:8080", value)
}

func (v *validator) connections() {
	for _, name := range v.config.ConnectionNames() {
		connection, at := v.config.Connections[name], "connections."+name
		v.check(connectionName.MatchString(name), at, "a connection's name is lower-case letters, digits, - and _, and begins with a letter")
		v.check(!slices.Contains(reserved, name), at, "the name %s is Scrip's own; choose another", name)
		v.check(connection.Kind != "", at+".kind", "is missing; name the vendor, such as shopify, sendgrid, twilio or webhook")
		if _, err := catalog.Descriptor(connection.Kind); connection.Kind != "" && err != nil {
			v.check(false, at+".kind", "%s", err)
		}
		v.check(connection.OnUnknown == Park || connection.OnUnknown == Resend, at+".on_unknown", "must be park or resend")
		v.check(connection.EvidenceWindow > 0, at+".evidence_window", "must be longer than nothing")
		v.check(!connection.Live || !connection.Sandbox, at+".live", "a sandbox is never live; remove one of live and sandbox")
		v.check(!connection.Live || v.config.ClockHour == time.Hour, at+".live",
			"real people are not reached on a clock for development; remove clock.hour, or live")
	}
	for _, use := range slices.Sorted(maps.Keys(v.config.Defaults)) {
		name := v.config.Defaults[use]
		_, exists := v.config.Connections[name]
		v.check(exists, "defaults."+use, "there is no connection %q under connections", name)
	}
}

// pos is where a key, or the nearest key around it, stands in the file.
func (c *Config) pos(key string) campaign.Pos {
	for key != "" {
		if pos, ok := c.positions[key]; ok {
			return pos
		}
		cut := len(key) - 1
		for cut > 0 && key[cut] != '.' {
			cut--
		}
		key = key[:cut]
	}
	return campaign.Pos{File: File}
}
