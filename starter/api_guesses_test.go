package starter

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	here  = netip.MustParseAddr("198.51.100.1")
	there = netip.MustParseAddr("198.51.100.2")
)

func look(t *testing.T, g *guesses, key string, from netip.Addr, exists bool) error {
	t.Helper()
	return g.look(t.Context(), key, from, func() bool { return exists })
}

func TestGuesses_MissesAreForgivenWithTimeAndHitsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuesses()
		for range 1000 {
			require.NoError(t, look(t, g, "till", here, true))
		}
		for range int(addressPatience.misses) {
			require.NoError(t, look(t, g, "till", here, false))
		}
		err := look(t, g, "till", here, true)
		var refused *Problem
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "too_many_unknown_codes", refused.Code)
		require.Contains(t, refused.Detail, "in 2 seconds", "half a miss is forgiven a second")
		require.NoError(t, look(t, g, "till", there, true), "another address of the same key")
		time.Sleep(2 * time.Second)
		require.NoError(t, look(t, g, "till", here, false))
		require.Error(t, look(t, g, "till", here, true))
	})
}

func TestGuesses_AKeyIsLimitedFromAllAddressesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuesses()
		address := netip.MustParseAddr("203.0.113.0")
		for range int(keyPatience.misses) {
			address = address.Next()
			require.NoError(t, look(t, g, "till", address, false))
		}
		require.Error(t, look(t, g, "till", here, true))
		require.NoError(t, look(t, g, "another", here, true))
		for range int(addressPatience.misses) {
			require.NoError(t, look(t, g, "another", here, false), "what the key refused cost the address nothing")
		}
	})
}

func TestGuesses_OneIPv6NetworkIsOneGuesser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuesses()
		address := netip.MustParseAddr("2001:db8:1:2::1")
		for range int(addressPatience.misses) {
			address = address.Next()
			require.NoError(t, look(t, g, "till", address, false))
		}
		require.Error(t, look(t, g, "till", netip.MustParseAddr("2001:db8:1:2:ffff::9"), true))
		require.NoError(t, look(t, g, "till", netip.MustParseAddr("2001:db8:1:3::1"), true))
	})
}

func TestGuesses_SoManyAtATimeAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuesses()
		ctx, give := context.WithCancel(t.Context())
		release, now := make(chan struct{}), 0
		failed := make(chan error, 100)
		for range addressPatience.looking + 1 {
			go func() {
				failed <- g.look(ctx, "till", here, func() bool { now++; <-release; return true })
			}()
			synctest.Wait()
		}
		require.Equal(t, addressPatience.looking, now, "the last waits for its turn")
		give()
		synctest.Wait()
		require.True(t, errors.Is(<-failed, context.Canceled), "a caller that gave up waiting")
		close(release)
		for range addressPatience.looking {
			require.NoError(t, <-failed)
		}
	})
}

func TestGuesses_WhoIsForgivenIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuesses()
		for n := range 100 {
			require.NoError(t, look(t, g, fmt.Sprint("till", n), here, n%5 != 0))
		}
		time.Sleep(time.Hour)
		require.NoError(t, look(t, g, "new", there, true))
		require.Len(t, g.all, 2, "one address, one key")
	})
}
