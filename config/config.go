// Package config reads scrip.yaml, the settings of a project folder.
//
// Defaults stand in a literal, the file changes them, the environment changes
// both. Secrets are not written into the file: a value of `${NAME}` is taken
// from the environment variable NAME, or from the file that NAME_FILE names.
package config

import (
	"net/netip"
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/integrations"
)

// File is the name of the settings file in a project folder.
const File = "scrip.yaml"

// Config is the settings of one project.
type Config struct {
	Dir       string // the project folder, as it was named
	Project   string // a short name, shown in the banner and in traces
	TimeZone  string // IANA; the zone of dates in the project's files
	Currency  string // ISO 4217; the currency of numbers in expressions
	PublicURL string // where vendors and readers of e-mails reach the starter; no trailing slash
	Listen    string // host:port of the starter
	// TrustedProxies are those whose X-Forwarded-For is believed; none by default.
	TrustedProxies []netip.Prefix
	MaxConnections int // how many the starter keeps open at once
	Database       Database
	Worker         Worker
	// PayloadKeys encrypt what Temporal keeps; the first encrypts, all decrypt.
	// Without one nothing is encrypted.
	PayloadKeys []PayloadKey
	Codec       Codec
	// KeepBodies is how long vendors' payloads are kept after they came in.
	KeepBodies time.Duration
	// ClockHour is how long an hour takes. Anything but an hour is a clock for
	// development, refused beside a live connection.
	ClockHour time.Duration
	// QuietHours is by channel "21:00-08:00" in the contact's zone; "" is none.
	QuietHours map[string]string
	Teams      map[string]Team
	// Defaults names by use ("email", "sms", "shop") the connection that is meant
	// where a file doesn't say which.
	Defaults    map[string]string
	Connections map[string]Connection

	positions  map[string]campaign.Pos // key -> where it stands in the file
	unreadable bool                    // the file is no YAML
}

// Readable says whether the file could be read at all: what is wrong with its
// values doesn't make it unreadable.
func (c *Config) Readable() bool { return !c.unreadable }

// Database is where Postgres is.
type Database struct {
	URL            integrations.Secret // postgres://…; may carry a password
	MaxConnections int                 // of this process; 0 leaves the driver's default
}

// Worker is how much a worker does at once.
type Worker struct {
	Listen               string // host:port of its health and metrics; empty: none
	CachedWorkflows      int    // journeys kept in memory between their steps
	ConcurrentActivities int    // vendor calls and slow steps under way, and as many inside workflow tasks
	Pollers              int    // requests for work that wait at Temporal, of workflow tasks and of activities each

	// Times of a vendor call and of the step around it; call and report together
	// are shorter than the step.
	CallTimeout   time.Duration // one vendor call
	ReportTimeout time.Duration // writing down what it came to
	StepTimeout   time.Duration // one attempt of a step, after which Temporal makes another
	VendorBackoff time.Duration // at least, until a vendor that took nothing is asked again
	SettlePause   time.Duration // at least, between two looks at an unknown outcome
}

// PayloadKey is one key of the payload codec.
type PayloadKey struct {
	ID     string              // stands in clear text beside every payload
	Secret integrations.Secret // base64 of 32 bytes
}

// Codec is the server that decrypts payloads for Temporal's UI and CLI.
type Codec struct {
	Listen  string              // host:port
	Token   integrations.Secret // what callers show; may be empty where only this machine can call
	Origins []string            // of Temporal's UI, as a browser sees it
}

// Team is whom a `notify:` step or a failing campaign tells.
type Team struct {
	Email string
}

// Policies for a message whose outcome nobody can tell.
const (
	Park   = "park"   // a person decides
	Resend = "resend" // it is sent again once the vendor's later messages are confirmed
)

// Connection is one configured account at a vendor.
type Connection struct {
	Name string
	Kind string // the word of the catalogue: shopify
	// Live says that real people may be reached. Nothing is sent without it.
	Live bool
	// Sandbox says that the vendor is a stand-in: messages go to it without Live.
	Sandbox bool
	// OnlyTo are the only addresses that are written to; empty: no limit.
	OnlyTo []string
	// EvidenceWindow is how long delivery webhooks are awaited before OnUnknown
	// applies.
	EvidenceWindow time.Duration
	OnUnknown      string // Park or Resend

	pos      campaign.Pos
	settings []*ast.MappingValueNode // the vendor's own keys
}

func defaults() *Config {
	return &Config{
		Project:  "scrip",
		TimeZone: "UTC",
		Currency: "EUR",
		Listen:   "127.0.0.1:8080",
		Worker: Worker{
			CachedWorkflows: 48, ConcurrentActivities: 64, Pollers: 16,
			CallTimeout: 15 * time.Second, ReportTimeout: 5 * time.Second, StepTimeout: 30 * time.Second,
			VendorBackoff: 5 * time.Second, SettlePause: 30 * time.Second,
		},
		Codec:          Codec{Listen: "127.0.0.1:8082", Origins: []string{"http://127.0.0.1:8233", "http://localhost:8233"}},
		MaxConnections: 4096,
		KeepBodies:     30 * 24 * time.Hour,
		ClockHour:      time.Hour,
		QuietHours:     map[string]string{"sms": "21:00-08:00", "whatsapp": "21:00-08:00"},
		Teams:          map[string]Team{},
		Defaults:       map[string]string{},
		Connections:    map[string]Connection{},
		positions:      map[string]campaign.Pos{},
	}
}

func defaultConnection(name string, pos campaign.Pos) Connection {
	return Connection{Name: name, EvidenceWindow: 15 * time.Minute, OnUnknown: Park, pos: pos}
}

// Zone is the project's time zone.
func (c *Config) Zone() *time.Location {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Clock is the clock that journeys run on; start is the moment at which it and
// the real time agreed, the same for every process of the project.
func (c *Config) Clock(start time.Time) campaign.Clock {
	if c.ClockHour == time.Hour {
		return campaign.Clock{}
	}
	return campaign.Clock{Start: start, Scale: float64(time.Hour) / float64(c.ClockHour)}
}

// ConnectionNames are sorted.
func (c *Config) ConnectionNames() []string {
	names := make([]string, 0, len(c.Connections))
	for name := range c.Connections {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
