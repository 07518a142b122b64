package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/cli"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/postgres/pgtest"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
)

var migrated = pgtest.Template{Prepare: func(ctx context.Context, url string) error {
	s, err := store.Open(ctx, url, 2)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Migrate(ctx)
}}

// shell runs commands in an environment of its own.
type shell struct {
	*testing.T
	env map[string]string
	dir string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	return &shell{t, map[string]string{"TZ": "UTC", "SCRIP_URL": "http://127.0.0.1:1", "SCRIP_API_KEY": "scrip_x"}, t.TempDir()}
}

// running is a shell with a running system and its database.
func running(t *testing.T) *shell {
	t.Helper()
	sh := newShell(t)
	url := migrated.URL(t)
	s, err := store.Open(t.Context(), url, 8)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	settings, err := config.Load(sh.dir, func(string) string { return "" })
	require.NoError(t, err)
	connections, err := settings.Open(time.Now)
	require.NoError(t, err)
	metrics := starter.NewMetrics()
	inbox := starter.NewInbox(s, starter.NewInboxMetrics(metrics.Registry))
	t.Cleanup(inbox.Close)
	server := httptest.NewServer(starter.New(starter.Deps{Store: s, Config: settings, Connections: connections, Inbox: inbox,
		Log: slog.New(slog.DiscardHandler), Metrics: metrics, Version: "test"}))
	t.Cleanup(server.Close)
	_, key, err := s.NewKey(t.Context(), "test", []string{store.ScopeAdmin})
	require.NoError(t, err)
	sh.env["SCRIP_URL"], sh.env["SCRIP_API_KEY"], sh.env["DATABASE_URL"] = server.URL, key, url
	return sh
}

type result struct {
	code     int
	out, err string
}

func (sh *shell) scrip(args ...string) result {
	sh.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(sh.Context(), "1.2.3", append([]string{"--project", sh.dir}, args...), cli.IO{In: strings.NewReader(""), Out: &out, Err: &errs, Env: func(name string) string { return sh.env[name] }})
	return result{code, out.String(), errs.String()}
}

// ok runs a command that has to work and gives what it printed.
func (sh *shell) ok(args ...string) string {
	sh.Helper()
	r := sh.scrip(args...)
	require.Zero(sh, r.code, "scrip %s: %s", strings.Join(args, " "), r.err)
	return r.out
}

func (sh *shell) write(name, text string) string {
	sh.Helper()
	path := filepath.Join(sh.dir, name)
	require.NoError(sh, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(sh, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestRun_ExitsWithTwoForWrongUseAndSaysHow(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	for _, args := range [][]string{
		{"nonsense"}, {"campaign", "nonsense"}, {"campaign", "show"}, {"campaign", "show", "a", "b"}, {"campaign", "list", "--nonsense"}, {"campaign", "list", "x"},
		{"codes", "import", "ten", "codes.pdf"}, {"event", "send"}, {"event", "send", "order.paid", "x"}, {"unknown", "resolve", "ms_1", "perhaps"},
		{"inbox", "replay"}, {"inbox", "replay", "x"}, {"send", "test", "hello"}, {"campaign", "stop", "welcome"}, {"message", "resend", "ms_1"}, {"apply"},
	} {
		r := sh.scrip(args...)
		require.Equal(t, 2, r.code, "%v: %s", args, r.err)
		require.True(t, strings.HasPrefix(r.err, "scrip: "), "%v: %s", args, r.err)
		require.Empty(t, r.out, "%v", args)
	}
}

func TestRun_SaysWhatToDoWhenNothingAnswers(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	r := sh.scrip("campaign", "list")
	require.Equal(t, 1, r.code)
	require.Equal(t, "scrip: cannot reach Scrip at http://127.0.0.1:1: is it running? Start it with `scrip dev`, or set SCRIP_URL to where it is\n", r.err)
	delete(sh.env, "SCRIP_API_KEY")
	require.Contains(t, sh.scrip("campaign", "list").err, "there is no API key")
	sh.write(".scrip/key", "scrip_from_a_file\n")
	require.Contains(t, sh.scrip("campaign", "list").err, "cannot reach", "the key of scrip dev is found")
	delete(sh.env, "SCRIP_URL")
	sh.write(".scrip/url", "http://127.0.0.1:2\n")
	require.Contains(t, sh.scrip("campaign", "list").err, "cannot reach Scrip at http://127.0.0.1:2", "and its address")
	sh.env["SCRIP_PORT"] = "many"
	r = sh.scrip("dev")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.err, "SCRIP_PORT: \"many\" is not a port")
	require.Contains(t, sh.scrip("migrate").err, "set DATABASE_URL")
	r = sh.scrip("doctor")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.out, "FAIL  database: there is no database: set DATABASE_URL")
}

func TestInit_MakesAFolderThatIsRightAndKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	sh.write(".gitignore", "mine\n")
	require.Contains(t, sh.ok("init"), "kept     .gitignore")
	kept, err := os.ReadFile(filepath.Join(sh.dir, ".gitignore"))
	require.NoError(t, err)
	require.Equal(t, "mine\n", string(kept))
	require.Contains(t, sh.ok("validate"), "are right")
	require.Contains(t, sh.ok("init"), "Everything is there already.")
	require.True(t, json.Valid([]byte(sh.ok("schema"))))
}

