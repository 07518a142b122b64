package integrations_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

// FuzzRetryAfter: whatever a vendor asks, it is waited for between nothing and a
// day.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"120", "1.5", "-1", "1e999", "NaN", "Inf", "0x1p9999", "Wed, 21 Oct 2026 07:28:00 GMT", "Mon, 02 Jan 0001 00:00:00 GMT", " 5 ", ""} {
		f.Add(s, 429)
	}
	classifier := integrations.Classifier{Vendor: "a-vendor", Now: func() time.Time { return time.Unix(1.7e9, 0) }}
	f.Fuzz(func(t *testing.T, value string, status int) {
		failure := classifier.Status("calling", status, http.Header{"Retry-After": {value}})
		if status >= 200 && status < 300 {
			require.Nil(t, failure)
			return
		}
		require.GreaterOrEqual(t, failure.RetryAfter, time.Duration(0), "%q", value)
		require.LessOrEqual(t, failure.RetryAfter, 24*time.Hour, "%q", value)
		if len(strings.TrimSpace(value)) > 8 {
			require.NotContains(t, failure.Error(), strings.TrimSpace(value))
		}
	})
}

// FuzzParseRate: a rate that is read is one that a pacer can keep.
func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"10/s", "600/m", "5000/h", "0/s", "99999999/s", "1/d", "١/s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := integrations.ParseRate(text)
		if err != nil {
			require.Zero(t, r)
			return
		}
		require.Positive(t, r.Count)
		require.Positive(t, r.Per)
		require.NoError(t, integrations.NewPacer("a-vendor", r).Take(t.Context(), "calling"))
	})
}

// FuzzDecodeYAML: a connection's settings are read or their problems told, none of
// which repeats a value.
func FuzzDecodeYAML(f *testing.F) {
	for _, s := range []string{"secret: s3cr3t-value\nrate: 10/s\n", "secret: [s3cr3t-value]\n", "sekret: s3cr3t-value\n", "list: s3cr3t-value\nwait: s3cr3t-value\n", "secret: &a s3cr3t-value\nnumber: *a\n", "secret: 1\nsecret: s3cr3t-value\n"} {
		f.Add([]byte(s))
	}
	type settings struct {
		Secret integrations.Secret `yaml:"secret"`
		Rate   integrations.Rate   `yaml:"rate"`
		List   []int               `yaml:"list"`
		Number int                 `yaml:"number"`
		Wait   time.Duration       `yaml:"wait"`
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		file, err := parser.ParseBytes(source, 0)
		if err != nil || len(file.Docs) == 0 || file.Docs[0].Body == nil {
			return
		}
		var into settings
		if err := integrations.DecodeYAML(file.Docs[0].Body, &into); err != nil {
			var problems integrations.Problems
			require.ErrorAs(t, err, &problems)
			require.NotEmpty(t, problems)
			for _, p := range problems {
				require.NotContains(t, p.Message, "s3cr3t-value")
			}
		}
	})
}

// vendor gives a batch as it is told to.
type vendor struct{ batch event.Batch }

func (v vendor) Receive(integrations.Request) (integrations.Receipt, error) {
	return integrations.Receipt{}, nil
}
func (v vendor) Normalise(integrations.Delivery) (event.Batch, error) { return v.batch, nil }

// FuzzNormalise: whatever a vendor's texts and numbers are, Postgres and JSON can
// keep them afterwards.
func FuzzNormalise(f *testing.F) {
	f.Add("a", "b\x00", math.NaN(), "\xff")
	f.Add("\x00", "", math.Inf(-1), "\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, key, text string, number float64, code string) {
		batch, err := integrations.Normalise(vendor{event.Batch{Events: []event.Event{{Type: key, Code: code, Fields: map[string]any{
			key: text, "list": []any{text, number, map[string]any{text: key}}}, Person: event.Person{FirstName: text, Tags: []string{code}}}}}}, integrations.Delivery{})
		require.NoError(t, err)
		storable(t, map[string]any{"type": batch.Events[0].Type, "code": batch.Events[0].Code, "name": batch.Events[0].Person.FirstName, "fields": batch.Events[0].Fields})
	})
}

func storable(t *testing.T, value any) {
	switch v := value.(type) {
	case string:
		require.True(t, strings.ToValidUTF8(v, "") == v && !strings.Contains(v, "\x00"), "%q", v)
	case float64:
		require.False(t, math.IsNaN(v) || math.IsInf(v, 0))
	case []any:
		for _, item := range v {
			storable(t, item)
		}
	case map[string]any:
		for key, item := range v {
			storable(t, key)
			storable(t, item)
		}
	}
}
