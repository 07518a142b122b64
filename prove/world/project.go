package world

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/e2e/walk"
)

// Settings are those of the example project, with evidence windows that tests can
// wait for.
const Settings = `
project: proof
time_zone: Europe/Berlin
currency: EUR
clock: {hour: 1s}
quiet_hours: {sms: ""}
teams:
  service: {email: service@example.com}
  sales: {email: sales@example.com}
  growth: {email: growth@example.com}
defaults: {shop: shop, email: email, sms: sms}
connections:
  shop:
    kind: shopify
    sandbox: true
    shop: ${SCRIP_SANDBOX_SHOPIFY_DOMAIN}
    client_secret: ${SCRIP_SANDBOX_SHOPIFY_SECRET}
    access_token: ${SCRIP_SANDBOX_SHOPIFY_TOKEN}
    base_url: ${SCRIP_SANDBOX_URL}/shopify
  email:
    kind: sendgrid
    sandbox: true
    evidence_window: 3s
    api_key: ${SCRIP_SANDBOX_SENDGRID_KEY}
    webhook_public_key: ${SCRIP_SANDBOX_SENDGRID_PUBLIC_KEY}
    from: shop@example.com
    base_url: ${SCRIP_SANDBOX_URL}/sendgrid
  sms:
    kind: twilio
    sandbox: true
    evidence_window: 3s
    account_sid: ${SCRIP_SANDBOX_TWILIO_SID}
    auth_token: ${SCRIP_SANDBOX_TWILIO_TOKEN}
    from: ${SCRIP_SANDBOX_TWILIO_FROM}
    base_url: ${SCRIP_SANDBOX_URL}/twilio
  own:
    kind: webhook
    secret: ${SCRIP_SANDBOX_OWN_SECRET}
  fraud:
    kind: http
    base_url: ${SCRIP_SANDBOX_URL}/fraud
    allow_private: true
`

func (w *World) project() string { return filepath.Join(w.Dir, "project") }

// files are the example project's, and the test's own.
func (w *World) files(t testing.TB) map[string]string {
	files, err := config.ReadFolder(filepath.Join(Root(t), "examples"))
	require.NoError(t, err)
	maps.Copy(files, map[string]string{config.File: Settings})
	maps.Copy(files, w.options.Files)
	return files
}

func (w *World) writeProject(t testing.TB) { w.Write(t, w.files(t)) }

// Write puts files into the project; Apply makes them count.
func (w *World) Write(t testing.TB, files map[string]string) {
	for name, text := range files {
		path := filepath.Join(w.project(), name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
}

// Root is the folder of go.mod.
func Root(t testing.TB) string {
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		require.NotEqual(t, filepath.Dir(dir), dir)
		dir = filepath.Dir(dir)
	}
}

// Apply makes the running system hold the project.
func (w *World) Apply(t testing.TB) {
	files, err := config.ReadFolder(w.project())
	require.NoError(t, err)
	(&walk.Person{TB: t, System: w.System}).Call(http.MethodPost, "/v1/apply", map[string]any{"files": files}, nil)
}