func TestValidate_PointsAtFileLineAndColumn(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	sh.ok("init")
	sh.write("scrip.yaml", "time_zone: Nowhere\nconnections:\n  email: {kind: sendgrid, api_key: \"${MISSING}\"}\n")
	sh.write("campaigns/welcome.yaml", "campaign: welcome\ntrigger: {event: contact.opted_in}\nsteps:\n  - sned: {email: welcome}\n")
	r := sh.scrip("validate")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.out, "scrip.yaml:1:1: time_zone:")
	require.Contains(t, r.out, "campaigns/welcome.yaml:4:")
	require.NotContains(t, r.out, "MISSING", "a check needs no secrets")
	require.Contains(t, r.err, "mistakes found")
	var machine struct {
		Problems []struct{ File, Severity string }
	}
	require.NoError(t, json.Unmarshal([]byte(sh.scrip("validate", "--json").out), &machine))
	require.Len(t, machine.Problems, strings.Count(r.out, "\n"))
}

func TestApply_ShowsTheDifferenceAsksAndApplies(t *testing.T) {
	t.Parallel()
	sh := running(t)
	sh.ok("init")
	plan := "+ coupon welcome-10\n+ template welcome (version 1)\n+ campaign welcome (version 1)\n"
	r := sh.scrip("apply")
	require.Equal(t, 2, r.code, "nobody is there to answer")
	require.Equal(t, plan, r.out)
	require.Contains(t, r.err, "--yes")
	require.Equal(t, plan, sh.ok("apply", "--dry-run"))
	require.Equal(t, plan+"Applied: 3 changes.\n", sh.ok("apply", "--yes"))
	require.Equal(t, "Nothing to apply: the running system holds what the folder holds.\n", sh.ok("apply"))
	sh.write("templates/welcome/email.txt", "Hello there")
	sh.ok("apply", "--yes")
	sh.write("templates/welcome/email.txt", "Hello {{ code }}")
	require.Equal(t, "~ template welcome (version 2 to 3)\n    email.txt\n    - Hello there\n    + Hello {{ code }}\n  2 unchanged\nApplied: 1 change.\n", sh.ok("apply", "--yes"))
	sh.write("coupons/welcome.yaml", "coupon: welcome-10\ndiscount: {percentage: ten}\ncodes: {generate: \"HI-########\"}\n")
	r = sh.scrip("apply", "--yes")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "coupons/welcome.yaml:2:")
}

