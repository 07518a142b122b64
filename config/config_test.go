package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/config"
)

// project writes a scrip.yaml and loads it in an environment.
func project(t *testing.T, yaml string, env map[string]string) (*config.Config, error) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, config.File), []byte(yaml), 0o600))
	return config.Load(dir, func(name string) string { return env[name] })
}

const mail = `
connections:
  email:
    kind: sendgrid
    api_key: ${MAIL_KEY}
    from: shop@example.com
    webhook_public_key: MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==
`

func TestLoad_AFolderWithoutTheFileHasTheDefaults(t *testing.T) {
	t.Parallel()
	c, err := config.Load(t.TempDir(), func(string) string { return "" })
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8080", c.Listen)
	require.Equal(t, "http://127.0.0.1:8080", c.PublicURL)
	require.Equal(t, 30*24*time.Hour, c.KeepBodies)
	require.Equal(t, "21:00-08:00", c.QuietHours["sms"])
	require.Equal(t, campaign.Clock{}, c.Clock(time.Now()))
}

func TestLoad_TheEnvironmentChangesTheFileAndTheFileTheDefaults(t *testing.T) {
	t.Parallel()
	c, err := project(t, "time_zone: Europe/Berlin\nlisten: 127.0.0.1:9999\n", map[string]string{"SCRIP_LISTEN": "0.0.0.0:80", "SCRIP_KEEP_BODIES": "3d"})
	require.NoError(t, err)
	require.Equal(t, "Europe/Berlin", c.TimeZone)
	require.Equal(t, "0.0.0.0:80", c.Listen)
	require.Equal(t, 72*time.Hour, c.KeepBodies)
}

func TestLoad_TellsEveryProblemAtOnceWithKeyAndLine(t *testing.T) {
	t.Parallel()
	_, err := project(t, `time_zone: Mars/Olympus
currancy: EUR
public_url: nowhere
quiet_hours: {sms: "9pm"}
teams: {service: {email: nobody}}
defaults: {email: missing}
connections:
  api: {kind: webhook}
  email: {live: yes, on_unknown: guess}
`, map[string]string{"SCRIP_KEEP_BODIES": "soon"})
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	text := err.Error()
	for _, expected := range []string{
		"scrip.yaml:1:1: time_zone:", "scrip.yaml:2:1: currancy: unknown key; did you mean currency?", "scrip.yaml:3:1: public_url:", "scrip.yaml:4:15: quiet_hours.sms:",
		"scrip.yaml:5:19: teams.service.email:", "scrip.yaml:6:12: defaults.email:", "scrip.yaml:8:3: connections.api:", "scrip.yaml:9:3: connections.email.kind: is missing",
		"scrip.yaml:9:22: connections.email.on_unknown:", "connections.email.live: expected true or false", "environment variable SCRIP_KEEP_BODIES: keep_bodies:",
	} {
		require.Contains(t, text, expected)
	}
}

func TestLoad_KeepsTheTimesOfACallInsideOneAnother(t *testing.T) {
	t.Parallel()
	c, err := project(t, "worker: {call_timeout: 1s, report_timeout: 500ms, step_timeout: 2s}", map[string]string{"SCRIP_WORKER_SETTLE_PAUSE": "200ms"})
	require.NoError(t, err)
	require.Equal(t, time.Second, c.Worker.CallTimeout)
	require.Equal(t, 200*time.Millisecond, c.Worker.SettlePause)
	_, err = project(t, "worker:\n  call_timeout: 20s\n  report_timeout: 10s\n", nil)
	require.ErrorContains(t, err, "worker.step_timeout: must be longer than worker.call_timeout and worker.report_timeout together")
	_, err = project(t, "", map[string]string{"SCRIP_WORKER_CALL_TIMEOUT": "1ms"})
	require.ErrorContains(t, err, "environment variable SCRIP_WORKER_CALL_TIMEOUT: worker.call_timeout: must lie between 100ms and 1m0s")
}

func TestLoad_TakesSecretsFromTheEnvironmentOrAFile(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(secret, []byte("SG.from-a-file\n"), 0o600))
	for _, env := range []map[string]string{{"MAIL_KEY": "SG.from-env"}, {"MAIL_KEY_FILE": secret}} {
		c, err := project(t, mail, env)
		require.NoError(t, err)
		connections, err := c.Open(time.Now)
		require.NoError(t, err)
		_, err = connections.Channel("email")
		require.NoError(t, err)
	}
}

func TestLoad_NamesTheVariableThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := project(t, mail, nil)
	require.ErrorContains(t, err, "scrip.yaml:5:14: connections.email.api_key: the environment variable MAIL_KEY is not set; set it, or MAIL_KEY_FILE")
}

func TestLoad_NeverPanicsOnBrokenYAML(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"a: [", "- 1", "connections: 5", "connections: {a: 5}", "clock: {hour: [1]}", "&a *a", "? {", strings.Repeat("{a: ", 200), "\x00"} {
		_, err := project(t, broken, nil)
		require.Error(t, err, "%q", broken)
	}
}

func TestLoad_RefusesADevelopmentClockBesideALiveConnection(t *testing.T) {
	t.Parallel()
	_, err := project(t, "clock: {hour: 1s}\nconnections:\n  shop: {kind: webhook, live: true, secret: x}\n", nil)
	require.ErrorContains(t, err, "connections.shop.live: real people are not reached on a clock for development")
	c, err := project(t, "clock: {hour: 1s}\n", nil)
	require.NoError(t, err)
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	require.Equal(t, start.Add(time.Hour), c.Clock(start).Virtual(start.Add(time.Second)))
}

