package starter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzClientAddress: an address that callers say is believed only as far as trusted
// proxies wrote it, and the one that counts is never a trusted proxy's while another
// stands before it.
func FuzzClientAddress(f *testing.F) {
	for _, s := range []string{"", "203.0.113.7", "203.0.113.7, 10.0.0.2", "::ffff:203.0.113.7", "junk, 203.0.113.7", "10.0.0.2, junk", ",,", "fe80::1%eth0", "203.0.113.7:80", "[::1]", "\xff"} {
		f.Add("10.0.0.1:1234", s, "")
		f.Add("198.51.100.9:1", s, "10.9.9.9")
		f.Add("[::ffff:10.0.0.1]:1", s, s)
		f.Add("@", s, s)
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	trusts := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	f.Fuzz(func(t *testing.T, remote, first, second string) {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {first, second}}}
		got := clientAddress(r, trusted)
		peer, err := netip.ParseAddrPort(remote)
		if err != nil {
			require.False(t, got.IsValid())
			return
		}
		require.True(t, got.IsValid())
		require.False(t, got.Is4In6())
		require.Empty(t, got.Zone())
		from := peer.Addr().Unmap().WithZone("")
		if !trusts(from) {
			require.Equal(t, from, got, "a stranger's header was believed")
		}
		require.Equal(t, from, clientAddress(r, nil), "without proxies nobody is believed")
		// What a caller writes in front of what a trusted proxy wrote changes nothing.
		r.Header["X-Forwarded-For"] = []string{"203.0.113.99, 192.0.2.1", first, second}
		if !trusts(got) {
			require.Equal(t, got, clientAddress(r, trusted), "a caller chose its own address")
		}
		require.NotEmpty(t, neighbourhood(got))
	})
}

// FuzzBearer: only what stands behind `Bearer ` is looked up as a key, without the
// space around it.
func FuzzBearer(f *testing.F) {
	for _, s := range []string{"", "Bearer", "Bearer ", "Bearer  x", "bearer x", "Basic x", "Bearer \xff", "Bearer \x00", "Bearer scrip_aaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "Bearer " + strings.Repeat("k", 10_000)} {
		f.Add(s)
	}
	a := &api{} // with no store: what is no key of ours is refused before it is asked
	f.Fuzz(func(t *testing.T, header string) {
		secret, is := strings.CutPrefix(header, "Bearer ")
		if is && len(strings.TrimSpace(secret)) == len("scrip_aaaaaaaa_")+32 {
			return // it could be one
		}
		key, err := a.key(context.Background(), header)
		require.Empty(t, key)
		var told *Problem
		require.ErrorAs(t, err, &told)
		require.Equal(t, http.StatusUnauthorized, told.Status)
		require.Equal(t, is && secret != "", told.Code == "unknown_key")
	})
}

// FuzzReplayable: a body that is read for its hash is given on as it came, or refused
// where it is larger than its route takes.
func FuzzReplayable(f *testing.F) {
	for _, size := range []int{0, 1, memoryBody - 1, memoryBody, memoryBody + 1, 2*memoryBody + 1} {
		f.Add([]byte("{}"), size, false)
		f.Add([]byte("a"), size, true)
	}
	f.Fuzz(func(t *testing.T, text []byte, size int, broken bool) {
		if len(text) == 0 || size < 0 || size > 3*memoryBody {
			return
		}
		const limit = 2 * memoryBody
		sent := bytes.Repeat(text, size/len(text)+1)[:size]
		var in io.Reader = bytes.NewReader(sent)
		if broken {
			in = io.MultiReader(in, failing{})
		}
		body, sum, err := replayable(io.NopCloser(in), limit)
		if err != nil {
			var told *Problem
			require.ErrorAs(t, err, &told)
			require.True(t, broken || size > limit, "a whole body was refused: %v", err)
			return
		}
		defer body.Close()
		require.LessOrEqual(t, size, limit)
		again, err := io.ReadAll(body)
		require.NoError(t, err)
		require.True(t, bytes.Equal(sent, again), "another body is given on")
		want := sha256.Sum256(sent)
		require.Equal(t, want[:], sum)
		one, other := httptest.NewRequest("POST", "/v1/codes/A/redeem", nil), httptest.NewRequest("POST", "/v1/codes/B/redeem", nil)
		require.NotEqual(t, requestSum(one, sum), requestSum(other, sum), "two addresses are one request")
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broke off") }