func TestCommands_ShowTablesOrTheAPIsOwnAnswer(t *testing.T) {
	t.Parallel()
	sh := running(t)
	require.Equal(t, "No campaigns yet: write one, then `scrip apply`.\n", sh.ok("campaign", "list"))
	sh.ok("init")
	sh.write("coupons/list.yaml", "coupon: listed\ndiscount: {percentage: 5}\ncodes: {list: true}\n")
	sh.ok("apply", "--yes")
	require.Equal(t, "CAMPAIGN  STATE    VERSION  INSIDE  WAITING\nwelcome   running  1        0       0\n", sh.ok("campaign", "list"))
	var answer struct{ Items []store.CampaignSummary }
	require.NoError(t, json.Unmarshal([]byte(sh.ok("campaign", "list", "--json")), &answer))
	require.Equal(t, "welcome", answer.Items[0].Name)
	require.Contains(t, sh.ok("campaign", "show", "welcome"), "campaign  welcome")
	require.Equal(t, "welcome is paused.\n", sh.ok("campaign", "pause", "welcome"))
	require.Equal(t, "welcome is stopped.\n", sh.ok("campaign", "stop", "welcome", "--yes"))
	r := sh.scrip("campaign", "show", "missing")
	require.Equal(t, 1, r.code)
	require.Equal(t, "scrip: there is no campaign with this name; `scrip campaign list` shows those that were applied\n", r.err)

	codes := sh.write("codes.txt", "A1\nA2\nA1\n")
	require.Equal(t, "2 codes added.\n  1 left out, twice in the file: line 3\n", sh.ok("codes", "import", "listed", codes))
	require.Contains(t, sh.ok("codes", "stats", "listed"), "available        2")
	require.Equal(t, "A1\n", sh.ok("code", "assign", "listed", "--key", "desk-1"))
	require.Contains(t, sh.ok("code", "show", "a1"), "listed")
	require.Equal(t, "The code can't be used any more.\n", sh.ok("code", "withdraw", "A1"))

	people := sh.write("people.csv", "email,first_name\nanna@example.com,Anna\n")
	require.Contains(t, sh.ok("contact", "import", people), "1 contact")
	require.Contains(t, sh.ok("contact", "show", "anna@example.com"), "Anna")
	require.Contains(t, sh.ok("contact", "consent", "anna@example.com", "email", "granted"), "email is granted")
	require.Contains(t, sh.ok("why", "anna@example.com", "welcome"), "welcome: never entered")
	require.True(t, json.Valid([]byte(sh.ok("contact", "export", "anna@example.com"))))
	require.Contains(t, sh.ok("contact", "erase", "anna@example.com", "--yes"), "is forgotten")

	require.Equal(t, "1 event accepted.\n", sh.ok("event", "send", "order.paid", "total=80", "--email", "ben@example.com", "--id", "7"))
	require.Equal(t, "0 events accepted, 1 had come before.\n", sh.ok("event", "send", "order.paid", "total=80", "--email", "ben@example.com", "--id", "7"))
	require.Equal(t, "No journeys.\n", sh.ok("journey", "list"))
	require.Equal(t, "No messages.\n", sh.ok("message", "list"))
	require.Equal(t, "No messages.\n", sh.ok("unknown", "list"))
	require.Equal(t, "Nothing failed.\n", sh.ok("inbox", "failed"))
	require.Equal(t, "0 tried again.\n", sh.ok("inbox", "replay", "--all"))
	require.Contains(t, sh.ok("kill-switch", "on"), "are held")
	require.Contains(t, sh.ok("kill-switch", "status"), "held since")
	require.Contains(t, sh.ok("kill-switch", "off"), "go out again")
	require.Contains(t, sh.ok("template", "preview", "welcome"), "SAMPLE-2345")
	require.Contains(t, sh.scrip("doctor").out, "ok    database: answers")
}

func TestHealthz_TellsByItsExitCode(t *testing.T) {
	t.Parallel()
	sh := running(t)
	require.Equal(t, "ok\n", sh.ok("healthz"))
	require.Equal(t, "ok\n", sh.ok("healthz", sh.env["SCRIP_URL"]+"/healthz"))
	require.Equal(t, "ok\n", sh.ok("healthz", "--ready"), "Temporal is away, and requests are taken all the same")
	require.Equal(t, 1, sh.scrip("healthz", "http://127.0.0.1:1").code)
	require.Equal(t, 2, sh.scrip("healthz", "nowhere").code)
}

func TestKey_AsksTheAPIWhereNoDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	sh := running(t)
	delete(sh.env, "DATABASE_URL")
	key := strings.TrimSpace(sh.ok("key", "create", "till", "--scope", "read"))
	require.Contains(t, sh.ok("key", "list"), "till")
	require.Contains(t, sh.ok("key", "revoke", key[:14]), "is revoked")
	sh.env["SCRIP_API_KEY"] = key
	require.Contains(t, sh.scrip("key", "list").err, "was revoked")
}

