package integrations_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

func TestClassOfStatus_DecidesEveryStatus(t *testing.T) {
	t.Parallel()
	want := map[int]integrations.Class{}
	for status := 300; status < 500; status++ {
		want[status] = integrations.Invalid
	}
	for status := 500; status < 600; status++ {
		want[status] = integrations.Unknown
	}
	for class, statuses := range map[integrations.Class][]int{
		integrations.Auth:        {401, 402, 403, 407, 511},
		integrations.Retry:       {421, 423, 425},
		integrations.RateLimited: {429},
		integrations.Unknown:     {408, 499},
		integrations.Invalid:     {501, 505},
	} {
		for _, status := range statuses {
			want[status] = class
		}
	}
	c := integrations.Classifier{Vendor: "a-vendor"}
	for status, class := range want {
		failure := c.Status("sending", status, http.Header{})
		require.Equal(t, class, failure.Class, "status %d", status)
		require.Equal(t, class, integrations.ClassOfStatus(status, false), "status %d", status)
	}
	for status := 200; status < 300; status++ {
		require.Nil(t, c.Status("sending", status, http.Header{}))
	}
	require.Equal(t, integrations.RateLimited, integrations.ClassOfStatus(503, true))
}

func TestStatus_RetriesWhatTheConnectionIsKnownNotToHaveTaken(t *testing.T) {
	t.Parallel()
	c := integrations.Classifier{RetryOn: []int{502, 400}}
	require.Equal(t, integrations.Retry, c.Status("sending", 502, nil).Class)
	require.Equal(t, integrations.Unknown, c.Status("sending", 500, nil).Class)
	require.Equal(t, integrations.Invalid, c.Status("sending", 400, nil).Class, "only what would be unknown is asked")
}

func TestStatus_ReadsRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	c := integrations.Classifier{Now: func() time.Time { return now }}
	for value, want := range map[string]time.Duration{
		"17": 17 * time.Second, "2.5": 2500 * time.Millisecond, "Sat, 21 Nov 2026 10:01:00 GMT": time.Minute,
		"Sat, 21 Nov 2026 09:00:00 GMT": 0, "99999999999999999999": 24 * time.Hour, "-5": 0, "soon": 0, "": 0, "NaN": 0,
	} {
		require.Equal(t, want, c.Status("sending", 429, http.Header{"Retry-After": {value}}).RetryAfter, "%q", value)
	}
}

func TestSecret_IsNeverPrinted(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("a line", "secret", integrations.Secret("s3cret"))
	require.NotContains(t, b.String(), "s3cret")
}

func TestRate_IsReadAndKept(t *testing.T) {
	t.Parallel()
	r, err := integrations.ParseRate("600/m")
	require.NoError(t, err)
	require.Equal(t, integrations.Rate{Count: 600, Per: time.Minute}, r)
	for _, wrong := range []string{"", "10", "0/s", "10/d", "-1/s", "10 / s", "99999999/s"} {
		_, err := integrations.ParseRate(wrong)
		require.ErrorContains(t, err, "like 10/s", "%q", wrong)
	}
}

func TestPacer_PutsOffWhatWouldWaitLong(t *testing.T) {
	t.Parallel()
	pacer := integrations.NewPacer("a-vendor", integrations.Rate{Count: 1, Per: time.Minute})
	require.NoError(t, pacer.Take(t.Context(), "sending"))
	err := pacer.Take(t.Context(), "sending")
	var failure *integrations.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, integrations.RateLimited, failure.Class)
	require.InDelta(t, time.Minute, failure.RetryAfter, float64(time.Second))
	again := pacer.Take(t.Context(), "sending")
	require.ErrorAs(t, again, &failure)
	require.InDelta(t, time.Minute, failure.RetryAfter, float64(time.Second), "a refused turn is given back")
	require.NoError(t, integrations.NewPacer("a-vendor", integrations.Rate{}).Take(t.Context(), "sending"))
}

type sourceFunc func(integrations.Delivery) (event.Batch, error)

func (sourceFunc) Receive(integrations.Request) (integrations.Receipt, error) {
	return integrations.Receipt{}, nil
}
func (f sourceFunc) Normalise(d integrations.Delivery) (event.Batch, error) { return f(d) }

func TestNormalise_MakesABatchFitForPostgres(t *testing.T) {
	t.Parallel()
	batch, err := integrations.Normalise(sourceFunc(func(integrations.Delivery) (event.Batch, error) {
		return event.Batch{Events: []event.Event{{
			Type: "a.b", Code: "TEN\x00", Fields: map[string]any{"a\x00b": []any{"x\xff", 1.5}, "n": map[string]any{"k": "\x00"}},
		}}}, nil
	}), integrations.Delivery{})
	require.NoError(t, err)
	require.Equal(t, "TEN", batch.Events[0].Code)
	require.Equal(t, map[string]any{"ab": []any{"x\uFFFD", 1.5}, "n": map[string]any{"k": ""}}, batch.Events[0].Fields)
}

func TestNormalise_TurnsAPanicIntoAnError(t *testing.T) {
	t.Parallel()
	_, err := integrations.Normalise(sourceFunc(func(integrations.Delivery) (event.Batch, error) {
		panic("anna@example.com")
	}), integrations.Delivery{})
	require.ErrorContains(t, err, "panic")
	require.NotContains(t, err.Error(), "anna@example.com")
}
