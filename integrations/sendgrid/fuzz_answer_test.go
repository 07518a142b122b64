package sendgrid

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzUntilReset: the pause that SendGrid names is one that can be waited: none, or up
// to an hour, and where it lies in the next hour exactly what it says.
func FuzzUntilReset(f *testing.F) {
	for _, s := range []string{"1800000060", "", "-1", "9223372036854775807", "-9223372036854775808", "1e9", " 1800000060", "0", "99999999999999999999"} {
		f.Add(s)
	}
	m := &Mailer{now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
	f.Fuzz(func(t *testing.T, header string) {
		pause := m.untilReset(http.Header{"X-Ratelimit-Reset": {header}})
		require.GreaterOrEqual(t, pause, time.Duration(0))
		require.LessOrEqual(t, pause, time.Hour)
		if at, err := strconv.ParseInt(header, 10, 64); err == nil && at >= 1_800_000_000 && at <= 1_800_003_600 {
			require.Equal(t, time.Duration(at-1_800_000_000)*time.Second, pause)
		}
	})
}