func TestOpen_PointsAtTheVendorsKey(t *testing.T) {
	t.Parallel()
	c, err := project(t, "connections:\n  email:\n    kind: sendgrid\n    api_key: x\n    colour: red\n", nil)
	require.NoError(t, err)
	_, err = c.Open(time.Now)
	require.ErrorContains(t, err, "connections.email")
	require.ErrorContains(t, err, "scrip.yaml:5")
}

func TestValidate_NamesTheKindThatWasProbablyMeant(t *testing.T) {
	t.Parallel()
	_, err := project(t, "connections:\n  other:\n    kind: sendgird\n", nil)
	require.ErrorContains(t, err, "scrip.yaml:3:5: connections.other.kind")
	require.ErrorContains(t, err, `nearest is "sendgrid"`)
}

func TestLoad_SaysThatAFileIsNoYAMLAtAll(t *testing.T) {
	t.Parallel()
	c, err := project(t, "currency: EUR\nconnections: [\n", nil)
	require.ErrorContains(t, err, "not valid YAML")
	require.NotContains(t, err.Error(), "(file)")
	require.False(t, c.Readable())
}

func TestConnections_TakesTheOnlyOneThereIsAsTheDefault(t *testing.T) {
	t.Parallel()
	c, err := project(t, mail, map[string]string{"MAIL_KEY": "SG.x"})
	require.NoError(t, err)
	connections, err := c.Open(time.Now)
	require.NoError(t, err)
	name, err := connections.DefaultChannel("email")
	require.NoError(t, err)
	require.Equal(t, "email", name)
	_, err = connections.DefaultChannel("sms")
	require.ErrorIs(t, err, config.ErrNoConnection)
	_, err = connections.Issuer("email")
	require.ErrorIs(t, err, config.ErrNoConnection)
	_, err = connections.Source("nobody")
	require.ErrorIs(t, err, config.ErrNoConnection)
}

func TestGuard_LetsOnlyTheListedThroughUntilLive(t *testing.T) {
	t.Parallel()
	listed := []string{"Anna <anna@example.com>", "+49 151 12345678"}
	for _, check := range []struct {
		connection config.Connection
		address    string
		held       string
	}{
		{config.Connection{}, "ben@example.com", config.HeldNotLive},
		{config.Connection{OnlyTo: listed}, "ANNA@example.com", ""},
		{config.Connection{OnlyTo: listed}, "+4915112345678", ""},
		{config.Connection{OnlyTo: listed}, "ben@example.com", config.HeldNotLive},
		{config.Connection{Live: true}, "ben@example.com", ""},
		{config.Connection{Live: true, OnlyTo: listed}, "ben@example.com", config.HeldOnlyTo},
		{config.Connection{Sandbox: true}, "ben@example.com", ""},
	} {
		require.Equal(t, check.held, check.connection.Guard(check.address), "%+v %s", check.connection, check.address)
	}
}

func TestReadFolder_TakesWhatIsAppliedAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"scrip.yaml", "campaigns/a.yaml", "campaigns/.hidden.yaml", "campaigns/notes.md", "coupons/b.yml", "templates/hello/email.html", "templates/layouts/default.html", ".git/config", "templates/loose.txt"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	files, err := config.ReadFolder(dir)
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, name := range []string{"campaigns/a.yaml", "coupons/b.yml", "templates/hello/email.html", "templates/layouts/default.html"} {
		require.Contains(t, files, name)
	}
}

func TestCompose_TheExamplesFitTheirSettings(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "examples")
	c, err := config.Load(dir, func(name string) string {
		if strings.HasPrefix(name, "SCRIP_SANDBOX_") && !strings.HasSuffix(name, "_FILE") {
			return "http://127.0.0.1:8080/sandbox"
		}
		return ""
	})
	require.NoError(t, err)
	files, err := config.ReadFolder(dir)
	require.NoError(t, err)
	folder, problems := c.Compose(files)
	require.NoError(t, problems.Err())
	require.NotEmpty(t, folder.Files)
	require.NotEmpty(t, folder.Templates)
}

func TestCompose_SaysWhatAStrangeFileShouldHaveBeen(t *testing.T) {
	t.Parallel()
	c, err := config.Load(t.TempDir(), func(string) string { return "" })
	require.NoError(t, err)
	_, problems := c.Compose(map[string]string{"campaign.yaml": "campaign: x"})
	require.ErrorContains(t, problems.Err(), "campaign.yaml:1:1: not a file of a project")
}

// A document that gives another default than the program has would be believed.
func TestLoad_HasTheDefaultsThatTheDocumentGives(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	var yaml strings.Builder
	section, given := "", 0
	table, _, _ := strings.Cut(string(text), "### Connections")
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| `?([^|`]*)`? \\|").FindAllStringSubmatch(table, -1) {
		of, name, within := strings.Cut(row[1], ".")
		if !within {
			of, name = "", row[1]
		}
		if of != section && within {
			fmt.Fprintf(&yaml, "%s:\n", of)
		}
		section = of
		if value := row[2]; value != "" && !regexp.MustCompile("^(none|the |http:)").MatchString(value) {
			fmt.Fprintf(&yaml, "%*s%s: %s\n", 2*strings.Count(row[1], "."), "", name, value)
			given++
		}
	}
	require.Equal(t, 16, given, yaml.String())
	usual, err := project(t, "", nil)
	require.NoError(t, err)
	documented, err := project(t, yaml.String(), nil)
	require.NoError(t, err, yaml.String())
	values := func(c *config.Config) []any {
		return []any{c.Project, c.TimeZone, c.Currency, c.Listen, c.MaxConnections, c.Worker, c.KeepBodies, c.ClockHour, c.QuietHours}
	}
	require.Equal(t, values(usual), values(documented))
}
