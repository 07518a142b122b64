package twilio_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/twilio"
)

// FuzzAnswer: whatever stands in an answer, the status alone says whether a message was
// taken; what a server error says of itself settles nothing; and an error repeats none of
// the answer but a number.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"code":21610,"message":"Attempt to send to unsubscribed recipient ` + anna + `","status":400}`, `{"code":20429}`, `{"code":1e99}`, `{"code":-1,"message":null}`,
		`{"sid":"SM1","status":"queued"}`, `{"sid":7}`, `{"sid":null}`, `[]`, `null`, `<html>`, ``, `{"code":"21610"}`, `{"details":{"a":[]}}`,
	} {
		for _, status := range []int{201, 200, 400, 429, 500, 503} {
			f.Add(status, "", []byte(s))
		}
	}
	f.Add(503, "7", []byte(`{"code":20429}`))
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		client := conformance.Answers(status, http.Header{"Retry-After": {retryAfter}, "Content-Type": {"application/json"}}, body)
		made, err := twilio.New(conformance.Settings("sms", settings(""), client))
		require.NoError(t, err)
		_, err = made.(integrations.Channel).Send(t.Context(), integrations.Message{ID: "msg_1", To: anna, Text: "Your code is TEN-4711"})
		if status == http.StatusCreated {
			require.NoError(t, err)
			return
		}
		var failure *integrations.Error
		require.ErrorAs(t, err, &failure)
		conformance.Discreet(t, err, anna, "TEN-4711")
		require.Regexp(t, `^-?[0-9]+$`, failure.Code)
		if status >= 500 || status < 400 {
			bare := integrations.Classifier{}.Status("", status, http.Header{"Retry-After": {retryAfter}})
			want := integrations.Unknown
			if bare != nil {
				want = bare.Class
			}
			require.Equal(t, want, failure.Class)
		}
	})
}
