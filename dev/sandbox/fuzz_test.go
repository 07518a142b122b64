package sandbox

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzJournal: whatever stands in a journal, it is read to its end, and what is
// appended then is read the next time, after the same as before.
func FuzzJournal(f *testing.F) {
	for _, s := range []string{"", "\n", "{\"id\":\"a\"}\n", "{\"id\":\"a\"}\n{\"id\":", "null\n[]\n7\n\"x\"\n", "{\"id\":1}\n{\"id\":\"b\"}\r\n\xff\n"} {
		f.Add([]byte(s))
	}
	type line struct {
		ID string `json:"id"`
	}
	path := filepath.Join(f.TempDir(), "journal.jsonl")
	read := func(t *testing.T) (*journal[line], []line) {
		var lines []line
		j, err := openJournal(path, func(l line) { lines = append(lines, l) })
		require.NoError(t, err)
		return j, lines
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		j, before := read(t)
		require.NoError(t, j.append(line{"appended"}))
		require.NoError(t, j.close())
		j, after := read(t)
		require.NoError(t, j.close())
		require.Equal(t, append(before, line{"appended"}), after)
	})
}
