package integrations

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// countedConn counts the writes of requests and refuses them after a deadline.
// It stands above TLS, so that handshakes and alerts don't count.
type countedConn struct {
	net.Conn
	writes   atomic.Int64
	deadline atomic.Pointer[time.Time]
}

func (c *countedConn) Write(p []byte) (int, error) {
	if deadline := c.deadline.Load(); deadline != nil && passed(*deadline) {
		return 0, ErrDeadline
	}
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// NetConn lets a TLS connection through a proxy be followed to its counter.
func (c *countedConn) NetConn() net.Conn { return c.Conn }

// watch is one request on one connection.
type watch struct {
	conn   *countedConn
	before int64
}

func watchConn(conn net.Conn, deadline time.Time) *watch {
	counted, ok := conn.(*countedConn)
	if over, isTLS := conn.(*tls.Conn); !ok && isTLS {
		counted, _ = over.NetConn().(*countedConn)
	}
	if counted == nil {
		return &watch{}
	}
	if deadline.IsZero() {
		counted.deadline.Store(nil)
	} else {
		counted.deadline.Store(&deadline)
	}
	return &watch{conn: counted, before: counted.writes.Load()}
}

// written is false without a connection, true where it can't be known.
func (w *watch) written() bool {
	if w == nil {
		return false
	}
	return w.conn == nil || w.conn.writes.Load() != w.before
}

func dialCounted(d *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: conn}, nil
	}
}

func dialTLSCounted(d *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	over := &tls.Dialer{NetDialer: d, Config: &tls.Config{MinVersion: tls.VersionTLS12}}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		conn, err := over.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: conn}, nil
	}
}

// ErrPrivateAddress says that an address inside the own network was refused.
var ErrPrivateAddress = errors.New("the address is not a public one; set allow_private: true to call it")

// refusePrivate sees the address that is really dialled, so neither a name that
// changes its address nor a redirect gets around it.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	port, err := netip.ParseAddrPort(address)
	if err != nil || !isPublic(port.Addr().Unmap().WithZone("")) {
		return ErrPrivateAddress
	}
	return nil
}

// globalUnicast is all that the internet uses of IPv6; the rest is private, local,
// multicast, or an IPv4 address in other clothes.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// special are ranges that are not reached over the internet, or through which an IPv4
// address is reached inside an IPv6 one. The ranges for private use, loopback, link-local
// and multicast are not among them: net/netip knows those.
//
// https://www.iana.org/assignments/iana-ipv4-special-registry
// https://www.iana.org/assignments/iana-ipv6-special-registry
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // inside providers' networks, where some metadata services answer
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // relays of 6to4
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4
	netip.MustParsePrefix("3fff::/20"),       // documentation
}

func isPublic(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Is6() && !globalUnicast.Contains(ip) {
		return false
	}
	for _, prefix := range special {
		if prefix.Contains(ip) {
			return false
		}
	}
	return true
}
