package sendgrid_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/sendgrid"
)

// FuzzScopes: a key is good if SendGrid lists mail.send among its scopes, and a check
// that fails repeats none of the answer.
func FuzzScopes(f *testing.F) {
	for _, s := range []string{`{"scopes":["mail.send"]}`, `{"scopes":["mail.sender","alerts.read"]}`, `{"scopes":null}`, `{"scopes":"mail.send"}`, `{"SCOPES":["mail.send"]}`, `[]`, `<html>`, ``, `{"scopes":[1]}`} {
		f.Add(200, []byte(s))
	}
	f.Add(403, []byte(`{"errors":[{"message":"access forbidden"}]}`))
	f.Add(503, []byte(`{"scopes":["mail.send"]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		client := conformance.Answers(status, http.Header{}, body)
		made, err := sendgrid.New(conformance.Settings("email", settings(""), client))
		require.NoError(t, err)
		err = made.(integrations.Checker).Check(t.Context())
		var listed struct{ Scopes []string }
		good := status < 300 && json.Unmarshal(body, &listed) == nil && slices.Contains(listed.Scopes, "mail.send")
		require.Equal(t, good, err == nil)
		if err != nil {
			var failure *integrations.Error
			require.ErrorAs(t, err, &failure)
			conformance.Discreet(t, err, apiKey)
			require.Contains(t, []string{"malformed_answer", "scope mail.send is missing", strconv.Itoa(status)}, failure.Code)
		}
	})
}
