package event

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// decodeStrictly decodes an object whose keys must be known. The errors of
// encoding/json repeat input, so they are replaced.
func decodeStrictly(data []byte, into any, at string, known []string) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		if at == "" {
			return syntax(err)
		}
		return fmt.Errorf("%s must be an object", at)
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(known, key) {
			return unknownKey(at, key, known)
		}
	}
	err := json.Unmarshal(data, into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s must be %s, not %s", place(at, wrong.Field), kindName(wrong.Type.Kind().String()), wrong.Value)
	}
	if err != nil {
		return fmt.Errorf("%s holds a time or a value that can't be read; write times like 2026-11-21T10:00:00Z", cmp.Or(at, "the event"))
	}
	return nil
}

func unknownKey(at, key string, known []string) error {
	nearest := slices.MinFunc(known, func(a, b string) int {
		return levenshtein.ComputeDistance(a, key) - levenshtein.ComputeDistance(b, key)
	})
	if len(key) <= 40 && levenshtein.ComputeDistance(nearest, key) <= 3 {
		return fmt.Errorf("the key %q is not known; did you mean %q?", place(at, key), place(at, nearest))
	}
	hint := "put own values under fields"
	if at == "contact" {
		hint = "put own values under contact.attributes"
	}
	return fmt.Errorf("the key %.60q is not known, nearest is %q; %s", place(at, key), place(at, nearest), hint)
}

func place(at, key string) string {
	if at == "" || strings.HasPrefix(key, at+".") {
		return key
	}
	return at + "." + key
}

func kindName(kind string) string {
	switch kind {
	case "string":
		return "a string"
	case "slice":
		return "an array"
	default:
		return "an object"
	}
}

func syntax(err error) error {
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("the body is not valid JSON near byte %d", wrong.Offset)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the body is not valid JSON: it ends too early")
	}
	return errors.New("an event must be a JSON object")
}
