package config

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/goccy/go-yaml/ast"

	"scrip.dev/scrip/integrations"
)

// rootKeys are the keys of scrip.yaml.
var rootKeys map[string]key

func init() {
	rootKeys = map[string]key{
		"project":    text(func(c *Config) *string { return &c.Project }),
		"time_zone":  text(func(c *Config) *string { return &c.TimeZone }),
		"currency":   text(func(c *Config) *string { return &c.Currency }),
		"public_url": text(func(c *Config) *string { return &c.PublicURL }),
		"listen":     text(func(c *Config) *string { return &c.Listen }),
		"trusted_proxies": func(r *reader, path string, value ast.Node) {
			var list []string
			if !r.decode(path, value, &list) {
				return
			}
			if err := setProxies(r.config, list); err != nil {
				r.report(path, posOf(value), "%s", err)
			}
		},
		"max_connections": number(func(c *Config) *int { return &c.MaxConnections }),
		"keep_bodies":     duration(func(c *Config) *time.Duration { return &c.KeepBodies }),
		"database": mapping(map[string]key{
			"url":             secret(func(c *Config) *integrations.Secret { return &c.Database.URL }),
			"max_connections": number(func(c *Config) *int { return &c.Database.MaxConnections }),
		}),
		"worker": mapping(map[string]key{
			"listen":                text(func(c *Config) *string { return &c.Worker.Listen }),
			"cached_workflows":      number(func(c *Config) *int { return &c.Worker.CachedWorkflows }),
			"concurrent_activities": number(func(c *Config) *int { return &c.Worker.ConcurrentActivities }),
			"pollers":               number(func(c *Config) *int { return &c.Worker.Pollers }),
			"call_timeout":          duration(func(c *Config) *time.Duration { return &c.Worker.CallTimeout }),
			"report_timeout":        duration(func(c *Config) *time.Duration { return &c.Worker.ReportTimeout }),
			"step_timeout":          duration(func(c *Config) *time.Duration { return &c.Worker.StepTimeout }),
			"vendor_backoff":        duration(func(c *Config) *time.Duration { return &c.Worker.VendorBackoff }),
			"settle_pause":          duration(func(c *Config) *time.Duration { return &c.Worker.SettlePause }),
		}),
		"clock": mapping(map[string]key{
			"hour": duration(func(c *Config) *time.Duration { return &c.ClockHour }),
		}),
		"payload_keys": readPayloadKeys,
		"codec": mapping(map[string]key{
			"listen":  text(func(c *Config) *string { return &c.Codec.Listen }),
			"token":   secret(func(c *Config) *integrations.Secret { return &c.Codec.Token }),
			"origins": func(r *reader, path string, value ast.Node) { r.decode(path, value, &r.config.Codec.Origins) },
		}),
		"quiet_hours": names(func(c *Config) map[string]string { return c.QuietHours }),
		"defaults":    names(func(c *Config) map[string]string { return c.Defaults }),
		"teams":       readTeams,
		"connections": readConnections,
	}
}

func text(field func(*Config) *string) key {
	return func(r *reader, path string, value ast.Node) { r.decode(path, value, field(r.config)) }
}

func secret(field func(*Config) *integrations.Secret) key {
	return func(r *reader, path string, value ast.Node) {
		var text string
		if r.decode(path, value, &text) {
			*field(r.config) = integrations.Secret(text)
		}
	}
}

func number(field func(*Config) *int) key {
	return func(r *reader, path string, value ast.Node) { r.decode(path, value, field(r.config)) }
}

func duration(field func(*Config) *time.Duration) key {
	return func(r *reader, path string, value ast.Node) { r.duration(path, value, field(r.config)) }
}

func mapping(keys map[string]key) key {
	return func(r *reader, path string, value ast.Node) { r.section(path, value, keys) }
}

// names reads a mapping of text to text whose keys are free.
func names(field func(*Config) map[string]string) key {
	return func(r *reader, path string, value ast.Node) {
		r.each(path, value, func(name, full string, pair *ast.MappingValueNode) {
			var text string
			if r.decode(full, pair.Value, &text) {
				field(r.config)[name] = text
			}
		})
	}
}

func (r *reader) duration(path string, value ast.Node, into *time.Duration) {
	var text string
	if !r.decode(path, value, &text) {
		return
	}
	if err := setDuration(into, text); err != nil {
		r.report(path, posOf(value), "%s", err)
	}
}

func readTeams(r *reader, path string, value ast.Node) {
	r.each(path, value, func(name, full string, pair *ast.MappingValueNode) {
		var team Team
		r.section(full, pair.Value, map[string]key{
			"email": func(r *reader, path string, value ast.Node) { r.decode(path, value, &team.Email) },
		})
		r.config.Teams[name] = team
	})
}

func readConnections(r *reader, path string, value ast.Node) {
	r.each(path, value, func(name, full string, pair *ast.MappingValueNode) {
		connection := defaultConnection(name, posOf(pair.Key))
		r.each(full, pair.Value, func(_, full string, pair *ast.MappingValueNode) {
			r.connectionKey(&connection, full, pair)
		})
		r.config.Connections[name] = connection
	})
}

// connectionKey reads what every connection has; the rest is the vendor's, read
// when the connection is opened.
func (r *reader) connectionKey(c *Connection, path string, pair *ast.MappingValueNode) {
	value := pair.Value
	switch pair.Key.GetToken().Value {
	case "kind":
		r.decode(path, value, &c.Kind)
	case "live":
		r.decode(path, value, &c.Live)
	case "sandbox":
		r.decode(path, value, &c.Sandbox)
	case "only_to":
		r.decode(path, value, &c.OnlyTo)
	case "on_unknown":
		r.decode(path, value, &c.OnUnknown)
	case "evidence_window":
		r.duration(path, value, &c.EvidenceWindow)
	default:
		if r.expand(path, pair.Value) {
			c.settings = append(c.settings, pair)
		}
	}
}

func listed(keys map[string]key) string {
	all := make([]string, 0, len(keys))
	for name := range keys {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// nearest gives the key that was probably meant by a word, "" where none is near.
func nearest(word string, keys map[string]key) string {
	best, distance := "", 3
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if d := levenshtein.ComputeDistance(word, name); d < distance {
			best, distance = name, d
		}
	}
	return best
}
