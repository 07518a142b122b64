package shopify

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
)

func classifier() integrations.Classifier {
	return integrations.Classifier{Vendor: kind, Now: time.Now}
}

// FuzzAnswer: whatever the shop answers is data or a classed error, whose pause is
// one that can be waited and whose words are bounded.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"data":{"a":1}}`, `{"errors":"Not Found"}`, `{"errors":[]}`, `{"errors":[ ]}`, `{"errors":[null]}`, `{"errors":{}}`, `{}`, `null`, "", `{"data":null,"errors":null}`,
		`{"errors":[{"message":"x","extensions":{"code":"THROTTLED","cost":{"requestedQueryCost":1e308,"throttleStatus":{"currentlyAvailable":-1e308,"restoreRate":1e-308}}}}]}`,
		`{"errors":[{"message":"x","extensions":{"code":"THROTTLED"}}],"extensions":{"cost":{"requestedQueryCost":-5,"throttleStatus":{"restoreRate":-1}}}}`,
		`{"errors":[{"message":"` + strings.Repeat("ä", 2000) + `","extensions":{"code":"ACCESS_DENIED"}}]}`,
	} {
		f.Add([]byte(s))
	}
	admin := &Admin{classify: classifier()}
	f.Fuzz(func(t *testing.T, body []byte) {
		var into any
		err := admin.decode("asking", body, &into)
		if err == nil {
			return
		}
		var failure *integrations.Error
		require.ErrorAs(t, err, &failure)
		require.NotEmpty(t, failure.Code)
		require.GreaterOrEqual(t, failure.RetryAfter, time.Duration(0))
		require.LessOrEqual(t, failure.RetryAfter, 10*time.Minute)
		require.LessOrEqual(t, len(failure.Detail), maxDetail)
		require.Equal(t, failure.Class == integrations.RateLimited, failure.RetryAfter > 0)
	})
}

type answering func() *http.Response

func (a answering) RoundTrip(*http.Request) (*http.Response, error) { return a(), nil }

// FuzzToken: a token that was granted is used until shortly before its end, a day
// at most, and what is no grant is an error that holds nothing of the answer.
func FuzzToken(f *testing.F) {
	for _, s := range []string{`{"access_token":"t","expires_in":86399}`, `{"access_token":"t","expires_in":9223372036854775807}`, `{"access_token":"t","expires_in":9300000000}`, `{"access_token":"t","expires_in":-9223372036854775808}`,
		`{"access_token":"t"}`, `{"access_token":"","expires_in":1}`, `{"access_token":1}`, `null`, "", `{"access_token":"a\nb","expires_in":1e3}`} {
		f.Add(200, []byte(s))
		f.Add(400, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 100 || status > 999 {
			return
		}
		asked, now := 0, time.Unix(1.8e9, 0)
		tok := &token{cfg: &Config{Shop: "a.myshopify.com", ClientID: "id", ClientSecret: "secret"}, classify: classifier(), now: func() time.Time { return now },
			http: &http.Client{Transport: answering(func() *http.Response {
				asked++
				return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body)))}
			}), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
		value, err := tok.get(context.Background())
		if err != nil {
			var failure *integrations.Error
			require.True(t, errors.As(err, &failure), "%v", err)
			require.NotEqual(t, integrations.Unknown, failure.Class, "asking for a token changes nothing and can be tried again")
			return
		}
		require.NotEmpty(t, value)
		require.False(t, tok.expiry.After(now.Add(24*time.Hour)))
		if tok.expiry.After(now.Add(renewEarly)) {
			_, err = tok.get(context.Background())
			require.NoError(t, err)
			require.Equal(t, 1, asked, "it is fetched for every call")
		}
		now = now.Add(25 * time.Hour)
		_, err = tok.get(context.Background())
		require.NoError(t, err)
		require.Equal(t, asked, max(asked, 2), "it is used after its end")
		require.False(t, strings.Contains(string(body), `"expires_in":9223372036854775807}`) && asked > 2, "a number without measure makes it fetched for every call")
	})
}
