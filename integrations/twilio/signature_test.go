package twilio

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations/conformance"
)

func TestSigned_PassesTheVendorsVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		Name, URL, Body, Signature string
		AuthToken                  string
		Params                     map[string]string
		Valid                      bool
	}
	require.NoError(t, json.Unmarshal(conformance.Samples(t, "twilio/signature_vectors.json"), &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		address, err := url.Parse(v.URL)
		require.NoError(t, err)
		params := url.Values{}
		for key, value := range v.Params {
			params.Set(key, value)
		}
		require.Equal(t, v.Valid, signed(v.AuthToken, v.Signature, address, params, []byte(v.Body)), v.Name)
		if v.Valid && v.Body != "" {
			require.False(t, signed(v.AuthToken, v.Signature, address, params, []byte(v.Body+" ")), "another body")
		}
	}
}

func TestSigned_CountsEachOfAParametersValuesOnce(t *testing.T) {
	t.Parallel()
	address, err := url.Parse("https://scrip.example.com/hooks/sms/inbound")
	require.NoError(t, err)
	signature := base64.StdEncoding.EncodeToString(sign("12345", address.String(), url.Values{"A": {"1", "2"}}))
	require.True(t, signed("12345", signature, address, url.Values{"A": {"2", "1", "2"}}, nil))
	require.False(t, signed("12345", signature, address, url.Values{"A": {"1"}}, nil))
}