func TestRun_NamesTheCommandThatWasProbablyMeant(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	require.Contains(t, sh.scrip("campagn", "list").err, "did you mean `scrip campaign`?")
	require.Contains(t, sh.scrip("codes", "imprt").err, "did you mean `scrip codes import`?")
}

func TestValidate_RefusesAFolderThatIsNoProject(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	r := sh.scrip("validate")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.err, "scrip init")
	sh.write("scrip.yaml", "currency: EUR\nconnections: [\n")
	sh.write("campaigns/a.yaml", "campaign: a\ntrigger: manual\nsteps:\n  - call: {connection: fraud, path: /x}\n")
	require.NotContains(t, sh.scrip("validate").out, "fraud", "what an unreadable file names isn't missing")
}

func TestDatabase_ThatCantBeReachedIsSaidWithoutItsPassword(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	for _, command := range [][]string{{"starter"}, {"worker"}, {"migrate"}, {"key", "create", "x"}} {
		sh.env["DATABASE_URL"] = "postgres://scrip:hunter2@127.0.0.1:1/scrip"
		r := sh.scrip(command...)
		require.Equal(t, 1, r.code, "%v", command)
		require.Contains(t, r.err, "can't be reached; check that Postgres runs there, and DATABASE_URL")
		require.NotContains(t, r.err, "hunter2")
	}
}

func TestDatabase_ThatCantBeMigratedIsSaid(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	sh.env["DATABASE_URL"] = pgtest.URL(t)
	s, err := store.Open(t.Context(), sh.env["DATABASE_URL"], 1)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	_, err = s.Pool.Exec(t.Context(), `CREATE TABLE contact ()`)
	require.NoError(t, err)
	for _, command := range []string{"starter", "worker", "serve", "migrate"} {
		r := sh.scrip(command)
		require.Equal(t, 1, r.code, command)
		require.Contains(t, r.err, "migrating the database", command)
	}
}

func TestCodec_SaysWhatItLacksAndNothingOfWhatItDoesNotNeed(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	require.Contains(t, sh.scrip("codec").err, "there is nothing to decrypt")
	sh.env["SCRIP_PAYLOAD_KEYS"] = "2026:short"
	require.Contains(t, sh.scrip("codec").err, "payload_keys.2026: is not base64")
	sh.env["SCRIP_CODEC_LISTEN"] = "0.0.0.0:0"
	require.Contains(t, sh.scrip("codec").err, "codec.token: is missing")
}

func TestEventSend_TakesConsentOfSomebodyOnly(t *testing.T) {
	t.Parallel()
	sh := running(t)
	sh.ok("event", "send", "contact.opted_in", "channel=email", "--email", "anna@example.com", "--consent", "email")
	require.Equal(t, 2, sh.scrip("event", "send", "contact.opted_in", "--consent", "email").code)
}

func TestKey_WorksOnTheDatabaseItself(t *testing.T) {
	t.Parallel()
	sh := running(t)
	require.Equal(t, "The database is up to date.\n", sh.ok("migrate"))
	key := strings.TrimSpace(sh.ok("key", "create", "till", "--scope", "codes,read"))
	require.Contains(t, sh.ok("key", "list"), "codes, read")
	sh.env["SCRIP_API_KEY"] = key
	sh.ok("campaign", "list")
	require.Contains(t, sh.scrip("campaign", "pause", "x").err, "needs a key with the scope write")
	require.Contains(t, sh.ok("key", "revoke", key[:14]), "is revoked")
	require.Contains(t, sh.scrip("campaign", "list").err, "was revoked")
	require.Equal(t, 1, sh.scrip("key", "create", "x", "--scope", "everything").code)
}

func TestServe_SaysWhyItCouldNot(t *testing.T) {
	t.Parallel()
	sh := running(t)
	sh.env["TEMPORAL_ADDRESS"] = "127.0.0.1:9" // where nobody answers: the worker waits
	taken := strings.TrimPrefix(sh.env["SCRIP_URL"], "http://")
	for _, half := range []string{"starter", "serve"} {
		r := sh.scrip(half, "--listen", taken)
		require.Equal(t, 1, r.code, half)
		require.Contains(t, r.err, "address already in use", half)
	}
}
