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

// sharedSpace (RFC 6598) is used inside providers' networks, some of whose
// metadata services answer there.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// refusePrivate sees the address that is really dialled, so neither a name that
// changes its address nor a redirect gets around it.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	port, err := netip.ParseAddrPort(address)
	if err != nil {
		return ErrPrivateAddress
	}
	ip := port.Addr().Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || sharedSpace.Contains(ip) || embedsIPv4(ip) {
		return ErrPrivateAddress
	}
	return nil
}

// Ranges through which an IPv4 address is reached inside an IPv6 one.
var translated = []netip.Prefix{
	netip.MustParsePrefix("64:ff9b::/96"),   // NAT64, RFC 6052
	netip.MustParsePrefix("64:ff9b:1::/48"), // NAT64, RFC 8215
	netip.MustParsePrefix("2002::/16"),      // 6to4, RFC 3056
	netip.MustParsePrefix("2001::/32"),      // Teredo, RFC 4380
}

func embedsIPv4(ip netip.Addr) bool {
	for _, prefix := range translated {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}
