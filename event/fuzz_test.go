package event_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
)

// FuzzDecodeJSON: what is taken is bounded, can be stored as JSON, and an array of
// one is that one.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{
		`{"type":"order.paid","contact":{"email":"anna@example.com","consent":{"email":true}},"order":{"id":"1","total":"1.00","currency":"EUR"}}`,
		`[{"type":"a.b","fields":{"x":[1,null,{"y":"\u0000"}]}}]`,
		`{"type":"code.redeemed","code":"TEN-1","order":{"id":"A","total":1e2,"discount":"1e999999999","currency":"eur"}}`,
		`{"type":"a.b","contact":{"id":"ct_1","phone":"+49","time_zone":"../etc","attributes":{"a":{"b":[]}},"consent":{"sms":{"state":"denied","at":"2026-01-01T00:00:00Z"}}}}`,
		`{"type":"a.b","occurred_at":"0000-01-01T00:00:00+23:59"}`, `[]`, `null`, `[null]`, ` {`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := event.DecodeJSON(data)
		if err != nil {
			require.Nil(t, events)
			return
		}
		require.NotEmpty(t, events)
		require.LessOrEqual(t, len(events), 1000)
		for _, e := range events {
			require.LessOrEqual(t, len(e.Code)+len(e.Token), 400)
			if e.Order != nil {
				require.LessOrEqual(t, len(e.Order.Total.String()), 64, "an amount is printed in a few digits")
			}
		}
		stored, err := json.Marshal(events)
		require.NoError(t, err)
		var back []event.Event
		require.NoError(t, json.Unmarshal(stored, &back))
		if len(events) == 1 && data[0] == '{' {
			again, err := event.DecodeJSON(append(append([]byte("["), data...), ']'))
			require.NoError(t, err)
			require.Equal(t, events, again)
		}
	})
}

// FuzzParseAmount: an amount prints in about the digits that it was written in, and
// what is printed reads as the same.
func FuzzParseAmount(f *testing.F) {
	for _, seed := range []string{"49.90", "-0.001", "1e999999999", "+1", ".5", "5.", "00000000000000000000000", "1_000", "\u0661"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		amount, err := event.ParseAmount(text)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(amount.String()), len(text)+2)
		again, err := event.ParseAmount(amount.String())
		if err == nil { // a sign and a zero may make it too long to be read again
			require.True(t, amount.Equal(again))
		}
	})
}

// FuzzNormaliseCode: normalising is done once.
func FuzzNormaliseCode(f *testing.F) {
	for _, seed := range []string{" ten-4711 ", "straße", "\u0131\u017f\u1e9e", "ǆ", "\xff", "\u00a0a\u2003"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, code string) {
		norm := event.NormaliseCode(code)
		require.Equal(t, norm, event.NormaliseCode(norm))
		require.LessOrEqual(t, len(norm), 3*len(code)+3)
	})
}
