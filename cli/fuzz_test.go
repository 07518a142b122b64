package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

// FuzzEventBody: each NAME=VALUE of an event arrives as it was written: as a number
// only where all of its digits do.
func FuzzEventBody(f *testing.F) {
	for _, s := range []string{"total=80", "id=12345678901234567890", "phone=+4915112345678", "zip=01067", "zip=-0123", "x=1e5", "x=0x1p-2", "x=Inf", "x=49.90", "x=true", "x==", "=", "x", "\xff=\xff", "x=-0", "x=0.1000000000000000055"} {
		f.Add(s, "id", "code")
	}
	f.Fuzz(func(t *testing.T, arg, id, code string) {
		body, err := eventBody([]string{"order.paid", arg}, "", map[string]string{"email": id}, id, code)
		name, value, ok := strings.Cut(arg, "=")
		valid := utf8.ValidString(arg) && utf8.ValidString(id) && utf8.ValidString(code)
		require.Equal(t, ok && name != "" && valid, err == nil)
		if err != nil {
			return
		}
		encoded, err := json.Marshal(body)
		require.NoError(t, err)
		var sent struct {
			Type, ID, Code string
			Fields         map[string]json.RawMessage
		}
		require.NoError(t, json.Unmarshal(encoded, &sent))
		require.Equal(t, "order.paid", sent.Type)
		require.Len(t, sent.Fields, 1)
		for _, raw := range sent.Fields {
			var text string
			if json.Unmarshal(raw, &text) == nil {
				require.Equal(t, value, text)
				continue
			}
			if !strings.Contains(value, ".") || string(raw) == "true" || string(raw) == "false" {
				require.Equal(t, value, string(raw), "it arrives as another value")
				continue
			}
			require.True(t, decimal.RequireFromString(value).Equal(decimal.RequireFromString(string(raw))), "it arrives as another value: %s", raw)
		}
	})
}

// FuzzVariables: --variables is one JSON object, which is sent as it was written, or
// a mistake.
func FuzzVariables(f *testing.F) {
	for _, s := range []string{`{"trigger": {"total": 80}}`, `{"id": 12345678901234567890, "x": 0.10}`, "null", "[]", "1", `{"a":1} {"b":2}`, `{"a":1}]`, "{", "", `{"a": 1e999}`, `{"a":1,"a":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		variables, err := templateVariables(text)
		object := json.Valid([]byte(text)) && strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{")
		if err != nil {
			require.False(t, object && !strings.Contains(text, `\\u`) && len(text) < 1000, "an object was refused: %v", err)
			return
		}
		require.True(t, object, "%q is taken", text)
		encoded, err := json.Marshal(variables)
		require.NoError(t, err)
		again, err := templateVariables(string(encoded))
		require.NoError(t, err)
		require.Equal(t, variables, again)
	})
}
