package starter

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClientAddress_BelievesProxiesThatAreTrustedAndNobodyElse(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer string
		told       []string
		want       string
	}{
		{"nobody in between", "203.0.113.9:4711", nil, "203.0.113.9"},
		{"a stranger who says to be another", "203.0.113.9:4711", []string{"198.51.100.1"}, "203.0.113.9"},
		{"a proxy that is trusted", "10.0.0.7:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"what came before the proxy's own word", "10.0.0.7:1", []string{"192.0.2.66, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.7:1", []string{"192.0.2.66, 198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"two proxies, a header each", "[fd00::1]:1", []string{"198.51.100.1", "10.9.9.9"}, "198.51.100.1"},
		{"nothing but proxies", "10.0.0.7:1", []string{"10.9.9.9"}, "10.9.9.9"},
		{"no word", "10.0.0.7:1", nil, "10.0.0.7"},
		{"no address", "10.0.0.7:1", []string{"198.51.100.1, unknown"}, "10.0.0.7"},
		{"IPv4 written as IPv6", "[::ffff:10.0.0.7]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"an IPv6 address with its zone", "[fe80::1%eth0]:1", nil, "fe80::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, netip.MustParseAddr(c.want), clientAddress(&http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.told}}, trusted))
		})
	}
	require.False(t, clientAddress(&http.Request{RemoteAddr: "@"}, trusted).IsValid(), "a socket of the machine's own has no address")
}
