package store

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLineDiff_TellsWhatGoesAndWhatComes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, before, after string
		want                []string
	}{
		{"nothing", "a\nb\n", "a\nb\n", nil},
		{"a change", "a\nb\nc\n", "a\nx\nc\n", []string{"- b", "+ x"}},
		{"lines added", "a\nc\n", "a\nb\nc\nd\n", []string{"+ b", "+ d"}},
		{"lines removed", "a\nb\nc\n", "b\n", []string{"- a", "- c"}},
		{"too long", strings.Repeat("a\n", 4000), strings.Repeat("b\n", 4000), []string{"too long to compare line by line"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, lineDiff(c.before, c.after))
		})
	}
	require.Equal(t, []string{"email.txt", "- old", "+ new", "sms.txt", "- gone"},
		filesDiff(map[string]string{"email.txt": "old", "sms.txt": "gone", "email.html": "same"}, map[string]string{"email.txt": "new", "email.html": "same"})[:5])
}
