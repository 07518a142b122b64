package logging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/logging"
)

func TestErrors_AreLoggedWithoutWhatTheyQuote(t *testing.T) {
	t.Parallel()
	const address = "anna@example.com"
	_, number := strconv.Atoi(address)
	_, moment := time.Parse(time.DateOnly, address)
	for name, test := range map[string]struct {
		err  error
		says string
	}{
		"database": {&pgconn.PgError{Severity: "ERROR", Code: "22P02", Message: `invalid input syntax: "` + address + `"`, TableName: "message"}, "SQLSTATE 22P02 table message"},
		"number":   {number, "Atoi of a text: invalid syntax"},
		"time":     {moment, "no time"},
		"JSON":     {json.Unmarshal([]byte(`{"A": 1}`), &struct{ A string }{}), "another kind than string"},
		"address":  {&url.Error{Op: "Get", URL: "https://vendor.example/?to=" + address, Err: errors.New("connection refused")}, "Get of an address: connection refused"},
		"encoding": {fmt.Errorf("failed to encode args[3]: %w", fmt.Errorf("unable to encode %q into text format: wrong", address)), "failed to encode args[3]: unable to encode a value"},
	} {
		for _, make := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return logging.JSON(b, slog.LevelInfo) },
			func(b *bytes.Buffer) slog.Handler { return logging.Text(b, slog.LevelInfo) },
		} {
			var out bytes.Buffer
			slog.New(make(&out)).Error("failed", "journey", "jn_1", "error", fmt.Errorf("doing it: %w", test.err))
			require.NotContains(t, out.String(), address, name)
			require.Contains(t, out.String(), "doing it: ", name)
			require.Contains(t, out.String(), test.says, name)
			require.Contains(t, out.String(), "jn_1", name)
		}
	}
}

func TestErrors_OfOursKeepTheirText(t *testing.T) {
	t.Parallel()
	require.Equal(t, "sending: refused (400)", logging.Private(errors.New("sending: refused (400)")))
}
