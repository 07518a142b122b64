package config

import (
	"fmt"
	"net/netip"
)

// setProxies reads the addresses and networks of proxies that stand before the
// starter.
func setProxies(c *Config, list []string) error {
	var trusted []netip.Prefix
	for _, text := range list {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil {
				return fmt.Errorf("%q is no address and no network; write one such as 10.0.0.7 or 10.0.0.0/8", text)
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		network = plain(network)
		if network.Bits() == 0 {
			return fmt.Errorf("%q trusts everybody, so that anybody could say to be anybody; write the proxies' own addresses", text)
		}
		trusted = append(trusted, network.Masked())
	}
	c.TrustedProxies = trusted
	return nil
}

// plain is a network in the form in which callers' addresses are compared: one of
// IPv4 isn't written as one of IPv6.
func plain(network netip.Prefix) netip.Prefix {
	const mapped = 96 // bits before the IPv4 address
	if address := network.Addr(); address.Is4In6() && network.Bits() >= mapped {
		return netip.PrefixFrom(address.Unmap(), network.Bits()-mapped)
	}
	return network
}
