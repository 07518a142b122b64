package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPause_GrowsAndIsNeverShorterThanTheVendorAsks(t *testing.T) {
	t.Parallel()
	l := Limits{Backoff: 5 * time.Second}
	for attempt, least := range map[int32]time.Duration{0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 7: 320 * time.Second, 1000: 320 * time.Second} {
		for range 100 {
			pause := l.pause(attempt, 0)
			require.GreaterOrEqual(t, pause, least, "attempt %d", attempt)
			require.Less(t, pause, least*3/2, "attempt %d", attempt)
		}
	}
	require.GreaterOrEqual(t, l.pause(1, time.Minute), time.Minute)
	require.NotEqual(t, l.pause(1, 0), l.pause(1, 0))
}
