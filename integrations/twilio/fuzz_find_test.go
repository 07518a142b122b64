package twilio

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// FuzzListed: of what Twilio lists, what went to the number since the attempt is looked
// at, and so is what has no readable time; nothing else is.
func FuzzListed(f *testing.F) {
	for _, s := range []string{
		`[{"sid":"SM1","to":"+491511","body":"Your code","date_created":"Sat, 21 Nov 2026 10:00:00 +0000"}]`,
		`[{"sid":"SM1","to":"+491511","body":"Your code","date_created":"yesterday"}]`, `[{"sid":null,"to":"+491511"}]`, `[{"sid":"SM1","to":"+49"}]`, `[{}]`, `[null]`, `[]`, `null`,
		`[{"sid":"SM1","to":"+491511","date_created":"Mon, 01 Jan 0001 00:00:00 +0000"}]`,
	} {
		f.Add([]byte(s), "+491511", int64(1795255200), "Your code")
	}
	f.Fuzz(func(t *testing.T, list []byte, to string, since int64, text string) {
		var messages []api.ApiV2010Message
		if json.Unmarshal(list, &messages) != nil {
			return
		}
		from := time.Unix(since%1e11, 0)
		found := listedSince(messages, to, from)
		require.LessOrEqual(t, len(found), len(messages))
		for _, l := range found {
			require.NotNil(t, l.Sid)
			require.Equal(t, to, *l.To)
			require.False(t, l.at.Before(from))
			if l.sameText(text) {
				require.NotNil(t, l.Body)
				require.Equal(t, plain(text), plain(*l.Body))
			}
		}
		for _, m := range messages {
			if m.Sid != nil && m.To != nil && *m.To == to && m.DateCreated == nil {
				require.NotEmpty(t, found, "a message without a time was passed over")
			}
		}
		require.GreaterOrEqual(t, len(listedSince(messages, to, from.Add(-time.Hour))), len(found), "less is found since an earlier time")
	})
}
