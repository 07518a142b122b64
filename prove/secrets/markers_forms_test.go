package secrets_test

import (
	"encoding/base64"
	hexadecimal "encoding/hex"
	"log"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMarkers_AreFoundHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	m := newMarkers()
	planted := m.add(code, "MKcode0123456789")
	for _, spelt := range []string{planted, strings.ToUpper(planted), strings.ToLower(planted)} {
		for before := range 7 {
			for after := range 4 {
				text := []byte(strings.Repeat("a", before) + spelt + strings.Repeat("b", after))
				for form, encode := range map[string]func([]byte) string{
					"plain": func(b []byte) string { return string(b) }, "hex": hexadecimal.EncodeToString,
					"HEX":    func(b []byte) string { return strings.ToUpper(hexadecimal.EncodeToString(b)) },
					"base64": base64.StdEncoding.EncodeToString, "raw base64": base64.RawURLEncoding.EncodeToString,
				} {
					require.Contains(t, m.in([]byte("x "+encode(text)+" y")), strings.ToLower(planted), "%s of %s", form, text)
				}
			}
		}
	}
	require.Empty(t, m.in([]byte(base64.StdEncoding.EncodeToString([]byte("something else 0123456789")))))
}

func TestStderr_IsReadAlong(t *testing.T) {
	w := &world{T: t, stderr: catch(t)}
	log.Print("written by the standard logger")
	require.Contains(t, string(w.erred()), "written by the standard logger")
}
