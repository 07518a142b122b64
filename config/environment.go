package config

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/integrations"
)

// lookup reads NAME, or the file that NAME_FILE names, without the line break at
// its end. Secrets of containers come as files.
func lookup(env func(string) string, name string) (value string, found bool, err error) {
	if value = env(name); value != "" {
		return value, true, nil
	}
	path := env(name + "_FILE")
	if path == "" {
		return "", false, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", false, fmt.Errorf("reading the file that %s_FILE names: %w", name, err)
	}
	return strings.TrimRight(string(content), "\r\n"), true, nil
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}`)

// expand replaces ${NAME} and ${NAME:-default} in a value.
func expand(value string, env func(string) string) (string, error) {
	var failed error
	expanded := variable.ReplaceAllStringFunc(value, func(match string) string {
		parts := variable.FindStringSubmatch(match)
		found, ok, err := lookup(env, parts[1])
		switch {
		case err != nil:
			failed = err
		case !ok && parts[2] != "":
			return strings.TrimPrefix(parts[2], ":-")
		case !ok:
			failed = fmt.Errorf("the environment variable %s is not set; set it, or %s_FILE to a file that holds the value", parts[1], parts[1])
		}
		return found
	})
	return expanded, failed
}

// overrides are the environment variables that change a setting of the file.
var overrides = []struct {
	name, key string
	set       func(c *Config, value string) error
}{
	{"SCRIP_PROJECT", "project", func(c *Config, v string) error { c.Project = v; return nil }},
	{"SCRIP_TIME_ZONE", "time_zone", func(c *Config, v string) error { c.TimeZone = v; return nil }},
	{"SCRIP_CURRENCY", "currency", func(c *Config, v string) error { c.Currency = v; return nil }},
	{"SCRIP_PUBLIC_URL", "public_url", func(c *Config, v string) error { c.PublicURL = v; return nil }},
	{"SCRIP_LISTEN", "listen", func(c *Config, v string) error { c.Listen = v; return nil }},
	{"SCRIP_TRUSTED_PROXIES", "trusted_proxies", func(c *Config, v string) error {
		return setProxies(c, strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' }))
	}},
	{"SCRIP_MAX_CONNECTIONS", "max_connections", func(c *Config, v string) error { return setNumber(&c.MaxConnections, v) }},
	{"SCRIP_WORKER_LISTEN", "worker.listen", func(c *Config, v string) error { c.Worker.Listen = v; return nil }},
	{"SCRIP_WORKER_CACHED_WORKFLOWS", "worker.cached_workflows", func(c *Config, v string) error { return setNumber(&c.Worker.CachedWorkflows, v) }},
	{"SCRIP_WORKER_CONCURRENT_ACTIVITIES", "worker.concurrent_activities", func(c *Config, v string) error { return setNumber(&c.Worker.ConcurrentActivities, v) }},
	{"SCRIP_WORKER_POLLERS", "worker.pollers", func(c *Config, v string) error { return setNumber(&c.Worker.Pollers, v) }},
	{"SCRIP_WORKER_CALL_TIMEOUT", "worker.call_timeout", func(c *Config, v string) error { return setDuration(&c.Worker.CallTimeout, v) }},
	{"SCRIP_WORKER_REPORT_TIMEOUT", "worker.report_timeout", func(c *Config, v string) error { return setDuration(&c.Worker.ReportTimeout, v) }},
	{"SCRIP_WORKER_STEP_TIMEOUT", "worker.step_timeout", func(c *Config, v string) error { return setDuration(&c.Worker.StepTimeout, v) }},
	{"SCRIP_WORKER_VENDOR_BACKOFF", "worker.vendor_backoff", func(c *Config, v string) error { return setDuration(&c.Worker.VendorBackoff, v) }},
	{"SCRIP_WORKER_SETTLE_PAUSE", "worker.settle_pause", func(c *Config, v string) error { return setDuration(&c.Worker.SettlePause, v) }},
	{"SCRIP_PAYLOAD_KEYS", "payload_keys", func(c *Config, v string) (err error) { c.PayloadKeys, err = payloadKeys(v); return err }},
	{"SCRIP_CODEC_LISTEN", "codec.listen", func(c *Config, v string) error { c.Codec.Listen = v; return nil }},
	{"SCRIP_CODEC_TOKEN", "codec.token", func(c *Config, v string) error { c.Codec.Token = integrations.Secret(v); return nil }},
	{"SCRIP_CODEC_ORIGINS", "codec.origins", func(c *Config, v string) error {
		c.Codec.Origins = strings.Fields(strings.ReplaceAll(v, ",", " "))
		return nil
	}},
	{"SCRIP_KEEP_BODIES", "keep_bodies", func(c *Config, v string) error { return setDuration(&c.KeepBodies, v) }},
	{"SCRIP_CLOCK_HOUR", "clock.hour", func(c *Config, v string) error { return setDuration(&c.ClockHour, v) }},
	{"DATABASE_URL", "database.url", func(c *Config, v string) error { c.Database.URL = integrations.Secret(v); return nil }},
	{"SCRIP_DATABASE_MAX_CONNECTIONS", "database.max_connections", func(c *Config, v string) error { return setNumber(&c.Database.MaxConnections, v) }},
}

func setNumber(into *int, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%q is not a number", text)
	}
	*into = n
	return nil
}

func (c *Config) override(env func(string) string) Problems {
	var problems Problems
	for _, o := range overrides {
		value, found, err := lookup(env, o.name)
		if err == nil && found {
			err = o.set(c, value)
			c.positions[o.key] = campaign.Pos{File: "environment variable " + o.name}
		}
		if err != nil {
			problems = append(problems, Problem{campaign.Pos{File: "environment variable " + o.name}, o.key, err.Error()})
		}
	}
	return problems
}

// setDuration reads the durations of campaign files; shorter ones than a second
// (100ms) only the way Go writes them.
func setDuration(into *time.Duration, text string) error {
	d, err := campaign.ParseDuration(text)
	if err != nil {
		short, shortErr := time.ParseDuration(text)
		if shortErr != nil || short >= time.Second {
			return err
		}
		d = short
	}
	*into = d
	return nil
}

// WithoutSecrets is an environment in which every variable has some value, for
// commands that look at the shape of the settings only. The variables that change
// settings themselves are left as they are.
func WithoutSecrets(env func(string) string) func(string) string {
	own := map[string]bool{}
	for _, o := range overrides {
		own[o.name], own[o.name+"_FILE"] = true, true
	}
	return func(name string) string {
		if value := env(name); value != "" || own[name] || strings.HasSuffix(name, "_FILE") {
			return value
		}
		return "unset"
	}
}
