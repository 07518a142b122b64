package config_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOfAccount_IsWhoSharesAnAccountAndNobodyElse(t *testing.T) {
	t.Parallel()
	const key = `MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==`
	c, err := project(t, `
connections:
  news: {kind: sendgrid, api_key: SG.one, from: news@example.com, webhook_public_key: `+key+`}
  shop: {kind: sendgrid, api_key: SG.one, from: shop@example.com}
  care: {kind: sendgrid, api_key: SG.two, from: care@example.com, webhook_public_key: `+key+`}
  other: {kind: sendgrid, api_key: SG.three, from: other@example.com}
  sms: {kind: twilio, account_sid: AC00000000000000000000000000000001, auth_token: "0123456789abcdef0123456789abcdef", from: "+4915112345678"}
  alerts: {kind: twilio, account_sid: AC00000000000000000000000000000001, auth_token: "0123456789abcdef0123456789abcdef", from: "+4915112345679"}
  own: {kind: webhook, secret: whsec_c2NyaXAtdGVzdC1vd24tc2VjcmV0LWtleQ==}
`, nil)
	require.NoError(t, err)
	connections, err := c.Open(time.Now)
	require.NoError(t, err)
	for name, want := range map[string][]string{
		"news": {"news", "care", "shop"}, "shop": {"shop", "news"}, "care": {"care", "news"}, "other": {"other"},
		"sms": {"sms", "alerts"}, "own": {"own"}, "missing": {"missing"},
	} {
		require.Equal(t, want, connections.OfAccount(name), name)
	}
}
