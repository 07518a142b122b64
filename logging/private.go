package logging

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// private writes errors without what they quote. Texts of ours hold ids only; the
// kinds below come from elsewhere and repeat the value they stumbled over, which
// can be an address or a code.
func private(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.StringValue(Private(err))
	}
	return a
}

// Private is an error's text without what it quotes.
func Private(err error) string {
	text := err.Error()
	var (
		database *pgconn.PgError
		number   *strconv.NumError
		moment   *time.ParseError
		kind     *json.UnmarshalTypeError
		address  *url.Error
	)
	switch {
	case errors.As(err, &database):
		return without(text, database, "SQLSTATE "+database.Code+named(" table", database.TableName)+named(" column", database.ColumnName)+
			named(" constraint", database.ConstraintName)+named(" in", database.Routine))
	case errors.As(err, &address):
		return without(text, address, address.Op+" of an address: "+Private(address.Err))
	case errors.As(err, &number):
		return without(text, number, number.Func+" of a text: "+number.Err.Error())
	case errors.As(err, &moment):
		return without(text, moment, "a text is no time")
	case errors.As(err, &kind):
		return without(text, kind, "JSON of another kind than "+kind.Type.String())
	case strings.Contains(text, "unable to encode "):
		// pgx quotes the value that doesn't fit, in an error without a type.
		return text[:strings.Index(text, "unable to encode ")] + "unable to encode a value"
	}
	return text
}

// without puts other words in the place of those of one error of a chain. Where its
// text was rewritten on the way, nothing is left of the chain's.
func without(text string, quoting error, words string) string {
	if own := quoting.Error(); own != "" && strings.Contains(text, own) {
		return strings.ReplaceAll(text, own, words)
	}
	return words
}

func named(what, name string) string {
	if name == "" {
		return ""
	}
	return what + " " + name
}
