package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/sandbox"
)

// examples opens the connections of the example project, which talk to the sandbox.
func examples(t testing.TB) (*config.Connections, sandbox.Secrets) {
	t.Helper()
	secrets, err := sandbox.LoadSecrets(t.TempDir())
	require.NoError(t, err)
	env := map[string]string{
		"SCRIP_SANDBOX_URL": "http://127.0.0.1:1", "SCRIP_SANDBOX_SHOPIFY_DOMAIN": secrets.ShopifyDomain, "SCRIP_SANDBOX_SHOPIFY_SECRET": secrets.ShopifyClientKey,
		"SCRIP_SANDBOX_SHOPIFY_TOKEN": secrets.ShopifyAccessToken, "SCRIP_SANDBOX_SENDGRID_KEY": secrets.SendGridAPIKey,
		"SCRIP_SANDBOX_SENDGRID_PUBLIC_KEY": secrets.SendGridPublicKey, "SCRIP_SANDBOX_TWILIO_SID": secrets.TwilioAccountSID,
		"SCRIP_SANDBOX_TWILIO_TOKEN": secrets.TwilioAuthToken, "SCRIP_SANDBOX_TWILIO_FROM": secrets.TwilioFrom,
		"SCRIP_SANDBOX_OWN_SECRET": "whsec_c2NyaXAtYmVuY2gtb3duLXNlY3JldA==",
	}
	settings, err := config.Load("../examples", func(name string) string { return env[name] })
	require.NoError(t, err)
	connections, err := settings.Open(time.Now)
	require.NoError(t, err)
	return connections, secrets
}
