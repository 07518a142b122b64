package workflows_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"scrip.dev/scrip/workflows"
)

// FuzzSignals: the payload of a signal, which a person may have typed, is read or
// refused by its decoder, and what is read of it is written so that it reads the
// same.
func FuzzSignals(f *testing.F) {
	for _, s := range []string{`{"order":"1001"}`, `{"order":1001}`, `{"order":12345678901234567890}`, `{"order":1e300}`, `{"order":[1]}`, `{"outcome":"called_us"}`, `"x"`, `null`, ``, `{"at":"2026-01-01T00:00:00Z"}`,
		`{"delivery":1,"events":[{"id":"ev_1","type":"order.paid","rules":["exit.0"]}]}`, `{"delivery":-1,"events":null}`} {
		f.Add([]byte(s))
	}
	data := converter.GetDefaultDataConverter()
	f.Fuzz(func(t *testing.T, body []byte) {
		payload := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: body}
		repeats[workflows.Redeemed](t, data, payload)
		repeats[workflows.ExitRequest](t, data, payload)
		repeats[workflows.ExpiryChange](t, data, payload)
		repeats[workflows.Delivery](t, data, payload)
		// An order's number that was typed without quotes is that number.
		var typed struct {
			Order json.Number `json:"order"`
		}
		var redeemed workflows.Redeemed
		if json.Unmarshal(body, &typed) == nil && data.FromPayload(payload, &redeemed) == nil && whole(typed.Order.String()) {
			require.Equal(t, typed.Order.String(), redeemed.Order)
		}
	})
}

func repeats[P any](t *testing.T, data converter.DataConverter, payload *commonpb.Payload) {
	var first, second P
	if data.FromPayload(payload, &first) != nil {
		return
	}
	written, err := data.ToPayload(first)
	if err != nil {
		return // a time in a year that JSON has no form for
	}
	require.NoError(t, data.FromPayload(written, &second))
	a, err := json.Marshal(first)
	require.NoError(t, err)
	b, err := json.Marshal(second)
	require.NoError(t, err)
	require.Equal(t, string(a), string(b))
}

func whole(number string) bool {
	for _, c := range number {
		if c < '0' || c > '9' {
			return false
		}
	}
	return number != ""
}
