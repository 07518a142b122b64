package config_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTrustedProxies_AreAddressesAndNetworks(t *testing.T) {
	t.Parallel()
	c, err := project(t, "trusted_proxies: [10.0.0.7, 192.168.1.9/16, \"fd00::1\"]\n", nil)
	require.NoError(t, err)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("fd00::1/128")}, c.TrustedProxies)

	c, err = project(t, "trusted_proxies: [10.0.0.7]\n", map[string]string{"SCRIP_TRUSTED_PROXIES": "10.0.0.8 10.1.0.0/16"})
	require.NoError(t, err)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.8/32"), netip.MustParsePrefix("10.1.0.0/16")}, c.TrustedProxies)

	for written, says := range map[string]string{
		"0.0.0.0/0":         "trusts everybody",
		"\"::/0\"":          "trusts everybody",
		"proxy.example.com": "no address and no network",
		"10.0.0.0/33":       "no address and no network",
	} {
		_, err := project(t, "trusted_proxies: ["+written+"]\n", nil)
		require.ErrorContains(t, err, says, written)
		require.ErrorContains(t, err, "trusted_proxies")
	}
}
