package integrations_test

import (
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
)

type vendorConfig struct {
	APIKey  integrations.Secret `yaml:"api_key"`
	Group   int                 `yaml:"group"`
	RetryOn []int               `yaml:"retry_on"`
	Timeout time.Duration       `yaml:"timeout"`
	Live    bool                `yaml:"live"`
	Rate    integrations.Rate   `yaml:"rate"`
}

func decode(t *testing.T, text string, into any) error {
	t.Helper()
	file, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	require.NoError(t, err)
	return integrations.DecodeYAML(file.Docs[0].Body, into)
}

func TestDecodeYAML_ReadsEveryKind(t *testing.T) {
	t.Parallel()
	var c vendorConfig
	require.NoError(t, decode(t, "api_key: 0123\ngroup: 7\nretry_on: [503]\ntimeout: 15m\nlive: true\nrate: 10/s", &c))
	require.Equal(t, vendorConfig{"0123", 7, []int{503}, 15 * time.Minute, true, integrations.Rate{Count: 10, Per: time.Second}}, c,
		"a secret of digits stays text")
}

func TestDecodeYAML_NamesTheKeyAndNeverQuotesASecret(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"api_kee: s3cret":                    "api_kee is not known; did you mean api_key?",
		"api_key: s3cret\nsomething_else: x": "something_else is not known; there are: api_key, group",
		"api_key: s3cret\ngroup: many":       "group has a value of the wrong kind; write a number",
		"api_key: s3cret\nretry_on: 503":     "retry_on has a value of the wrong kind; write a sequence",
		"api_key: s3cret\ntimeout: soon":     "durations like 15m",
		"api_key: s3cret\nrate: ten":         "rate is not a rate",
		"api_key: s3cret\nlive: s3cret":      "live has a value of the wrong kind; write true or false",
		"api_key: s3cret\napi_key: s3cret":   "stands there twice",
		"- s3cret":                           "the connection",
		"api_key: {s3cret: s3cret}":          "a secret is a list or a mapping",
	} {
		err := decode(t, text, &vendorConfig{})
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "s3cret", text)
		var problems integrations.Problems
		require.ErrorAs(t, err, &problems)
	}
}
