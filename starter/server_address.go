package starter

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

type addressKey struct{}

// addressOf is where the request comes from; the zero Addr where that isn't known.
func addressOf(ctx context.Context) netip.Addr {
	address, _ := ctx.Value(addressKey{}).(netip.Addr)
	return address
}

// addressed notes where each request comes from.
func addressed(next http.Handler, trusted []netip.Prefix) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), addressKey{}, clientAddress(r, trusted))))
	})
}

// clientAddress is the nearest address that is no proxy of ours. X-Forwarded-For is
// the word of whoever wrote it: only a proxy that is trusted is believed, and of
// its list only the end that trusted proxies wrote.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address := plain(peer.Addr())
	told := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(told) {
		if !slices.ContainsFunc(trusted, func(network netip.Prefix) bool { return network.Contains(address) }) {
			return address
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return address
		}
		address = plain(before)
	}
	return address
}

// plain makes one address of the ways in which it can be written.
func plain(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }
